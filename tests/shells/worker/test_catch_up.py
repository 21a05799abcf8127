"""The log of a worker that catches up, by a clock of the test's own."""

import logging

import pytest

from pipeline.shells.worker.catch_up import CatchUp


class Work:
    """A topic of which so many records wait, looked at every two seconds."""

    def __init__(self, caplog: pytest.LogCaptureFixture, waiting: int) -> None:
        caplog.set_level(logging.INFO, "pipeline.shells.worker.catch_up")
        self.now, self.waiting, self.at, self.log = 100.0, waiting, 0, caplog
        self.catch_up = CatchUp(clock=lambda: self.now)
        self.look()

    def look(self) -> None:
        self.catch_up.looked("frames", self.waiting, self.at)

    def go_on(self, seconds: int, taken: int, arriving: int = 0) -> list[str]:
        """So many records a second taken and coming in; what the log says meanwhile."""
        self.log.clear()
        for _ in range(seconds // 2):
            self.now += 2
            done = min(2 * taken, self.waiting)
            self.at, self.waiting = self.at + done, self.waiting - done + 2 * arriving
            self.look()
        return [record.getMessage() for record in self.log.records]


def test_a_backlog_is_told_with_its_speed_and_the_time_left_every_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(caplog, waiting=100_000)
    assert work.go_on(30, taken=2_000) == [
        "frames: 88,000 records behind, 2,000/s, about 44 s left",
        "frames: 68,000 records behind, 2,000/s, about 34 s left",
        "frames: 48,000 records behind, 2,000/s, about 24 s left",
    ]
    assert work.go_on(40, taken=2_000)[-1] == "frames: caught up"
    assert work.go_on(40, taken=2_000, arriving=100) == []


def test_what_comes_in_meanwhile_counts(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(caplog, waiting=50_000)
    assert work.go_on(6, taken=2_000, arriving=1_000) == ["frames: 44,000 records behind, 2,000/s, about 44 s left"]
    assert work.go_on(10, taken=1_000, arriving=3_000) == [
        "frames: 64,000 records behind, 1,000/s, and they get no fewer"
    ]  # fmt: skip


def test_a_stream_that_is_followed_is_no_backlog(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(caplog, waiting=30)
    assert work.go_on(60, taken=15, arriving=15) == []


def test_records_that_are_not_taken_at_all_are_told(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(caplog, waiting=3)
    assert work.go_on(6, taken=0) == ["frames: 3 records behind, 0/s, and they get no fewer"]
