"""A broker that can be killed outright and started again over its data, as the bad day of a cluster has it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipeline.shells.kafka.local import Broker, Extras, start_broker

_STARTED: Final = b"Kafka Server started"
_SECONDS: Final = 90.0
# One that was killed is let in again when the controller, the same process, waits no longer for the one before.
_SOON_BACK: Final = Extras(properties={"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"})


class MortalBroker:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._command = Path(f"/proc/{broker.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        self._starts = 1

    @property
    def bootstrap(self) -> str:
        return self._broker.bootstrap

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, no client is told."""
        os.kill(self._broker.pid, signal.SIGKILL)
        self._wait(lambda: not self._broker.is_running(), "the broker did not die")

    def restart(self) -> None:
        """On the same ports, with the same data; back when it answers."""
        with self._broker.log.open("ab") as log:
            process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        # Reaped by `Broker`, which knows it by its number.
        process.returncode = 0
        self._broker = replace(self._broker, pid=process.pid)
        self._starts += 1
        self._wait(self._answers, "the broker did not come back")

    @contextmanager
    def paused(self, seconds: float = 0.1) -> Iterator[None]:
        """SIGSTOP for the length of the block and a moment before it: requests arrive, and none is answered."""
        os.kill(self._broker.pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
            yield
        finally:
            os.kill(self._broker.pid, signal.SIGCONT)

    def stop(self) -> None:
        self._broker.stop()

    def _answers(self) -> bool:
        if self._broker.log.read_bytes().count(_STARTED) < self._starts:
            assert not self._has_ended(), self._broker.log.read_text(errors="replace")[-3000:]
            return False
        host, port = self.bootstrap.split(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1.0):
            return True
        return False

    def _has_ended(self) -> bool:
        """By its number alone: while it begins, its command line, by which `Broker` knows it, can be empty."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._broker.pid, os.WNOHANG)
        return not Path(f"/proc/{self._broker.pid}").exists()

    def _wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while not condition():
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.05)


@contextmanager
def mortal_broker() -> Iterator[MortalBroker]:
    """One that nobody else uses, for the length of the block."""
    broker = MortalBroker(start_broker(extras=_SOON_BACK))
    try:
        yield broker
    finally:
        broker.stop()
