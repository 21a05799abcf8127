"""`relaywatch replay`: a recording to Kafka, at its own speed or faster."""

import argparse
import itertools
import time
from pathlib import Path
from typing import Final, get_args

from pipeline.errors import RelayWatchError
from pipeline.heartbeat import MissionNames
from pipeline.mission.model import Mission
from pipeline.records import OriginKind, Run
from pipeline.shells.ending import run_until_signal
from pipeline.shells.files.any_file import open_recording
from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.kafka.clients import Cluster, log_for_people
from pipeline.shells.kafka.heartbeats import check_known
from pipeline.shells.kafka.pacing import Step, pace, read_speed
from pipeline.shells.kafka.publish import Published, Shown, check_no_live_records, named_run, new_run, publish
from pipeline.shells.kafka.replay_progress import ReplayProgress
from pipeline.shells.kafka.topics_admin import partitions_of_topic
from pipeline.shells.settings import Settings, load_settings
from pipeline.shells.terminal import note, say
from pipeline.topics import TOPICS

EXAMPLE: Final = """\
$ relaywatch replay flight-72.mcap --speed max
relaywatch: flight-72.mcap to relay.frames at 127.0.0.1:9092, run flight-72-20260101T120000Z-3f9a
relaywatch: jumped 59.1 s in which no frame came
relaywatch: jumped 2.0 days in which no frame came
relaywatch: jumped 20.0 s in which no frame came
published 1,415 records with 2,144 frames as run flight-72-20260101T120000Z-3f9a
see its alerts: relaywatch alerts --run flight-72-20260101T120000Z-3f9a"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording (.mcap) or a tlog")
    parser.add_argument(
        "--speed", default="1", metavar="N|max", help="seconds of the recording in one (default 1), or max"
    )
    parser.add_argument("--loop", action="store_true", help="again and again until Ctrl-C, each lap a run of its own")
    parser.add_argument("--run", metavar="ID", help="go on with this run (default: a new one, named after the file)")
    parser.add_argument(
        "--origin", choices=get_args(OriginKind), default="replay", help="what the records say they are (replay)"
    )
    parser.add_argument("--into-live", action="store_true", help="also where the namespace holds live records")
    parser.add_argument(
        "--anyway", action="store_true", help="also where the workers that run do not have its links or vehicles"
    )
    parser.add_argument("--mission", help="name or file of the mission (default: the recording's own)")
    kafka_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    speed = read_speed(arguments.speed)
    is_named = arguments.run is not None
    if arguments.loop and (is_named or arguments.origin == "live"):
        raise RelayWatchError("--loop gives each lap a run of its own: leave out --run and --origin live")
    run = named_run(arguments.run, arguments.origin) if is_named else new_run(arguments.file.stem, arguments.origin)
    log_for_people()
    return run_until_signal(_replay(arguments, settings, speed, run))


async def _replay(arguments: argparse.Namespace, settings: Settings, speed: float | None, run: Run) -> int:
    cluster = Cluster.of(settings)
    opened = open_recording(arguments.file, mission=arguments.mission)  # whether it can be, before Kafka is asked
    partitions = await partitions_of_topic(cluster, settings.namespace, "frames")
    if not arguments.anyway:
        names = MissionNames.of(opened.mission)
        await check_known(cluster, settings.namespace, names, arguments.file.name, time.time_ns() // 1_000_000)
    if not arguments.into_live:
        await check_no_live_records(cluster, settings.namespace)
    for lap in itertools.count(1):
        opened = open_recording(arguments.file, mission=arguments.mission)
        where = f"{TOPICS['frames'].full_name(settings.namespace)} at {settings.kafka}"
        note(f"{arguments.file.name} to {where}, {_named(run)}{f', lap {lap}' if arguments.loop else ''}")
        with ReplayProgress(opened.source) as progress:
            published = await publish(
                pace(opened.source, speed), cluster, namespace=settings.namespace, mission=opened.mission,
                partitions=partitions, run=run, shown=_and_strangers(progress, opened.mission),
            )  # fmt: skip
        _say_published(published, opened.mission)
        faults = [*opened.source.notes, *filter(None, [opened.source.cut_off])]
        for fault in faults:
            note(fault)
        if not arguments.loop:
            return 0
        run = new_run(arguments.file.stem, arguments.origin)
    raise AssertionError("laps do not end")


def _and_strangers(progress: ReplayProgress, mission: Mission) -> Shown:
    """The progress, and a note at the first record of each link that the mission does not have: the replay of a day is
    not the time to wait for it."""

    def shown(step: Step, published: Published) -> None:
        progress(step, published)
        link = step.record.link
        if published.links[link] == 1 and mission.link(link) is None:
            links = ", ".join(one.name for one in mission.links)
            progress.say(
                f"mission {mission.name} has no link {link} (it has {links}): a worker with this mission rejects its "
                "records"
            )

    return shown


def _say_published(published: Published, mission: Mission) -> None:
    run = published.run
    say(f"published {published.records:,} records with {published.frames:,} frames as {_named(run)}")
    if run.id and any(mission.link(link) is not None for link in published.links):
        say(f"see its alerts: relaywatch alerts --run {run.id}")


def _named(run: Run) -> str:
    return f"run {run.id}" if run.id else "live records"
