"""Fetching where more waits than may, and clients of Kafka that have given up."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.shells.worker.inbox import Inbox
from pipeline.shells.worker.transport import App, Consumer

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


@pytest.mark.asyncio
async def test_nothing_is_sought_while_a_fetch_is_out_that_would_take_it_away() -> None:
    said: list[str] = []
    brought = asyncio.Event()

    class Thread:
        async def getmany(self, *_: Any) -> dict[TP, Any]:
            said.append("fetching")
            await brought.wait()
            said.append("fetched")
            return {}

        async def seek_wait(self, _: Any) -> None:
            said.append("sought")

    one: Any = object.__new__(Consumer)
    one._thread, one._fetching = Thread(), asyncio.Lock()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one._getmany(set(), FAUSTS_OWN))
        await asyncio.sleep(0)
        tasks.create_task(one.seek_wait({PLACE: 0}))
        for _ in range(5):
            await asyncio.sleep(0)
        assert said == ["fetching"]
        brought.set()
    assert said == ["fetching", "fetched", "sought"]


def app_with(**ended: asyncio.Future[None]) -> Any:
    """An app whose clients go on, but for the tasks that are named."""
    goes_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    one: Any = SimpleNamespace(
        group=ended.get("group", goes_on), fetching=ended.get("fetching", goes_on),
        metadata=ended.get("metadata", goes_on), outgoing=ended.get("outgoing", goes_on),
        sending=ended.get("sending", goes_on),
    )  # fmt: skip
    group = SimpleNamespace(_coordination_task=one.group, _pending_exception=None)
    consumer = SimpleNamespace(
        _coordinator=group, _fetcher=SimpleNamespace(_fetch_task=one.fetching),
        _client=SimpleNamespace(_sync_task=one.metadata),
    )  # fmt: skip
    producer = SimpleNamespace(
        client=SimpleNamespace(_sync_task=one.outgoing), _sender=SimpleNamespace(_sender_task=one.sending)
    )
    return SimpleNamespace(
        consumer=SimpleNamespace(_thread=SimpleNamespace(_consumer=consumer)),
        producer=SimpleNamespace(_producer=producer), group=group,
    )  # fmt: skip


@pytest.mark.asyncio
async def test_a_task_of_a_client_that_has_ended_is_found_and_says_why() -> None:
    assert App.given_up(app_with()) == ""
    for task, name in (
        ("group", "the consumer group"), ("fetching", "fetching"), ("metadata", "the consumer's metadata"),
        ("outgoing", "the producer's metadata"), ("sending", "sending"),
    ):  # fmt: skip
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        failed.set_exception(RuntimeError("the handler is closed"))
        assert App.given_up(app_with(**{task: failed})) == f"{name} (RuntimeError('the handler is closed'))"


@pytest.mark.asyncio
async def test_so_is_a_group_that_waits_for_somebody_to_ask_why_it_failed() -> None:
    app = app_with()
    app.group._pending_exception = PermissionError("no access to the group")
    assert App.given_up(app) == "the consumer group (PermissionError('no access to the group'))"
