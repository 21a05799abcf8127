"""`relaywatch rejected list`: the records that could not be taken, and why."""

import argparse
import shutil
from typing import Final

from pipeline.metrics import REJECTIONS
from pipeline.outputs import rfc3339
from pipeline.shells.ending import run_until_signal
from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.kafka.clients import Cluster, log_for_people
from pipeline.shells.kafka.rejections import Rejection, last_rejections
from pipeline.shells.settings import load_settings
from pipeline.shells.terminal import note, say, say_json, table
from pipeline.texts import escaped
from pipeline.topics import TOPICS

EXAMPLE: Final = """\
$ relaywatch rejected list --last 2
when (UTC)           reason        origin             key      octets  what
-------------------  ------------  -----------------  -------  ------  ----------------------------------------
2026-01-18 12:00:07  unknown_link  relay.frames/0@42  rover-z     117  link is 'rover-z'; mission ingenuity has...
2026-01-18 12:00:09  no_key        relay.frames/0@43  -           117  record has no key; the key of frames is..."""

_HEADS: Final = ("when (UTC)", "reason", "origin", "key", "octets", "what")
_LAST: Final = 20
_KEY_SHOWN: Final = 24
_LEAST_TEXT: Final = 40


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="list", required=True)
    listed = verbs.add_parser(
        "list", help="the newest of them, oldest first",
        description="The newest records of relay.rejected: when, why, where they came from, what was found. They are "
        "kept whole, with their headers and octets, which --json gives as base64.",
    )  # fmt: skip
    listed.add_argument("--last", type=_positive, default=_LAST, metavar="N", help=f"so many of them ({_LAST})")
    listed.add_argument("--reason", choices=REJECTIONS, metavar="R", help=f"only these: {', '.join(REJECTIONS)}")
    listed.add_argument("--json", action="store_true", help="one a line, as it stands on the topic")
    kafka_arguments(listed)


def run(arguments: argparse.Namespace) -> int:
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
        ((rfc3339(one.at) or "")[:19].replace("T", " "), one.reason, str(one.origin), _shown(one.key), one.octets)
        for one in found
    ]
    taken = max(len(line) for line in table(_HEADS[:-1], rows).splitlines()) + 2
    room = max(width - taken, _LEAST_TEXT)
    texts = [_cut(escaped(one.message), room) for one in found]
    return table(_HEADS, [(*row, text) for row, text in zip(rows, texts, strict=True)])


def _shown(key: bytes | None) -> str | None:
    return None if key is None else _cut(escaped(key.decode(errors="backslashreplace")), _KEY_SHOWN)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 to 100000")
    return int(text)
