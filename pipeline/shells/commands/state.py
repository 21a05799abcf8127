"""`relaywatch state check | rebuild`."""

import argparse
from dataclasses import asdict
from typing import Final

from pipeline.errors import RelayWatchError
from pipeline.mission.model import Mission
from pipeline.outputs import rfc3339
from pipeline.shells.ending import run_until_signal
from pipeline.shells.files.resources import read_mission
from pipeline.shells.kafka.access import access
from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.kafka.clients import Cluster, log_for_people
from pipeline.shells.kafka.permissions import check_permissions
from pipeline.shells.settings import load_settings
from pipeline.shells.terminal import note, say, say_json, table

EXAMPLE = """\
  $ relaywatch state check
  table     partition  run   name       offset  chunks  state
  --------  ---------  ----  ---------  ------  ------  -----
  links             0  live  rover-a      1414      48  whole
  vehicles          0  live  ingenuity    1414      97  whole
  $ relaywatch state rebuild --link rover-a
  state of rover-a in run 'live' is made anew from 1,415 records of relay.frames/0, the first at offset 0, published
  2026-12-01 06:00:12 UTC"""

_HEADS: Final = ("table", "partition", "run", "name", "offset", "chunks", "state")


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="check | rebuild", required=True)
    check = verbs.add_parser(
        "check", help="which stored states are whole; exit status 1 when one is not",
        description="Reads the changelogs of a namespace and says of each state whether it is whole. Changes nothing.",
    )  # fmt: skip
    rebuild = verbs.add_parser(
        "rebuild", help="make a state anew that is not whole",
        description="Makes the state of a link anew from relay.frames, or of a vehicle from relay.telemetry, as far "
        "back as the topic is kept, the records that were refused meanwhile too. Workers may run: the one that has the "
        "partition starts again by itself and goes on from the new state. A state that is whole is left as it is.",
    )  # fmt: skip
    whose = rebuild.add_mutually_exclusive_group(required=True)
    whose.add_argument("--link", metavar="L", help="the link whose state it is")
    whose.add_argument("--vehicle", metavar="V", help="or the vehicle")
    rebuild.add_argument("--run", default="", metavar="ID", help="its run (live data have none)")
    for one in (check, rebuild):
        one.add_argument("--mission", metavar="M", help="a shipped mission's name, or a mission file (ingenuity)")
        one.add_argument("--json", action="store_true", help="one JSON object a state")
        kafka_arguments(one)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    mission = read_mission(settings.mission)
    cluster = Cluster.of(settings)
    log_for_people()
    run_until_signal(check_permissions(cluster, access(settings.namespace, "worker")))
    if arguments.verb == "check":
        return _check(arguments, cluster, settings.namespace, mission)
    return _rebuild(arguments, cluster, settings.namespace, mission)


def _check(arguments: argparse.Namespace, cluster: Cluster, namespace: str, mission: Mission) -> int:
    from pipeline.shells.worker.states import check_states

    found = run_until_signal(check_states(cluster, namespace, mission))
    if arguments.json:
        for one in found:
            say_json(one._asdict())
    elif found:
        rows = [(*one[:2], one.run or "live", *one[3:6], "NOT WHOLE" if one.fault else "whole") for one in found]
        say(table(_HEADS, rows))
    else:
        note(f"namespace {namespace} has no state")
    faults = [one for one in found if one.fault]
    for one in faults:
        note(one.fault)
    return int(bool(faults))


def _rebuild(arguments: argparse.Namespace, cluster: Cluster, namespace: str, mission: Mission) -> int:
    from pipeline.shells.worker.states import rebuild
    from pipeline.shells.worker.versions import Owner

    known = [one.name for one in (mission.links if arguments.link else mission.vehicles)]
    name = arguments.link or arguments.vehicle
    if name not in known:
        raise RelayWatchError(f"mission {mission.name} has no {name!r:.80}; it has {', '.join(known)}")
    owner = Owner(arguments.run, name)
    made = run_until_signal(rebuild(cluster, namespace, mission, "frames" if arguments.link else "telemetry", owner))
    if arguments.json:
        say_json(asdict(made))
        return 0
    place = f"{made.topic}/{made.partition}"
    if made.first is None:
        say(f"state of {owner} is dropped: {place} holds no record of it, and it begins anew with the next one")
        return 0
    when = (rfc3339(made.began_at) or "")[:19].replace("T", " ")
    say(f"state of {owner} is made anew from {made.records:,} records of {place}, the first at offset {made.first}, ")
    say(f"published {when} UTC")
    if made.first_kept:
        note(f"{place} is kept from offset {made.first_kept} on: what was before is not in the state")
    return 0
