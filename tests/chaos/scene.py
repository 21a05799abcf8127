"""A namespace on a broker with its workers, and what can be done to them. Every action waits until it has happened, and
says in a line what it did."""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import tomli_w

from pipeline.shells.exits import EXIT_FENCED
from tests.chaos.stream import Stream
from tests.kafka.broker import MortalBroker
from tests.kafka.cluster import WorkerProcess, committed, process, wait_for

_SESSION_SECONDS: Final = 5.0
_STALLED_SECONDS: Final = 30.0
_ASLEEP_SECONDS: Final = _SESSION_SECONDS + 4.0
_LONG: Final = 120.0


@dataclass(slots=True)
class Scene:
    kafka: str
    namespace: str
    folder: Path
    mission_file: Path
    chance: random.Random
    broker: MortalBroker | None = None
    """Where it is one that may be killed."""
    spared: frozenset[str] = frozenset()
    """Workers to which nothing is done."""
    more: tuple[str, ...] = ()
    """What each worker is started with beside what all are."""
    workers: dict[str, WorkerProcess] = field(default_factory=dict)
    _stacks: dict[str, ExitStack] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """One worker under its supervisor."""
        stack = ExitStack()
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        command = [
            sys.executable, "-m", "tests.chaos.worker", "--kafka", self.kafka, "--namespace", self.namespace,
            "--mission", str(self.mission_file), "--instance", name, "--metrics-port", "0", *self.more,
            "--session-seconds", str(_SESSION_SECONDS), "--stalled-after", str(_STALLED_SECONDS),
        ]  # fmt: skip
        self.workers[name] = stack.enter_context(process(command, folder))
        self._stacks[name] = stack
        self.workers[name].wait_ready(_LONG)

    def end(self, name: str) -> None:
        """SIGTERM; it must end as asked."""
        running = self.workers.pop(name)
        assert running.end() == 0, running.text()
        self._stacks.pop(name).close()

    def end_all(self) -> None:
        for name in list(self.workers):
            self.end(name)

    def close(self) -> None:
        for stack in self._stacks.values():
            stack.close()

    # What is done to them.

    def kill(self) -> str:
        name = self._one()
        running = self.workers[name]
        starts = running.starts
        _until(lambda: _signalled(running.pid, signal.SIGKILL), f"{name} had no process to kill")
        wait_for(lambda: running.starts > starts, running.text, running, _LONG)
        return f"kill -9 of worker {name}"

    def kill_half_way(self) -> str:
        """While the broker does not answer: what is on its way then is written, or is not."""
        name = self._one()
        running = self.workers[name]
        starts = running.starts
        assert self.broker is not None
        with self.broker.paused():
            _until(lambda: _signalled(running.pid, signal.SIGKILL), f"{name} had no process to kill")
        wait_for(lambda: running.starts > starts, running.text, running, _LONG)
        return f"kill -9 of worker {name} while the broker was stopped"

    def terminate(self) -> str:
        name = self._one()
        self.end(name)
        self.start(name)
        return f"SIGTERM of worker {name}, and its next start"

    def join_and_leave(self) -> str:
        self.start("guest")
        seconds = self.chance.uniform(0, 3)
        time.sleep(seconds)
        self.end("guest")
        return f"worker guest joined, and left after {seconds:.1f} s"

    def sleep_and_wake(self) -> str:
        """Stopped for longer than its session, so that the guest gets its partitions, and woken."""
        self.start("guest")
        name = self._one()
        running = self.workers[name]
        pid, fenced = running.pid, running.fenced
        _until(lambda: _signalled(pid, signal.SIGSTOP), f"{name} had no process to stop")
        time.sleep(_ASLEEP_SECONDS)
        _signalled(pid, signal.SIGCONT)
        running.wait_ready(_LONG)
        time.sleep(1.0)
        running.wait_ready(_LONG)
        self.end("guest")
        ended = running.fenced > fenced
        said = f"which ended it (status {EXIT_FENCED})" if ended else "between two batches: it joined again"
        return f"SIGSTOP of worker {name} for {_ASLEEP_SECONDS:.0f} s, SIGCONT, {said}"

    def kill_broker(self, away_seconds: float | None = None) -> str:
        seconds = self.chance.uniform(0, 3) if away_seconds is None else away_seconds
        assert self.broker is not None
        self.broker.kill()
        time.sleep(seconds)
        self.broker.restart()
        return f"kill -9 of the broker, away for {seconds:.1f} s and its start"

    def taken(self, name: str, stage: str) -> float:
        """Records that this worker's process took in a stage."""
        return self.workers[name].metric("relay_records_taken_total", stage=stage) or 0

    def _one(self) -> str:
        return self.chance.choice(sorted(self.workers.keys() - self.spared - {"guest"}))

    def progress(self) -> int:
        """Records of `frames` that are done with, as Faust's commits tell a moment later."""
        offsets = asyncio.run(committed(self.kafka, self.namespace))
        return sum(offset for place, offset in offsets.items() if place.topic.endswith(".frames"))

    def wait_for_progress(self, records: int) -> None:
        logs = [running.log for running in self.workers.values()]
        wait_for(
            lambda: self.progress() >= records,
            lambda: f"no {records} records are done with: {[one.read_text(errors='replace')[-3000:] for one in logs]}",
            seconds=600,
        )


@contextmanager
def scene(
    kafka: str, namespace: str, folder: Path, stream: Stream, seed: int, broker: MortalBroker | None = None,
    **more: Any,
) -> Iterator[Scene]:  # fmt: skip
    """Without workers at first; those that are left are ended with it."""
    mission_file = folder / "mission.toml"
    mission_file.write_text(tomli_w.dumps(stream.mission_data))
    made = Scene(kafka, namespace, folder, mission_file, random.Random(seed), broker, **more)
    try:
        yield made
    finally:
        made.close()


def _signalled(pid: int, sent: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sent)
        return True
    return False


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    wait_for(condition, lambda: otherwise, seconds=_LONG)
