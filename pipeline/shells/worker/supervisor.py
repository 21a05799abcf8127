"""Keeps a worker running: starts it as a child process and starts it again when it ends, but where it ended as asked
or says that no restart helps, and kills it where it does not get on. Knows processes, exit statuses and /live; knows no
Kafka."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import FrameType
from typing import Final

from pipeline.shells.exits import COULD_NOT_RUN, EXIT_HOLE, EXIT_NEVER_AGAIN
from pipeline.shells.settings import Settings
from pipeline.shells.worker.instance import named
from pipeline.shells.worker.logs import log_to_stderr
from pipeline.shells.worker.open_files import check_open_files
from pipeline.shells.worker.process import ask

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
STEADY_AFTER_SECONDS: Final = 60.0
"""A worker that ran so long is not failing at its start: the pauses begin anew."""
_STOP_SECONDS: Final = 30.0
_HOLES_NAMED_AFTER: Final = 3
ASK_EVERY_SECONDS: Final = 5.0


@dataclass(slots=True)
class Restarts:
    """Whether and when to start again. Knows no process and no clock."""

    pause: float = FIRST_PAUSE_SECONDS
    holes: int = 0
    was_steady: bool = False

    def after(self, status: int, ran_seconds: float) -> float | None:
        """Seconds to wait before the next start; None: never again. `status` is negative for a signal."""
        if status in (0, EXIT_NEVER_AGAIN) or (status == COULD_NOT_RUN and not self.was_steady):
            return None
        self.holes = self.holes + 1 if status == EXIT_HOLE else 0
        if ran_seconds >= STEADY_AFTER_SECONDS:
            self.pause = FIRST_PAUSE_SECONDS
        # What ended otherwise than by saying that it cannot run has been running.
        self.was_steady = True
        pause, self.pause = self.pause, min(2 * self.pause, LONGEST_PAUSE_SECONDS)
        return pause


def supervise(settings: Settings) -> int:
    """Run a worker until it ends as asked. The exit status of `relaywatch worker`."""
    log_to_stderr(settings.log_level_number, settings.log_format)
    check_open_files()
    settings = with_a_port(named(settings))
    command = [sys.executable, "-m", "pipeline.shells.cli", "worker", "--no-supervisor", "--supervised"]
    health = Health(lambda: ask(settings, "/live"), settings.stalled_after)
    return Supervisor(command, {**os.environ, **settings.environment()}, health=health).run()


def with_a_port(settings: Settings) -> Settings:
    """With a port that stays the same over restarts."""
    if settings.metrics_port:
        return settings
    # An address that is not of this machine is the worker's to complain of, in its own words.
    with suppress(OSError), socket.socket() as any_free:
        any_free.bind((settings.metrics_host, 0))
        return replace(settings, metrics_port=any_free.getsockname()[1])
    return settings


@dataclass(slots=True)
class Health:
    """Asks a worker now and then whether it gets on."""

    ask: Callable[[], tuple[int, str]]
    """(HTTP status, text) of its /live; status 0 where it does not answer."""
    limit_seconds: float
    """So long it may give no answer, once it has given one."""
    clock: Callable[[], float] = time.monotonic
    asked_at: float = 0.0
    answered_at: float | None = None

    def started(self) -> None:
        self.asked_at, self.answered_at = self.clock(), None

    def complaint(self) -> str:
        """Why the worker has to be started again; empty while it does well, or was asked only just now."""
        now = self.clock()
        if now - self.asked_at < ASK_EVERY_SECONDS:
            return ""
        self.asked_at = now
        status, text = self.ask()
        if status:
            self.answered_at = self.clock()
            return text.strip() if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
        silent = 0.0 if self.answered_at is None else self.clock() - self.answered_at
        return f"it has not answered for {silent:.0f} s" if silent > self.limit_seconds else ""


class Supervisor:
    def __init__(
        self, command: Sequence[str], environment: dict[str, str], sleep: Callable[[float], None] = time.sleep,
        health: Health | None = None,
    ) -> None:  # fmt: skip
        self.command, self.environment, self.sleep, self.health = command, environment, sleep, health
        self.child: subprocess.Popen[bytes] | None = None
        self.asked = False

    def run(self) -> int:
        before = {sent: signal.signal(sent, self._pass_on) for sent in (signal.SIGTERM, signal.SIGINT)}
        try:
            return self._run()
        finally:
            for sent, handler in before.items():
                signal.signal(sent, handler)

    def _run(self) -> int:
        restarts = Restarts()
        while not self.asked:
            started_at = time.monotonic()
            self.child = subprocess.Popen(self.command, env=self.environment)
            logger.info("worker process %d started", self.child.pid)
            if self.asked:
                self.child.terminate()
            status = self._wait(self.child)
            if self.asked:
                break
            pause = restarts.after(status, time.monotonic() - started_at)
            if pause is None:
                return COULD_NOT_RUN if status else 0
            logger.warning("worker ended with %s; starting again in %.1f s", _said(status), pause)
            if restarts.holes >= _HOLES_NAMED_AFTER:
                logger.error(
                    "%d times in a row a record was not delivered: see the worker's lines above for which one; "
                    "the log of that partition needs a look",
                    restarts.holes,
                )
            self.sleep(pause)
        return 0

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        asked_at: float | None = None
        if self.health is not None:
            self.health.started()
        while True:
            try:
                return child.wait(0.2)
            except subprocess.TimeoutExpired:
                if self.asked and asked_at is None:
                    asked_at = time.monotonic()
                if asked_at is not None and time.monotonic() - asked_at > _STOP_SECONDS:
                    logger.error("the worker did not end within %.0f s; killing it", _STOP_SECONDS)
                    child.kill()
                if self.health is not None and asked_at is None and (complaint := self.health.complaint()):
                    # Killed, not asked: it does not get on. What it was about to write is made again from the state.
                    logger.error("the worker does not get on (%s); killing it", complaint)
                    child.kill()

    def _pass_on(self, sent: int, frame: FrameType | None) -> None:
        self.asked = True
        if self.child is not None:
            self.child.send_signal(sent)


def _said(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
