"""`relaywatch rejected`: the records that could not be taken, and why; and a run that is set aside, taken again."""

import argparse
import getpass
import shutil
from dataclasses import asdict
from typing import Final

from pipeline.commands import ResumeRun
from pipeline.metrics import REJECTIONS
from pipeline.outputs import rfc3339
from pipeline.set_aside import NOT_KEPT
from pipeline.shells.ending import run_until_signal
from pipeline.shells.files.resources import read_mission
from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.kafka.clients import Cluster, log_for_people
from pipeline.shells.kafka.give import new_id, now
from pipeline.shells.kafka.publish import named_run
from pipeline.shells.kafka.rejections import Rejection, last_rejections
from pipeline.shells.kafka.resume import resume
from pipeline.shells.settings import load_settings
from pipeline.shells.terminal import note, say, say_json, table
from pipeline.texts import escaped
from pipeline.topics import TOPICS

EXAMPLE: Final = """\
$ relaywatch rejected list --last 2
when (UTC)           reason        origin             key      octets  what
-------------------  ------------  -----------------  -------  ------  ----------------------------------------
2026-01-18 12:00:07  unknown_link  relay.frames/0@42  rover-z     117  link is 'rover-z'; mission ingenuity has...
2026-01-18 12:00:09  no_key        relay.frames/0@43  -           117  record has no key; the key of frames is...
$ relaywatch rejected resume --run flight-72-20260101T120000Z-3f9a
run flight-72-20260101T120000Z-3f9a is taken again: 1,415 records of relay.frames/0@0-1414 are published again"""

_HEADS: Final = ("when (UTC)", "reason", "origin", "key", "octets", "what")
_LAST: Final = 20
_REASONS: Final = (*REJECTIONS, NOT_KEPT)
_KEY_SHOWN: Final = 24
_LEAST_TEXT: Final = 40


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="list | resume", required=True)
    listed = verbs.add_parser(
        "list", help="the newest of them, oldest first",
        description="The newest records of relay.rejected: when, why, where they came from, what was found. They are "
        "kept whole, with their headers and octets, which --json gives as base64.",
    )  # fmt: skip
    listed.add_argument("--last", type=_positive, default=_LAST, metavar="N", help=f"so many of them ({_LAST})")
    listed.add_argument("--reason", choices=_REASONS, metavar="R", help=f"only these: {', '.join(_REASONS)}")
    listed.add_argument("--json", action="store_true", help="one a line, as it stands on the topic")
    kafka_arguments(listed)
    resumed = verbs.add_parser(
        "resume", help="take a run again that is set aside",
        description="Has the workers take a run again, and publishes its records again from the first of those of "
        "which none was good: for when what was wrong with them, or with the workers' mission, is mended.",
    )  # fmt: skip
    resumed.add_argument("--run", required=True, metavar="ID", help="the run")
    resumed.add_argument(
        "--from", dest="since", type=_offset, metavar="OFFSET",
        help="from this offset of relay.frames on; also what was set aside before, where a resumption was broken off",
    )  # fmt: skip
    resumed.add_argument("--by", default=None, metavar="NAME", help="who has it taken again (the user)")
    resumed.add_argument("--why", default="what was wrong is mended", metavar="TEXT", help="the reason, for the record")
    resumed.add_argument("--mission", help="name or file of the mission (default: ingenuity)")
    resumed.add_argument("--json", action="store_true", help="one object a partition")
    kafka_arguments(resumed)


def run(arguments: argparse.Namespace) -> int:
    return _resume(arguments) if arguments.verb == "resume" else _list(arguments)


def _resume(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    mission = read_mission(settings.mission)
    log_for_people()
    # Of which origin it is the workers know.
    run = named_run(arguments.run, "replay")
    command = ResumeRun(
        id=new_id(), vehicle=mission.vehicles[0].name, by=arguments.by or getpass.getuser(), why=arguments.why, at=now()
    )
    found = run_until_signal(resume(Cluster.of(settings), settings.namespace, mission, command, run, arguments.since))
    for one in found:
        if arguments.json:
            say_json(asdict(one))
            continue
        place = f"{one.topic}/{one.partition}@{one.first}-{one.last}"
        say(f"run {run.id} is taken again: {one.records:,} records of {place} are published again")
        if one.unread:
            note(f"{one.unread} of {place} cannot be unfolded: they stay as they are")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    log_for_people()
    found = run_until_signal(
        last_rejections(Cluster.of(settings), settings.namespace, last=arguments.last, reason=arguments.reason)
    )
    if arguments.json:
        for one in found:
            say_json(one.body)
    elif found:
        say(as_table(found, shutil.get_terminal_size().columns))
    else:
        which = f" with reason {arguments.reason}" if arguments.reason else ""
        note(f"no record{which} on {TOPICS['rejected'].full_name(settings.namespace)}")
    return 0


def as_table(found: list[Rejection], width: int) -> str:
    """What was found is cut where the line ends; --json has it whole."""
    rows = [
        ((rfc3339(one.at) or "")[:19].replace("T", " "), one.reason, _place(one), _shown(one.key), one.octets)
        for one in found
    ]
    taken = max(len(line) for line in table(_HEADS[:-1], rows).splitlines()) + 2
    room = max(width - taken, _LEAST_TEXT)
    texts = [_cut(escaped(one.message), room) for one in found]
    return table(_HEADS, [(*row, text) for row, text in zip(rows, texts, strict=True)])


def _place(one: Rejection) -> str:
    return str(one.origin) if one.last_offset is None else f"{one.origin}-{one.last_offset}"


def _shown(key: bytes | None) -> str | None:
    return None if key is None else _cut(escaped(key.decode(errors="backslashreplace")), _KEY_SHOWN)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _offset(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r:.60}: give an offset, a whole number from 0")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 to 100000")
    return int(text)
