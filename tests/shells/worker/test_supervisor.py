"""A worker that ends is started again, but where no start would help."""

import os
import signal
import sys
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from pipeline.shells.exits import COULD_NOT_RUN, EXIT_FAILED, EXIT_HOLE, EXIT_NEVER_AGAIN
from pipeline.shells.settings import Settings
from pipeline.shells.worker.supervisor import (
    ASK_EVERY_SECONDS,
    LONGEST_PAUSE_SECONDS,
    STEADY_AFTER_SECONDS,
    Health,
    Restarts,
    Supervisor,
    with_a_port,
)


@pytest.mark.parametrize("status", [EXIT_FAILED, EXIT_HOLE, 1, -signal.SIGKILL, -signal.SIGSEGV])
def test_a_worker_that_fails_is_started_again(status: int) -> None:
    assert Restarts().after(status, 1.0) == 0.5


@pytest.mark.parametrize("status", [0, EXIT_NEVER_AGAIN, COULD_NOT_RUN])
def test_a_clean_end_and_a_fault_that_no_start_cures_end_it(status: int) -> None:
    assert Restarts().after(status, 1.0) is None


def test_a_worker_that_ran_and_then_finds_no_kafka_is_started_again() -> None:
    restarts = Restarts()
    assert restarts.after(EXIT_FAILED, 5.0) is not None
    assert restarts.after(COULD_NOT_RUN, 8.0) is not None


def test_pauses_double_up_to_a_bound_and_begin_anew_after_a_steady_minute() -> None:
    restarts = Restarts()
    pauses = [restarts.after(EXIT_FAILED, 1.0) for _ in range(8)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert restarts.after(EXIT_FAILED, STEADY_AFTER_SECONDS) == 0.5


def test_holes_in_a_row_are_counted() -> None:
    restarts = Restarts()
    for status in (EXIT_HOLE, EXIT_HOLE, EXIT_HOLE):
        restarts.after(status, 1.0)
    assert restarts.holes == 3
    restarts.after(EXIT_FAILED, 1.0)
    assert restarts.holes == 0


def test_the_port_stays_the_same_over_restarts() -> None:
    settings = with_a_port(Settings(metrics_port=0))
    assert settings.metrics_port > 0
    assert with_a_port(settings) == settings


def test_a_worker_is_complained_of_where_it_says_so_or_falls_silent() -> None:
    now, answers = 0.0, iter([(0, ""), (200, "live\n"), (503, "stalled: it stands\n"), (0, ""), (0, "")])
    health = Health(lambda: next(answers), limit_seconds=60, clock=lambda: now)
    health.started()
    assert health.complaint() == ""  # not asked: only just started
    complaints = []
    for later in (ASK_EVERY_SECONDS, ASK_EVERY_SECONDS, ASK_EVERY_SECONDS, 60, 1 + ASK_EVERY_SECONDS):
        now += later
        complaints.append(health.complaint())
    # While it starts it does not answer, and that is no reason.
    assert complaints == ["", "", "stalled: it stands", "", "it has not answered for 66 s"]


def test_a_worker_that_does_not_get_on_is_killed_and_started_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    child = (
        "import pathlib, signal, sys, time\n"
        f"runs = pathlib.Path({str(runs)!r})\n"
        "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "time.sleep(0 if len(runs.read_text()) == 2 else 60)\n"
    )
    every_time_later = count(0, 2 * ASK_EVERY_SECONDS).__next__
    health = Health(lambda: (503, "stalled") if runs.exists() else (0, ""), limit_seconds=60, clock=every_time_later)
    pauses: list[float] = []
    assert Supervisor([sys.executable, "-c", child], dict(os.environ), pauses.append, health).run() == 0
    assert (runs.read_text(), len(pauses)) == ("xx", 1)


def test_sigterm_goes_to_the_child_which_ends_cleanly(tmp_path: Path) -> None:
    up, ended = tmp_path / "up", tmp_path / "ended"
    child = (
        "import pathlib, signal, sys, threading\n"
        "asked = threading.Event()\n"
        "signal.signal(signal.SIGTERM, lambda *_: asked.set())\n"
        f"pathlib.Path({str(up)!r}).touch()\n"
        "while not asked.wait(0.1): pass\n"
        f"pathlib.Path({str(ended)!r}).touch()\n"
    )

    def ask() -> None:
        deadline = time.monotonic() + 30
        while not up.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=ask).start()
    assert Supervisor([sys.executable, "-c", child], dict(os.environ)).run() == 0
    assert ended.exists()


def test_a_child_that_fails_is_run_until_it_ends_well(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    child = (
        f"import pathlib, sys; runs = pathlib.Path({str(runs)!r}); "
        "count = len(runs.read_text()) if runs.exists() else 0; runs.write_text('x' * (count + 1)); "
        "sys.exit([70, 71, 0][count])"
    )
    pauses: list[float] = []
    assert Supervisor([sys.executable, "-c", child], dict(os.environ), sleep=pauses.append).run() == 0
    assert runs.read_text() == "xxx"
    assert pauses == [0.5, 1.0]
