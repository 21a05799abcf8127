"""Fetching where more waits than may."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.shells.worker.inbox import Inbox
from pipeline.shells.worker.transport import Consumer

FAUSTS_OWN = 1.0
"""Seconds that Faust waits for records before it looks anew at what it may fetch."""
PLACE, OTHER = TP("relay.frames", 0), TP("relay.telemetry", 0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []

    async def wait(_: Any, timeout: float) -> tuple[dict[TP, Any], set[TP]]:  # noqa: ASYNC109 (Faust's own)
        seconds.append(timeout)
        return {}, {OTHER}

    monkeypatch.setattr(driver.Consumer, "_wait_next_records", wait)
    return seconds


def consumer(inbox: Inbox, active: set[TP]) -> tuple[Any, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    class Fetching(Consumer):
        should_stop = False

    one: Any = object.__new__(Fetching)
    one.app, one.flow_active = SimpleNamespace(inboxes={PLACE.topic: inbox}), True
    one._get_active_partitions, one.sleep = lambda: active, sleep
    return one, slept


@pytest.mark.asyncio
async def test_while_a_partition_is_held_it_is_soon_looked_whether_more_may_be_fetched_of_it(
    asked: list[float],
) -> None:
    inbox = Inbox(1)
    fetching, _ = consumer(inbox, {OTHER})
    await fetching._wait_next_records(FAUSTS_OWN)
    inbox.held.add(PLACE)
    await fetching._wait_next_records(FAUSTS_OWN)
    assert asked[0] == FAUSTS_OWN
    assert asked[1] < FAUSTS_OWN / 20


@pytest.mark.asyncio
async def test_also_where_every_partition_is_held(asked: list[float]) -> None:
    inbox = Inbox(1)
    inbox.held.add(PLACE)
    fetching, slept = consumer(inbox, set())
    assert await fetching._wait_next_records(FAUSTS_OWN) == ({}, set())
    assert asked == []
    assert 0 < slept[0] < FAUSTS_OWN / 20
