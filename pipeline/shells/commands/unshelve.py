"""`relaywatch unshelve`: take an incident off the shelf."""

import argparse
from typing import Final

from pipeline.commands import Unshelve
from pipeline.shells.acting import act, arguments_on_an_incident

EXAMPLE: Final = """\
$ relaywatch unshelve live:ingenuity:72:ended_before_landing --by m.ortiz --why "the window opens"
un-shelved: live:ingenuity:72:ended_before_landing (revision 2)"""


def arguments(parser: argparse.ArgumentParser) -> None:
    arguments_on_an_incident(parser)


def run(arguments: argparse.Namespace) -> int:
    return act(arguments, Unshelve, "un-shelved")
