"""`relaywatch shelve`: put an incident aside until a time on the relay's clock."""

import argparse
from typing import Final

from pipeline.commands import Shelve
from pipeline.shells.acting import act, arguments_on_an_incident, moment

EXAMPLE: Final = """\
$ relaywatch shelve live:ingenuity:72:ended_before_landing --until 2024-01-20T12:00:00Z --by m.ortiz --why "no window"
shelved: live:ingenuity:72:ended_before_landing (revision 2)"""


def arguments(parser: argparse.ArgumentParser) -> None:
    arguments_on_an_incident(parser)
    parser.add_argument(
        "--until", required=True, type=moment, metavar="TIME", help="the end of the shelf, by the relay's clock"
    )


def run(arguments: argparse.Namespace) -> int:
    return act(arguments, Shelve, "shelved", until=arguments.until)
