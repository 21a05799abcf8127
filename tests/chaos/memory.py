"""How much memory a worker's process holds over time, and whether it grows."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_EVERY_SECONDS: Final = 1.0
_RESIDENT: Final = "VmRSS:"


class Sample(NamedTuple):
    at: float
    pid: int
    mebibytes: float


class Growth(NamedTuple):
    minutes: float
    """How long the process was looked at."""
    early: float
    """What it held at least in the second quarter of the time, MiB: the first is warming up. What is free is given back
    once a minute, so that what it holds rises and falls; what stays is what a leak would make more."""
    late: float
    """The same of the last quarter."""
    most: float
    """What it ever held."""


class Memory(threading.Thread):
    """Looks once a second at the process that `pid` names then."""

    def __init__(self, pid: Callable[[], int]) -> None:
        super().__init__(daemon=True)
        self._pid, self._done = pid, threading.Event()
        self.samples: list[Sample] = []

    def run(self) -> None:
        while not self._done.wait(_EVERY_SECONDS):
            with suppress(OSError, StopIteration):
                pid = self._pid()
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                resident = next(line for line in lines if line.startswith(_RESIDENT))
                self.samples.append(Sample(time.monotonic(), pid, int(resident.split()[1]) / 1024))

    def end(self) -> None:
        self._done.set()
        self.join()


def growth(samples: list[Sample]) -> Growth:
    """Of the process that lived longest."""
    [(longest, _)] = Counter(one.pid for one in samples).most_common(1)
    ours = [one for one in samples if one.pid == longest]
    quarter = len(ours) // 4
    return Growth(
        (ours[-1].at - ours[0].at) / 60,
        _least(ours[quarter : 2 * quarter]),
        _least(ours[3 * quarter :]),
        max(one.mebibytes for one in ours),
    )


def _least(samples: list[Sample]) -> float:
    """But for the odd one: a twentieth of them are lower."""
    return statistics.quantiles((one.mebibytes for one in samples), n=20)[0]
