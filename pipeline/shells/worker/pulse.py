"""Whether the worker gets on: what /live answers, and what its log says of /ready. Knows clocks and counts; knows
neither Kafka nor Faust."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

LOOP_LAG_OVER_SECONDS: Final = 15.0
_UNASSIGNED_TIMES: Final = 3
"""A rebalance waits for members that are gone, so being without partitions is borne longer."""


class _Mark(NamedTuple):
    since: float
    at: int
    """How far it was then."""


@dataclass(slots=True)
class Pulse:
    """Written by the event loop; `stalled` is asked from another thread, and only looks."""

    limit_seconds: float
    clock: Callable[[], float] = time.monotonic
    beat_at: float = 0.0
    """When the event loop last came round."""
    behind: dict[str, _Mark] = field(default_factory=dict)
    """Partition → since when records wait in it and none is taken."""
    without: _Mark | None = None
    """Since when no partition is assigned, or state is read back and no more of it comes."""
    _lags: deque[tuple[float, float]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.beat_at = self.clock()

    def beat(self, planned_seconds: float) -> float:
        """The event loop comes round, `planned_seconds` after it last did if it is on time. How late it was at most,
        lately, in seconds."""
        now = self.clock()
        self._lags.append((now, max(0.0, now - self.beat_at - planned_seconds)))
        while now - self._lags[0][0] > LOOP_LAG_OVER_SECONDS:
            self._lags.popleft()
        self.beat_at = now
        return max(lag for _, lag in self._lags)

    def looked(self, places: Mapping[str, tuple[int, int]]) -> None:
        """Each partition that is assigned → how many records wait in it, and how far the worker is in it."""
        for gone in self.behind.keys() - places.keys():
            del self.behind[gone]
        for place, (waiting, at) in places.items():
            known = self.behind.get(place)
            if not waiting:
                self.behind.pop(place, None)
            elif known is None or known.at != at:
                self.behind[place] = _Mark(self.clock(), at)

    def has_partitions(self, yes: bool, at: int) -> None:
        """`at`: how much state was read back so far."""
        if yes:
            self.without = None
        elif self.without is None or self.without.at != at:
            self.without = _Mark(self.clock(), at)

    def not_known(self) -> None:
        """Kafka does not answer: that no restart mends."""
        self.behind.clear()
        self.without = None

    def stalled(self) -> str:
        """What does not get on; empty while all does."""
        now = self.clock()
        if now - self.beat_at > self.limit_seconds:
            return f"stalled: the event loop has not come round for {now - self.beat_at:.0f} s"
        for place, mark in list(self.behind.items()):
            if now - mark.since > self.limit_seconds:
                return f"stalled: records wait in {place} and none was taken for {now - mark.since:.0f} s"
        without = self.without
        if without is not None and now - without.since > _UNASSIGNED_TIMES * self.limit_seconds:
            return f"stalled: for {now - without.since:.0f} s no partition has been assigned and no state read back"
        return ""


_UNREADY_SAID_AFTER_SECONDS: Final = 10.0
"""A rebalance takes a second or two, and is nothing to speak of."""


@dataclass(slots=True)
class Readiness:
    """What is worth a line in the log, of what /ready answers now."""

    clock: Callable[[], float] = time.monotonic
    said: str | None = None
    """None: nothing yet. Empty: that it is ready."""
    _reason: str = ""
    _since: float = 0.0

    def news(self, reason: str) -> str | None:
        """`reason`: why it is not ready, empty where it is. The same where it has to be said now, else None."""
        now = self.clock()
        if reason != self._reason:
            self._reason, self._since = reason, now
        lasts = now - self._since
        if reason == self.said or (reason and lasts < _UNREADY_SAID_AFTER_SECONDS):
            return None
        self.said = reason
        return reason
