"""`relaywatch plan`: change the contact plan while the workers run."""

import argparse
from typing import Any, Final

from pipeline.commands import Command, RemoveEntry, SetExpectedLoss, SetWindow
from pipeline.mission.model import ExpectedLoss, Window
from pipeline.shells.acting import arguments_of_a_person, change_plan, metres, moment

EXAMPLE: Final = """\
$ relaywatch plan loss hill --from 2024-01-18T12:00:21Z --until 2024-01-18T12:05:00Z --reason "a hill" --by ed --why map
set: expected loss 'hill'
$ relaywatch plan remove loss hill --by ed --why "the rover has moved"
removed: expected loss 'hill'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="window | loss | remove", required=True)
    window = verbs.add_parser("window", help="add a contact window, or replace the one of this name")
    loss = verbs.add_parser("loss", help="add an expected loss, or replace the one of this name")
    remove = verbs.add_parser("remove", help="remove an entry")
    remove.add_argument("entry", choices=("window", "loss"), help="what it is")
    for one in (window, loss, remove):
        one.add_argument("name", metavar="NAME", help="of the entry; an alert names it")
        one.add_argument("--vehicle", help="whose it is (default: the mission's first)")
        one.add_argument("--run", metavar="ID", help="for this run (default: what is live)")
        arguments_of_a_person(one)
    window.add_argument("--link", required=True, help="of the window")
    loss.add_argument("--reason", required=True, metavar="TEXT", help="why a loss is expected")
    loss.add_argument("--below", type=metres, metavar="METRES", help="only at or below this altitude")
    for one in (window, loss):
        one.add_argument("--from", dest="since", required=True, type=moment, metavar="TIME", help="its begin")
        one.add_argument("--until", required=True, type=moment, metavar="TIME", help="its end")


def run(arguments: argparse.Namespace) -> int:
    word = {"window": "window", "loss": "expected loss"}[getattr(arguments, "entry", arguments.verb)]
    done = f"{'removed' if arguments.verb == 'remove' else 'set'}: {word} {arguments.name!r}"
    return change_plan(arguments, lambda about: _command(arguments, about), done)


def _command(arguments: argparse.Namespace, about: dict[str, Any]) -> Command:
    name = arguments.name
    if arguments.verb == "remove":
        return RemoveEntry(name=name, entry="window" if arguments.entry == "window" else "expected_loss", **about)
    entry = {"name": name, "vehicle": about["vehicle"], "starts_at": arguments.since, "ends_at": arguments.until}
    if arguments.verb == "window":
        return SetWindow(name=name, window=Window(link=arguments.link, **entry), **about)
    loss = ExpectedLoss(reason=arguments.reason, below_m=arguments.below, **entry)
    return SetExpectedLoss(name=name, expected_loss=loss, **about)
