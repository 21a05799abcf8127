"""What /live answers, and when."""

import pytest

from pipeline.shells.worker.pulse import LOOP_LAG_OVER_SECONDS, Pulse, Readiness


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    return Pulse(60, clock)


def looked(pulse: Pulse, waiting: int, at: int, place: str = "frames/0") -> None:
    pulse.looked({place: (waiting, at)})


def after(pulse: Pulse, clock: Clock, seconds: float) -> str:
    """The event loop comes round all the while."""
    clock.now += seconds
    pulse.beat(seconds)
    return pulse.stalled()


def test_an_event_loop_that_is_blocked_is_a_stall_until_it_comes_round(pulse: Pulse, clock: Clock) -> None:
    clock.now += 60
    assert pulse.stalled() == ""
    clock.now += 1
    assert pulse.stalled() == "stalled: the event loop has not come round for 61 s"
    pulse.beat(0.1)
    assert pulse.stalled() == ""


def test_how_late_the_loop_was_is_told_for_a_while(pulse: Pulse, clock: Clock) -> None:
    clock.now += 2.1
    assert pulse.beat(0.1) == pytest.approx(2.0)
    clock.now += LOOP_LAG_OVER_SECONDS
    assert pulse.beat(LOOP_LAG_OVER_SECONDS) == pytest.approx(2.0)
    clock.now += 0.1
    assert pulse.beat(0.1) == pytest.approx(0.0)


def test_records_that_wait_are_a_stall_where_none_is_taken(pulse: Pulse, clock: Clock) -> None:
    looked(pulse, waiting=5, at=10)
    assert after(pulse, clock, 59) == ""
    looked(pulse, waiting=900, at=10)
    assert after(pulse, clock, 2) == "stalled: records wait in frames/0 and none was taken for 61 s"


def test_a_backlog_that_is_worked_off_is_no_stall(pulse: Pulse, clock: Clock) -> None:
    for at in range(20):
        looked(pulse, waiting=100_000, at=at)
        assert after(pulse, clock, 50) == ""


def test_one_partition_that_stands_is_not_hidden_by_others_that_go_on(pulse: Pulse, clock: Clock) -> None:
    for at in range(5):
        pulse.looked({"frames/0": (100, 100 * at), "frames/1": (7, 40)})
        clock.now += 15
        pulse.beat(15)
    assert pulse.stalled() == "stalled: records wait in frames/1 and none was taken for 75 s"
    # Another worker has it now.
    pulse.looked({"frames/0": (100, 500)})
    assert pulse.stalled() == ""


def test_a_topic_without_news_is_no_stall(pulse: Pulse, clock: Clock) -> None:
    looked(pulse, waiting=5, at=10)
    looked(pulse, waiting=0, at=10)
    assert after(pulse, clock, 1000) == ""
    # What comes then has its own time.
    looked(pulse, waiting=1, at=10)
    assert after(pulse, clock, 59) == ""


def test_while_kafka_is_away_nothing_is_a_stall(pulse: Pulse, clock: Clock) -> None:
    looked(pulse, waiting=5, at=10)
    pulse.has_partitions(False, 0)
    clock.now += 50
    pulse.not_known()
    assert after(pulse, clock, 500) == ""


def test_to_be_without_partitions_for_long_is_a_stall_but_not_while_state_is_read_back(
    pulse: Pulse, clock: Clock
) -> None:
    for replayed in (0, 10_000, 20_000):
        pulse.has_partitions(False, replayed)
        assert after(pulse, clock, 170) == ""
    pulse.has_partitions(False, 20_000)
    assert after(pulse, clock, 11).startswith("stalled: for 181 s no partition has been assigned")
    pulse.has_partitions(True, 20_000)
    assert pulse.stalled() == ""


def test_the_log_says_what_a_worker_waits_for_and_that_it_is_ready_but_not_each_rebalance(clock: Clock) -> None:
    readiness, start = Readiness(clock), clock.now
    told = []
    for seconds, reason in (
        (0, "no state"), (9, "no state"), (11, "no state"), (15, ""), (16, ""), (20, "state is read back"), (23, ""),
        (60, "no partition"), (69, "no partition"), (71, "no partition"), (99, "no partition"), (100, ""), (101, ""),
    ):  # fmt: skip
        clock.now = start + seconds
        news = readiness.news(reason)
        if news is not None:
            told.append((seconds, news))
    assert told == [(11, "no state"), (15, ""), (71, "no partition"), (100, "")]
