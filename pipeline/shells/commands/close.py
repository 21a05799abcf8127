"""`relaywatch close`: close an incident by hand; only a new episode opens it again."""

import argparse
from typing import Final

from pipeline.commands import Close
from pipeline.shells.acting import act, arguments_on_an_incident

EXAMPLE: Final = """\
$ relaywatch close live:ingenuity:72:ended_before_landing --by m.ortiz --why "told by the log"
closed: live:ingenuity:72:ended_before_landing (revision 2)"""


def arguments(parser: argparse.ArgumentParser) -> None:
    arguments_on_an_incident(parser)


def run(arguments: argparse.Namespace) -> int:
    return act(arguments, Close, "closed")
