"""`relaywatch topics create | check`."""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.shells.ending import run_until_signal
from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.kafka.clients import Cluster, log_for_people
from pipeline.shells.kafka.topics_admin import Checked, TopicFound, check_topics, create_topics
from pipeline.shells.kafka.topics_needed import Kept
from pipeline.shells.settings import load_settings
from pipeline.shells.terminal import say, say_json

EXAMPLE = """\
  $ relaywatch topics create --kafka 127.0.0.1:9092 --partitions 8
  relay.frames                     8 partitions  made
  ...
  $ relaywatch topics check
  relay.frames                     8 partitions  1 copy   good
  relay.telemetry                  8 partitions  1 copy   differs
      max.message.bytes is 1048588, 8388608 is needed
      $ kafka-configs.sh --bootstrap-server 127.0.0.1:9092 --alter --entity-type topics ...
  ..."""


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="create | check", required=True)
    create = verbs.add_parser("create", help="make the topics that are not there, say what differs in the others")
    check = verbs.add_parser(
        "check", help="compare the topics with what is needed; exit status 1 when something must change",
        description="Compares the topics with what is needed and changes nothing. Under each topic that must change: "
        "what is wrong, and after `$` the command against it. Keeping more than is needed is never wrong. "
        "Kafka's own tools read credentials out of a file, named client.properties here.",
    )  # fmt: skip
    for one in (create, check):
        one.add_argument(
            "--partitions", type=_positive, metavar="N",
            help="of every topic that has several (create: 4; check: as it is)",
        )  # fmt: skip
        one.add_argument(
            "--replication", type=_positive, metavar="N",
            help="copies of each topic (3, or one a broker where there are fewer)",
        )  # fmt: skip
        one.add_argument("--keep-days", type=_positive, metavar="N", help="of raw frames and telemetry (30)")
        one.add_argument(
            "--keep-gib", type=_positive, metavar="N", help="of each of their partitions, if that comes first (64)"
        )
        one.add_argument("--json", action="store_true", help="one JSON object a topic")
        kafka_arguments(one)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    asked: dict[str, Any] = {
        "partitions": arguments.partitions, "replication": arguments.replication,
        "kept": Kept(days=arguments.keep_days, gibibytes=arguments.keep_gib),
    }  # fmt: skip
    log_for_people()
    found: Sequence[TopicFound | Checked]
    if arguments.verb == "create":
        found = run_until_signal(create_topics(Cluster.of(settings), settings.namespace, **asked))
    else:
        found = run_until_signal(check_topics(Cluster.of(settings), settings.namespace, **asked))
    width = max(len(one.name) for one in found)
    for topic in found:
        if arguments.json:
            say_json(asdict(topic))
        else:
            say("\n".join(_lines(topic, width)))
    return int(any(isinstance(one, Checked) and one.differences for one in found))


def _lines(topic: TopicFound | Checked, width: int) -> Iterable[str]:
    partitions = f"{topic.partitions} partition{'s' if topic.partitions != 1 else ' '}"
    if isinstance(topic, TopicFound):
        yield f"{topic.name:<{width}}  {partitions:>14}  {topic.outcome}"
        yield from (f"    {one}" for one in topic.differences)
        return
    copies = f"{topic.copies} cop{'ies' if topic.copies != 1 else 'y  '}"
    yield f"{topic.name:<{width}}  {partitions:>14}  {copies}  {'differs' if topic.differences else 'good'}"
    for one in topic.differences:
        yield from (f"    {one.found}", f"    $ {one.change}")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)
