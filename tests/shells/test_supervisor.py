"""A worker that ends is started again, but where no start would help."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.shells.exits import COULD_NOT_RUN, EXIT_FAILED, EXIT_HOLE, EXIT_NEVER_AGAIN
from pipeline.shells.settings import Settings
from pipeline.shells.supervisor import LONGEST_PAUSE_SECONDS, STEADY_AFTER_SECONDS, Restarts, Supervisor, named


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


def test_name_and_port_stay_the_same_over_restarts() -> None:
    settings = named(Settings(metrics_port=0))
    assert settings.metrics_port > 0
    assert settings.instance.endswith(f"-{settings.metrics_port}")
    assert named(settings) == settings


def test_sigterm_goes_to_the_child_which_ends_cleanly(tmp_path: Path) -> None:
    up, ended = tmp_path / "up", tmp_path / "ended"
    child = (
        "import pathlib, signal, sys, threading\n"
        "asked = threading.Event()\n"
        "signal.signal(signal.SIGTERM, lambda *_: asked.set())\n"
        f"pathlib.Path({str(up)!r}).touch()\n"
        "asked.wait(30)\n"
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
