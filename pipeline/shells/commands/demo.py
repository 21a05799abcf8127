"""`relaywatch demo`: flight 72 on a private Kafka, from frames to alerts."""

import argparse
import asyncio
import dataclasses
import os
import secrets
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from pipeline.records import Run
from pipeline.shells.demo import remove_topics, show_flight
from pipeline.shells.ending import put_away_at_end
from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.kafka.clients import log_for_people
from pipeline.shells.kafka.jars import KAFKA
from pipeline.shells.kafka.local import Broker, local_kafka
from pipeline.shells.kafka.noted import kafka_status, start_kafka, stop_kafka
from pipeline.shells.kafka.pacing import read_speed
from pipeline.shells.settings import PREFIX, Settings, load_settings
from pipeline.shells.terminal import note, say
from pipeline.shells.watchman import Watchman, watchman

EXAMPLE: Final = """\
$ relaywatch demo --speed 20
relaywatch: Apache Kafka 4.1.1 runs at 127.0.0.1:41247, until the demo ends
relaywatch: a Faust worker is ready; its metrics: http://127.0.0.1:36103/metrics
relaywatch: the recording of flight 72 goes to demo-5d1c.frames, 20 times as fast as it was received
...
RAISED      critical: ended_before_landing, ingenuity, flight 72"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--speed", default="20", metavar="N|max", help="how fast flight 72 is replayed (default 20)")
    parser.add_argument("--keep", action="store_true", help="leave Kafka and what was published there for a look")
    kafka_arguments(parser, kafka="RELAYWATCH_KAFKA, or a private one", namespace="demo- and some chance")


def run(arguments: argparse.Namespace) -> int:
    speed = read_speed(arguments.speed)
    namespace = arguments.namespace or f"demo-{secrets.token_hex(2)}"
    settings = load_settings({**vars(arguments), "namespace": namespace})
    log_for_people()
    with watchman() as watching, put_away_at_end() as stack:
        settings = _with_kafka(arguments, settings, stack, watching)
        shown = show_flight(settings, speed, watching)
        _say_next(arguments, settings, shown)
        if arguments.keep:
            stack.pop_all()
    return 0


def _with_kafka(arguments: argparse.Namespace, settings: Settings, stack: ExitStack, watching: Watchman) -> Settings:
    """The settings with the Kafka that the demo uses; what has to go at the end is on the stack."""
    if arguments.kafka or os.environ.get(f"{PREFIX}KAFKA"):
        note(f"Kafka at {settings.kafka} is used, namespace {settings.namespace}")
        if not arguments.namespace:
            stack.callback(lambda: asyncio.run(remove_topics(settings)))
        return settings

    def started(broker: Broker) -> None:
        watching.remember(group=broker.pid, folder=Path(broker.folder))

    if arguments.keep:
        if kafka_status() is None:
            stack.callback(stop_kafka)
        bootstrap, until = start_kafka().bootstrap, "until `relaywatch kafka stop`"
    else:
        bootstrap, until = stack.enter_context(local_kafka(started)), "until the demo ends"
    note(f"Apache Kafka {KAFKA.rpartition(':')[2]} runs at {bootstrap}, {until}")
    return dataclasses.replace(settings.without_security(), kafka=bootstrap)


_NEXT: Final = """
What to try next
  relaywatch simulate flight-72 -o flight-72.mcap   this recording as a file
  relaywatch analyze flight-72.mcap                 the same from the file, in one process with no broker
  relaywatch simulate --help                        other scenarios: a fade, a relay outage, late frames
  relaywatch demo --keep                            leaves Kafka and its alerts for a look"""

_NEXT_KEPT: Final = """
What to try next: Kafka stays at {kafka}
  export RELAYWATCH_KAFKA={kafka} RELAYWATCH_NAMESPACE={namespace}
  relaywatch alerts --run {run}
  relaywatch worker                                 takes what you replay; see relaywatch replay --help
  relaywatch kafka stop                             a Kafka that the demo started goes with all that it holds"""


def _say_next(arguments: argparse.Namespace, settings: Settings, shown: Run) -> None:
    text = _NEXT_KEPT if arguments.keep else _NEXT
    if shutil.which("relaywatch") is None:  # in a checkout `make demo` runs the one of its .venv
        text += f"\n`relaywatch` is {sys.argv[0]}"
    say(text.format(kafka=settings.kafka, namespace=settings.namespace, run=shown.id))
