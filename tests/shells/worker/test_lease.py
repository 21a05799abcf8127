"""A worker writes only while the group is known to count it as a member: without a broker."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.shells.exits import EXIT_FENCED
from pipeline.shells.worker import lease as module
from pipeline.shells.worker.lease import Lease, seconds_awake_or_asleep
from tests.shells.worker.leaving import Left, leaving

MEMBER, REBALANCE, UNKNOWN_MEMBER, NOT_COORDINATOR = 0, 27, 25, 16


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class HeartbeatResponse_v1:  # noqa: N801 (as aiokafka calls it)
    error_code: int


@dataclass
class ProduceResponse:
    error_code: int


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    return leaving(module, monkeypatch)


def leased() -> tuple[Lease, Clock]:
    clock = Clock()
    return Lease(session_seconds=10.0, rebalance_seconds=60.0, clock=clock), clock


def test_a_worker_that_never_joined_may_not_write() -> None:
    assert not leased()[0].is_proven()


def test_an_answer_is_a_lease_from_when_the_question_was_sent() -> None:
    lease, clock = leased()
    lease.answered(MEMBER, sent_at=clock.now - 4)
    clock.now += 4.9
    assert lease.is_proven()
    # A tenth of the session before its end: what is sent needs its way.
    clock.now += 0.2
    assert not lease.is_proven()


def test_no_coordinator_proves_nothing_and_takes_nothing_away() -> None:
    lease, clock = leased()
    lease.answered(MEMBER, clock.now)
    lease.answered(NOT_COORDINATOR, clock.now + 5)
    clock.now += 8
    assert lease.is_proven()
    clock.now += 2
    assert not lease.is_proven()


def test_while_the_group_waits_for_all_to_join_again_a_member_is_one_for_the_rebalance_time_out_and_no_longer() -> None:
    lease, clock = leased()
    lease.answered(MEMBER, clock.now)
    for _ in range(14):
        clock.now += 4
        lease.answered(REBALANCE, clock.now)
        assert lease.is_proven(), clock.now
    clock.now = 1059.9
    lease.answered(REBALANCE, clock.now)
    assert lease.is_proven()
    clock.now = 1060.1
    lease.answered(REBALANCE, clock.now)
    assert not lease.is_proven()


@pytest.mark.asyncio
async def test_a_worker_that_was_away_and_is_unknown_ends_before_it_writes(left: list[tuple[int, str]]) -> None:
    lease, clock = leased()
    written: list[Any] = []

    async def send(*request: Any) -> None:
        written.append(request)

    guarded = lease.guards(send)
    lease.answered(MEMBER, clock.now)
    await guarded("first")
    clock.now += 30
    waiting = asyncio.ensure_future(guarded("second"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    lease.answered(UNKNOWN_MEMBER, clock.now)
    with pytest.raises(Left):
        await waiting
    assert written == [("first",)]
    assert left[0][0] == EXIT_FENCED
    assert left[0][1].startswith("this worker was away and others may have its partitions (the group says: unknown")


@pytest.mark.asyncio
async def test_a_worker_whose_broker_was_away_writes_on_when_it_is_still_a_member() -> None:
    lease, clock = leased()
    lease.answered(MEMBER, clock.now)
    clock.now += 60
    waiting = asyncio.ensure_future(lease.hold())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    lease.answered(MEMBER, clock.now)
    await asyncio.wait_for(waiting, 5)


@pytest.mark.asyncio
async def test_where_nobody_ever_answers_the_worker_ends(left: list[tuple[int, str]]) -> None:
    lease, clock = leased()
    lease.answered(MEMBER, clock.now)
    clock.now += 20
    waiting = asyncio.ensure_future(lease.hold())
    await asyncio.sleep(0.05)
    clock.now += 200
    with pytest.raises(Left):
        await waiting
    assert "nobody answered for 200 s" in left[0][1]


@pytest.mark.asyncio
async def test_only_answers_about_membership_count() -> None:
    lease, _ = leased()

    async def send(request: Any) -> Any:
        return request

    watched = lease.watches(send)
    await watched(ProduceResponse(MEMBER))
    assert not lease.is_proven()
    await watched(HeartbeatResponse_v1(MEMBER))
    assert lease.is_proven()
    await watched(HeartbeatResponse_v1(UNKNOWN_MEMBER))
    assert not lease.is_proven()


def test_the_clock_does_not_go_back() -> None:
    assert seconds_awake_or_asleep() <= seconds_awake_or_asleep()
