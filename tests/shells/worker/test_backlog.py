"""How many records wait, and whether any stands where offsets go on: without a broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from pipeline import metrics
from pipeline.metrics import Sample
from pipeline.shells.exits import EXIT_FAILED
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.worker import backlog as module
from pipeline.shells.worker.backlog import Backlog
from pipeline.shells.worker.pulse import Pulse
from tests.shells.worker.leaving import Left, leaving

PLACE = TP("relay.frames", 0)


class Bench:
    """A guard at an offset, a log with an end, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, end: int, first: int | None) -> None:
        """`first`: the first record at `at` or after it."""
        self.at, self.end, self.first, self.asked, self.now = at, end, first, 0, 0.0
        self.shown: list[Sample] = []
        guard: Any = SimpleNamespace(
            owned=True, next_offsets={PLACE: at}, table=SimpleNamespace(replayed=0), done=lambda: {PLACE: self.at},
            lives=SimpleNamespace(stage=SimpleNamespace(source="frames")),
        )  # fmt: skip
        self.guard = guard
        self.pulse = Pulse(10, lambda: self.now)
        self.backlog = Backlog(Cluster("127.0.0.1:1"), [guard], self, self.pulse)  # type: ignore[arg-type]
        monkeypatch.setattr(module, "first_offset_from", self._first_offset_from)

    async def _first_offset_from(self, cluster: Cluster, place: TP, offset: int) -> int | None:
        self.asked += 1
        self.now += 8  # it takes so long where nothing comes
        return self.first

    def show(self, scope: str, samples: Iterable[Sample]) -> None:
        self.shown = list(samples)

    async def topics(self) -> set[str]:
        return set()

    async def end_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.end)

    async def look(self, seconds: float = 2) -> tuple[float, bool]:
        """(records that wait, whether the worker is live) after so many seconds."""
        self.now += seconds
        self.pulse.beat(seconds)
        await self.backlog.look(self)
        self.pulse.beat(0)
        return self.shown[0].value, not self.pulse.stalled()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    return lambda **given: Bench(monkeypatch, **given)


@pytest.mark.asyncio
async def test_records_that_wait_are_counted_and_become_a_stall(bench: Callable[..., Bench]) -> None:
    one = bench(at=10, end=15, first=10)
    assert [await one.look() for _ in range(6)] == [(5, True)] * 6
    # Eight seconds went by while the log was asked, which do not count; then ten in which nothing is taken.
    assert [await one.look() for _ in range(3)] == [(5, True), (5, False), (5, False)]
    assert one.asked == 1
    one.at = 12
    assert await one.look() == (3, True)
    assert one.shown == [Sample(metrics.LAG, ("frames", "0"), 3)]


@pytest.mark.asyncio
async def test_offsets_without_a_record_are_no_backlog(bench: Callable[..., Bench]) -> None:
    """The end of a transaction takes an offset that no record has."""
    one = bench(at=10, end=11, first=None)
    assert [await one.look() for _ in range(40)] == [(1, True), *[(0, True)] * 39]
    assert one.asked == 1
    # What comes later is looked at anew.
    one.end, one.first = 20, 11
    found = [await one.look() for _ in range(12)]
    assert found[0] == (10, True)
    assert found[-1] == (10, False)


@pytest.mark.asyncio
async def test_a_worker_without_partitions_shows_no_lag_and_is_borne_for_a_while(bench: Callable[..., Bench]) -> None:
    one = bench(at=10, end=15, first=10)
    await one.look()
    one.guard.owned = False
    one.now += 2
    one.pulse.beat(2)
    await one.backlog.look(one)
    assert one.shown == []
    assert one.pulse.behind == {}
    for _ in range(15):
        one.now += 2
        one.pulse.beat(2)
        await one.backlog.look(one)
        assert one.pulse.stalled() == ""
    one.now += 2
    one.pulse.beat(2)
    assert one.pulse.stalled().startswith("stalled: for 32 s no partition has been assigned")


@pytest.mark.asyncio
async def test_a_worker_that_can_no_longer_look_how_many_records_wait_ends(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it could stand for ever, and say that it is well."""
    left = leaving(module, monkeypatch)
    one = bench(at=10, end=15, first=10)

    @asynccontextmanager
    async def consumer(self: Cluster) -> AsyncIterator[object]:
        yield object()

    monkeypatch.setattr(Cluster, "consumer", consumer)
    with pytest.raises(Left):
        await one.backlog.follow()
    assert left == [(EXIT_FAILED, "starting again from the state")]


@pytest.mark.asyncio
async def test_while_kafka_does_not_answer_nothing_counts_as_a_stall(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = bench(at=10, end=15, first=10)
    await one.look()
    assert one.pulse.behind

    def consumer(self: Cluster) -> NoReturn:
        raise OSError("no Kafka there")

    monkeypatch.setattr(Cluster, "consumer", consumer)
    following = asyncio.ensure_future(one.backlog.follow())
    await asyncio.sleep(0)
    following.cancel()
    assert one.pulse.behind == {}
