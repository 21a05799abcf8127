"""`relaywatch ack`: acknowledge an incident: somebody has it."""

import argparse
from typing import Final

from pipeline.commands import Acknowledge
from pipeline.shells.acting import act, arguments_on_an_incident

EXAMPLE: Final = """\
$ relaywatch ack live:ingenuity:72:ended_before_landing --by m.ortiz --why "the rover drives to a better place"
acknowledged: live:ingenuity:72:ended_before_landing (revision 2)"""


def arguments(parser: argparse.ArgumentParser) -> None:
    arguments_on_an_incident(parser)


def run(arguments: argparse.Namespace) -> int:
    return act(arguments, Acknowledge, "acknowledged")
