"""`relaywatch topics create`."""

import argparse
import asyncio
import sys
from typing import Any

import orjson

from pipeline.shells.kafka_arguments import kafka_arguments
from pipeline.shells.kafka_clients import Cluster
from pipeline.shells.settings import load_settings
from pipeline.shells.topics_admin import TopicFound, create_topics

EXAMPLE = """\
  $ relaywatch topics create --kafka 127.0.0.1:9092
  relay.frames                     4 partitions  made
  relay.telemetry                  4 partitions  made
  ..."""


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="create", required=True)
    create = verbs.add_parser("create", help="make the topics that are not there, say what differs in the others")
    create.add_argument("--partitions", type=_positive, metavar="N", help="of every topic that has several (4)")
    create.add_argument(
        "--replication",
        type=_positive,
        metavar="N",
        help="copies of each topic (3, or one a broker where there are fewer)",
    )
    create.add_argument("--json", action="store_true", help="one JSON object a topic")
    kafka_arguments(create)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    found = asyncio.run(
        create_topics(
            Cluster.of(settings), settings.namespace, partitions=arguments.partitions,
            replication=arguments.replication,
        )
    )  # fmt: skip
    for topic in found:
        sys.stdout.write(_json_line(topic) if arguments.json else _line(topic, max(len(one.name) for one in found)))
    return 0


def _line(topic: TopicFound, width: int) -> str:
    partitions = f"{topic.partitions} partition{'s' if topic.partitions > 1 else ' '}"
    lines = [f"{topic.name:<{width}}  {partitions:>14}  {topic.outcome}"]
    return "".join(f"{line}\n" for line in [*lines, *(f"    {one}" for one in topic.differences)])


def _json_line(topic: TopicFound) -> str:
    body: dict[str, Any] = {name: getattr(topic, name) for name in TopicFound.__dataclass_fields__}
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE).decode()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)
