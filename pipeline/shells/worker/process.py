"""A supervised worker as a child process: started, waited for until it is ready, and ended with all that it started.
Knows processes and the worker's HTTP addresses; knows no Kafka."""

import asyncio
import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import RelayWatchError
from pipeline.shells.settings import Settings

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.1
_GONE_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 5.0
_LINES_SHOWN: Final = 3


class WorkerError(RelayWatchError):
    """A worker that did not come up, or ended by itself."""


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    process: subprocess.Popen[bytes]
    """The supervisor; the worker is its child, and both are a process group of their own."""
    settings: Settings
    log: Path

    @property
    def metrics_address(self) -> str:
        return f"http://{self.settings.metrics_host}:{self.settings.metrics_port}/metrics"

    async def wait_until_ready(self) -> None:
        """Raises WorkerError, with the end of its log, where it ends or is not ready in time."""
        deadline = time.monotonic() + START_SECONDS
        while (answer := await asyncio.to_thread(self.ask, "/ready"))[0] != http.client.OK:
            self._check_runs()
            if time.monotonic() > deadline:
                reason = answer[1].strip() or "it does not answer"
                raise WorkerError(f"the worker is not ready after {START_SECONDS:.0f} s: {reason}; {self.end_of_log()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def watch(self) -> None:
        """Does not return. Raises WorkerError when the supervisor ends."""
        while True:
            self._check_runs()
            await asyncio.sleep(_POLL_SECONDS)

    def ask(self, path: str) -> tuple[int, str]:
        return ask(self.settings, path)

    def stop(self) -> None:
        """SIGTERM to the supervisor, which it passes on; after STOP_SECONDS SIGKILL to the whole group."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            # The worker was the supervisor's child, not ours: that it is gone can only be asked.
            deadline = time.monotonic() + _GONE_SECONDS
            while time.monotonic() < deadline:
                os.killpg(self.process.pid, 0)
                time.sleep(_POLL_SECONDS)

    def _check_runs(self) -> None:
        if self.process.poll() is not None:
            raise WorkerError(f"the worker ended with exit status {self.process.returncode}; {self.end_of_log()}")

    def end_of_log(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return f"its log ends: {' | '.join(lines[-_LINES_SHOWN:])}" if lines else "it has logged nothing"


def ask(settings: Settings, path: str) -> tuple[int, str]:
    """(HTTP status, text) of one of a worker's pages; (0, "") where it does not answer."""
    connection = http.client.HTTPConnection(settings.metrics_host, settings.metrics_port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


@contextmanager
def worker_process(settings: Settings, log: Path) -> Iterator[WorkerProcess]:
    """A worker for the length of the block; what it logs goes to the file `log`."""
    with log.open("wb") as written:
        # A group of its own: a Ctrl-C at the terminal is ours to handle.
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.shells.cli", "worker"],
            stdin=subprocess.DEVNULL, stdout=written, stderr=written, start_new_session=True,
            env={**os.environ, **settings.environment()},
        )  # fmt: skip
    worker = WorkerProcess(process, settings, log)
    try:
        yield worker
    finally:
        worker.stop()
