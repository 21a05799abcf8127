"""What the commands share by which a person acts: their arguments, and the words on what came of it. Knows argparse
and the terminal; knows no Kafka client."""

import argparse
import dataclasses
import datetime as dt
from collections.abc import Callable
from math import isfinite, nan
from typing import Any

from pipeline.commands import LAST_MOMENT, Command, IncidentCommand
from pipeline.mission.table import EPOCH
from pipeline.records import Run
from pipeline.shells.ending import run_until_signal
from pipeline.shells.files.resources import read_mission
from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.kafka.clients import Cluster, log_for_people
from pipeline.shells.kafka.give import Answer, find, give, new_id, now, vehicle_of
from pipeline.shells.settings import load_settings
from pipeline.shells.terminal import note, say, say_json


def arguments_of_a_person(parser: argparse.ArgumentParser) -> None:
    """Who, why, and where."""
    parser.add_argument("--by", required=True, metavar="NAME", help="who gives the command")
    parser.add_argument("--why", required=True, metavar="TEXT", help="the reason; it stands in the history")
    parser.add_argument("--mission", help="name or file of the mission (default: ingenuity)")
    kafka_arguments(parser)


def arguments_on_an_incident(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("incident", metavar="ID", help="the incident_id, as `relaywatch alerts --json` shows it")
    arguments_of_a_person(parser)
    parser.add_argument("--json", action="store_true", help="the revision that it makes, as one JSON object")


def moment(text: str) -> int:
    """For argparse: RFC 3339 to nanoseconds."""
    try:
        given = dt.datetime.fromisoformat(text)
    except ValueError:
        given = None
    if given is None or given.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r}: give a moment with its offset, for example 2024-01-18T12:30:00Z")
    nanoseconds = (given - EPOCH) // dt.timedelta(microseconds=1) * 1_000
    if abs(nanoseconds) > LAST_MOMENT:
        raise argparse.ArgumentTypeError(f"{text!r}: give a moment between the years 1678 and 2262")
    return nanoseconds


def metres(text: str) -> float:
    """For argparse."""
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r}: give metres as a number, for example 8.5")
    return value


def act(arguments: argparse.Namespace, command: type[IncidentCommand], done: str, **more: Any) -> int:
    """Give a command on an incident and say what came of it: the exit status. `done`: what it did, in words."""
    settings = load_settings(vars(arguments))
    mission = read_mission(settings.mission)
    cluster = Cluster.of(settings)
    log_for_people()

    async def work() -> Answer:
        alert = await find(cluster, settings.namespace, arguments.incident)
        given = command(
            id=new_id(), vehicle=vehicle_of(alert, mission), by=arguments.by, why=arguments.why, at=now(),
            incident_id=arguments.incident, **more,
        )  # fmt: skip
        return await give(cluster, settings.namespace, mission, given, Run(id=alert.run, origin=alert.origin))

    answer = run_until_signal(work())
    if answer.alert is None:
        note(_NOT_TAKEN)
        return 0
    if arguments.json:
        say_json(dataclasses.asdict(answer.alert))
    else:
        say(f"{done}: {answer.alert.incident_id} (revision {answer.alert.revision})")
    return 0


def change_plan(arguments: argparse.Namespace, made: Callable[[dict[str, Any]], Command], done: str) -> int:
    """Give a change of the plan; `made` makes it from what all commands have."""
    settings = load_settings(vars(arguments))
    mission = read_mission(settings.mission)
    run = Run(id=arguments.run, origin="replay") if arguments.run else Run()
    about = {
        "id": new_id(), "vehicle": arguments.vehicle or mission.vehicles[0].name, "by": arguments.by,
        "why": arguments.why, "at": now(),
    }  # fmt: skip
    log_for_people()
    cluster = Cluster.of(settings)
    answer = run_until_signal(give(cluster, settings.namespace, mission, made(about), run))
    if answer.taken:
        say(done)
    else:
        note(_NOT_TAKEN)
    return 0


_NOT_TAKEN = "given; no worker has taken it yet: it counts as soon as one does"
