"""Which instants are written: every step of the relay's clock while records come, few where none do. Knows the timeline
and the clock, and nothing of records."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipeline.backfill.timeline import Timeline
from pipeline.records import SECOND

DAY: Final = 86_400 * SECOND
SILENT_AFTER: Final = 300 * SECOND
"""Where no record comes for longer than this, nothing is written but what is held: so long Prometheus shows a value
after its last sample."""
HELD_EVERY: Final = 240 * SECOND
"""What is held is written so often, that it is there all the time."""
HELD_FOR: Final = 30 * DAY
"""And for so long at most: a recording may lie still for years."""


@dataclass(slots=True)
class Clock:
    """Writes a timeline while the relay's clock goes on. All times are nanoseconds."""

    timeline: Timeline
    step: int
    held: frozenset[str]
    """Metrics whose values other than 0 stay true while nothing comes in: an open incident is open."""
    refresh: Callable[[], None]
    """Called before an instant is written: brings the timeline's gauges up to date."""
    span: tuple[int, int] | None = None
    """The first relay time and the latest; None before the first."""
    _next: int = 0
    """The instant that is written next: what is true at it is not known before the clock has passed it."""

    def reach(self, at: int) -> None:
        """A record's relay time, before the record is taken. Records that come late do not turn it back."""
        if self.span is None:
            self.span = at, at
            self._next = -(-at // self.step) * self.step
            # Everything is born before it counts, or the first thing counted would be no increase.
            self._write(self._next - self.step)
            return
        first, last = self.span
        if at - last > SILENT_AFTER:
            self._pass_silence(last, at)
        else:
            while self._next < at:
                self._write(self._next)
                self._next += self.step
        self.span = first, max(last, at)

    def end(self) -> None:
        """No more records come."""
        if self.span is not None:
            self._write(self._next)
            self.timeline.lapse(self._next + self.step)

    def _write(self, at: int) -> None:
        self.refresh()
        self.timeline.write(at)

    def _pass_silence(self, since: int, until: int) -> None:
        self._write(self._next)
        held_until = min(until - self.step, since + HELD_FOR)
        at = self._next + self.step
        self.timeline.lapse(at, keep=self.held)
        while at < held_until:
            self.timeline.repeat(at, self.held)
            at += HELD_EVERY
        if held_until < until - self.step:
            self.timeline.lapse(at)
        self._next = -(-until // self.step) * self.step
