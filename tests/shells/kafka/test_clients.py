"""Reading a topic on, without a broker."""

import asyncio
import logging
from collections.abc import Iterable
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from pipeline.shells.kafka import clients as kafka_clients
from pipeline.shells.kafka.clients import Cluster, KafkaUnavailableError

PLACE = TopicPartition("relay.alerts", 0)


class Consumer:
    """Gives what it is told to, a poll each: records, or nothing; and whether the broker answers meanwhile."""

    def __init__(self, polls: Iterable[tuple[list[str], bool]]) -> None:
        self.polls = iter(polls)
        self.answers = True

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0)
        values, self.answers = next(self.polls)
        return {PLACE: [SimpleNamespace(value=one) for one in values]} if values else {}

    async def topics(self) -> set[str]:
        if not self.answers:
            raise KafkaError("no broker answers")
        return {"relay.alerts"}

    async def position(self, place: TopicPartition) -> int:
        return 0


@pytest.mark.asyncio
async def test_that_kafka_is_away_and_back_is_said_once_each(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kafka_clients, "_ASK_AFTER_SECONDS", 0)
    quiet, away = ([], True), ([], False)
    consumer = Consumer([(["a"], True), quiet, *[away] * 3, quiet, quiet, *[away] * 2, (["b"], True), (["c"], True)])
    found = []
    async for record in Cluster("127.0.0.1:1").read_on(consumer):
        found.append(record.value)
        if found[-1] == "c":
            break
    assert found == ["a", "b", "c"]
    said = ["Kafka at 127.0.0.1:1 is away; waiting for it", "Kafka at 127.0.0.1:1 is back"]
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING] == said * 2


@pytest.mark.asyncio
async def test_a_kafka_that_goes_away_before_the_end_is_a_fault() -> None:
    consumer = Consumer(repeat(([], False)))
    records = Cluster("127.0.0.1:1", wait_seconds=0.05).read_until(consumer, {PLACE: 1})
    with pytest.raises(KafkaUnavailableError, match=r"went away before the end of relay\.alerts was read"):
        await anext(records)
