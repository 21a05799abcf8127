"""`relaywatch kafka start | stop | status`."""

import argparse

from pipeline.shells.ending import put_away_at_end
from pipeline.shells.kafka.local import Broker
from pipeline.shells.kafka.noted import kafka_status, start_kafka, stop_kafka
from pipeline.shells.terminal import say, say_json

EXAMPLE = """\
  $ relaywatch kafka start
  Kafka runs at 127.0.0.1:40117 (process 4711, log /tmp/relaywatch-kafka-x1/kafka.log)
  use it with: export RELAYWATCH_KAFKA=127.0.0.1:40117"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("start", "stop", "status"), help="its data is gone when it stops")
    parser.add_argument("--json", action="store_true", help="one JSON object; null where none runs")


def run(arguments: argparse.Namespace) -> int:
    act = {"start": start_kafka, "stop": stop_kafka, "status": kafka_status}[arguments.verb]
    # A terminal that is closed while Kafka comes up leaves none that nobody has noted.
    with put_away_at_end():
        broker = act()
    if arguments.json:
        body = None if broker is None else {"pid": broker.pid, "kafka": broker.bootstrap, "log": str(broker.log)}
        say_json(body)
    else:
        say(_said(arguments.verb, broker))
    return 0


def _said(verb: str, broker: Broker | None) -> str:
    if broker is None:
        return "no Kafka of relaywatch runs on this machine"
    if verb == "stop":
        return f"Kafka at {broker.bootstrap} is stopped and its data is gone"
    return (
        f"Kafka runs at {broker.bootstrap} (process {broker.pid}, log {broker.log})\n"
        f"use it with: export RELAYWATCH_KAFKA={broker.bootstrap}"
    )
