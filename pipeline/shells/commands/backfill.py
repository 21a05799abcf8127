"""`relaywatch backfill`: a recording's metrics into Prometheus, at the time of the recording."""

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from pipeline.backfill.openmetrics import exposition
from pipeline.backfill.retell import ALERTS, Retelling
from pipeline.errors import RecordingError
from pipeline.records import SECOND, Run
from pipeline.shells.files.any_file import open_recording
from pipeline.shells.files.backfill import (
    NOTES,
    BackfillError,
    add_blocks,
    check_data_folder,
    find_promtool,
    write_text,
)
from pipeline.shells.files.intake import Intake, shown
from pipeline.shells.terminal import note, say
from pipeline.verdicts.words import instant

EXAMPLE: Final = """\
  $ relaywatch simulate flight-72 -o flight-72.mcap
  $ relaywatch backfill flight-72.mcap --prometheus /var/lib/prometheus/metrics2
  flight-72.mcap as flight-72: 34,719 samples in 4 blocks, 2024-01-18 11:58:01.0 UTC to 2024-01-20 12:02:00.0 UTC"""

JOB: Final = "relaywatch"
"""Prometheus adds job, instance and mission to what it scrapes: to the dashboards a recording is one more worker."""
SHORTEST_STEP_SECONDS: Final = 0.1
LONGEST_STEP_SECONDS: Final = 60.0
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording (.mcap) or a tlog")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--prometheus", type=Path, metavar="DIR", help="Prometheus's folder (--storage.tsdb.path); needs promtool"
    )
    where.add_argument("--openmetrics", metavar="FILE", help="write OpenMetrics text instead; - is standard output")
    parser.add_argument(
        "--step", type=float, default=1.0, metavar="SECONDS", help="of the relay's clock between samples (default 1)"
    )
    parser.add_argument("--name", help="label `instance` of its series (default: the name of the file)")
    parser.add_argument("--mission", metavar="M", help="name or file of the mission (default: the recording's own)")


def run(arguments: argparse.Namespace) -> int:
    name, step = _name(arguments), _step(arguments.step)
    folder: Path | None = arguments.prometheus
    promtool = ""
    if folder is not None:
        # What can be known to fail is known before a long recording is read.
        promtool = find_promtool()
        check_data_folder(folder)
    opened = open_recording(arguments.file, mission=arguments.mission)
    intake = Intake(opened.mission)
    retelling = Retelling(opened.mission, Run(id=name, origin="replay"), step)
    for origin, record in intake.of(shown(opened.source, "backfill")):
        retelling.take(origin, record)
    retelling.end()
    span = retelling.span
    if span is None:
        intake.close(opened.source)
        raise RecordingError(f"{arguments.file.name}: no record of it says when it was received")
    labels = {"job": JOB, "instance": name, "mission": opened.mission.name}
    text = exposition(retelling.timeline.tracks, labels, bare=[ALERTS.name])
    samples = f"{arguments.file.name} as {name}: {retelling.timeline.samples:,} samples"
    period = f"{instant(span[0])} to {instant(span[1])}"
    if folder is not None:
        made = add_blocks(text, folder, name=name, recording=arguments.file.name, promtool=promtool)
        if made is None:
            say(f"{arguments.file.name} is in {folder} already, as {name} ({NOTES}/{name}.json): nothing was written")
        else:
            blocks = "1 block" if len(made.blocks) == 1 else f"{len(made.blocks)} blocks"
            say(f"{samples} in {blocks}, {period}")
    elif arguments.openmetrics == "-":
        sys.stdout.writelines(text)
        note(f"{samples}, {period}")
    else:
        write_text(text, Path(arguments.openmetrics))
        say(f"{samples} in {arguments.openmetrics}, {period}")
    intake.close(opened.source)
    return 0


def _name(arguments: argparse.Namespace) -> str:
    if arguments.name is not None:
        if not _NAME.fullmatch(arguments.name):
            raise BackfillError(
                f"--name is {arguments.name!r:.120}: give at most 100 letters, digits, '.', '_' and '-', the first a "
                "letter or digit"
            )
        return str(arguments.name)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", arguments.file.stem).strip("-._")[:100] or "recording"


def _step(seconds: float) -> int:
    """Nanoseconds; whole milliseconds, since that is what Prometheus counts in."""
    if not SHORTEST_STEP_SECONDS <= seconds <= LONGEST_STEP_SECONDS:
        raise BackfillError(
            f"--step is {seconds:g}: give seconds from {SHORTEST_STEP_SECONDS:g} to {LONGEST_STEP_SECONDS:g}"
        )
    return round(seconds * 1_000) * (SECOND // 1_000)
