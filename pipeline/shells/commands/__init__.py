"""The commands of `relaywatch`. To add one: a file here with EXAMPLE, `arguments` and `run`, and one line below.

A command is imported only when it is asked for: Faust, pymavlink and the like take longer to import than a small
command takes to run.
"""

import argparse
import importlib
from typing import Final, Protocol, cast

COMMANDS: Final[dict[str, str]] = {
    "demo": "watch relaywatch say what happened to flight 72, on a private Kafka",
    "analyze": "a recording to incidents, flights and digest, in one process with no broker",
    "inspect": "account for every frame of a file",
    "replay": "publish a recording to Kafka, at its own speed or faster",
    "backfill": "a recording's metrics into Prometheus, at the time of the recording",
    "alerts": "print alerts as a subscriber reads them",
    "ack": "acknowledge an incident: somebody has it",
    "shelve": "put an incident aside until a time on the relay's clock",
    "unshelve": "take an incident off the shelf",
    "close": "close an incident by hand; only a new episode opens it again",
    "plan": "change the contact plan while the workers run",
    "worker": "run the Faust worker: frames to telemetry to alerts",
    "rejected": "list the records that could not be taken, and why",
    "state": "which stored states are whole, and one made anew that is not",
    "topics": "make the topics of a namespace, or say what must change in them",
    "acls": "what each role must be allowed on a cluster, as the words that allow it",
    "kafka": "start, stop or look at a private Kafka on this machine",
    "simulate": "a scenario file to a recording",
    "scenarios": "the shipped scenarios against their truth, or written as a corpus",
    "check": "check a mission file and say what is in it",
    "visibility": "where the ground hides a vehicle from a relay, and what the plan should say of it",
}
"""Name → what `relaywatch --help` says of it, in the order in which a newcomer meets them."""


class Command(Protocol):
    """What a module of this package gives."""

    EXAMPLE: str
    """One worked example: the command after `$ ` and what it prints."""

    def arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int:
        """The exit status. Raises RelayWatchError where it could not run: one clear line, status 2."""


def load(name: str) -> Command:
    return cast(Command, importlib.import_module(f"pipeline.shells.commands.{name}"))
