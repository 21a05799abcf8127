"""What the log says while a worker catches up: how many records wait, how fast they are taken, how long it will take.
Knows clocks and counts; does not know where they come from."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

logger = logging.getLogger(__name__)

SAY_EVERY_SECONDS: Final = 10.0
BEHIND_SECONDS: Final = 5.0
"""More work than this is a backlog; what comes in while a batch is in flight is none."""


class _Look(NamedTuple):
    when: float
    waiting: int
    at: int
    """How many records were taken then, counted from anywhere."""


@dataclass(slots=True)
class CatchUp:
    """Told of each look at a topic."""

    clock: Callable[[], float] = time.monotonic
    _said: dict[str, _Look] = field(default_factory=dict)
    """Topic → the look at which the log last told of a backlog."""
    _first: dict[str, _Look] = field(default_factory=dict)
    """Topic → the look from which its speed is reckoned, where nothing was told yet."""

    def looked(self, topic: str, waiting: int, at: int) -> None:
        """So many records of a topic wait, and this is how far the worker is."""
        now = _Look(self.clock(), waiting, at)
        before = self._said.get(topic) or self._first.setdefault(topic, now)
        seconds = now.when - before.when
        speed = (at - before.at) / seconds if seconds > 0 else 0.0
        if not waiting or waiting < speed * BEHIND_SECONDS:
            self._first.pop(topic, None)
            if self._said.pop(topic, None):
                logger.info("%s: caught up", topic)
        elif seconds >= (SAY_EVERY_SECONDS if topic in self._said else BEHIND_SECONDS):
            logger.info(
                "%s: %s records behind, %s/s, %s", topic, f"{waiting:,}", f"{speed:,.0f}", _left(before, now, seconds)
            )
            self._said[topic] = now


def _left(before: _Look, now: _Look, seconds: float) -> str:
    """By how fast the backlog itself gets less: records come in meanwhile."""
    fewer = (before.waiting - now.waiting) / seconds
    return f"about {now.waiting / fewer:,.0f} s left" if fewer > 0 else "and they get no fewer"
