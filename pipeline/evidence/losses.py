"""Where frames that were due did not come: the gaps of one channel → stretches of heavy loss. Derived from runs of
counts, so never stored and never joined; knows no flight.

It goes on where it stopped: only the gaps that changed since it was last asked are looked at again, since a verdict
is taken after every record and a flight can have thousands of gaps."""

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.evidence.runs import Gap

_MARK_EVERY: Final = 64


class Stretch(NamedTuple):
    """Frames kept being missed; each `until` is less than `apart` after the one before."""

    first: int
    """When at least the share of the frames due in the window before had not come."""
    until: int
    """When that was last so."""
    missing: int
    """Of the window up to `first`."""
    due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Nanoseconds, and shares of one."""

    period: float
    window: int
    silence: int
    """Consecutive missing frames over more than this are a silence, and count neither as missing nor as due."""
    missing_share: float
    due_share: float
    """Of the window's frames at least so many must be due."""
    apart: int


class _Mark(NamedTuple):
    gaps: int
    stretches: tuple[Stretch, ...]
    missing: tuple[int, ...]
    quiet: tuple[tuple[int, int], ...]


class HeavyLoss:
    """The stretches of one channel; ask with all of its gaps, each time."""

    __slots__ = ("_gaps", "_marks", "_missing", "_quiet", "_stretches", "measure")

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self._gaps: list[Gap] = []
        """The gaps taken so far."""
        self._stretches: list[Stretch] = []
        self._missing: deque[int] = deque()
        self._quiet: deque[tuple[int, int]] = deque()
        self._marks: list[_Mark] = []
        """What it was after every 64th gap: to go back to where something changed."""

    def stretches(self, gaps: list[Gap], unchanged: int) -> list[Stretch]:
        """All stretches. `unchanged`: so many of the gaps are those of the last time."""
        if unchanged < len(self._gaps):
            self._go_back(unchanged)
        for gap in gaps[len(self._gaps) :]:
            if len(self._gaps) % _MARK_EVERY == 0:
                mark = _Mark(len(self._gaps), tuple(self._stretches[-1:]), tuple(self._missing), tuple(self._quiet))
                self._marks.append(mark)
            self._gaps.append(gap)
            self._take(gap)
        return self._stretches

    def _go_back(self, unchanged: int) -> None:
        while len(self._marks) > 1 and self._marks[-1].gaps > unchanged:
            self._marks.pop()
        mark = self._marks.pop()
        replayed = self._gaps[mark.gaps : unchanged]
        del self._gaps[mark.gaps :]
        last = mark.stretches[-1] if mark.stretches else None
        self._stretches = [one for one in self._stretches if last is not None and one.first < last.first]
        self._stretches += mark.stretches
        self._missing, self._quiet = deque(mark.missing), deque(mark.quiet)
        self._marks.append(mark)
        for gap in replayed:
            self._gaps.append(gap)
            self._take(gap)

    def _take(self, gap: Gap) -> None:
        measure = self.measure
        if gap.unlike_time or gap.before - gap.after - measure.period > measure.silence:
            self._quiet.append((gap.after, gap.before))
            return
        interval = (gap.before - gap.after) / (gap.missing + 1)
        for number in range(1, gap.missing + 1):
            at = gap.after + round(number * interval)
            since = at - measure.window
            self._missing.append(at)
            while self._missing[0] <= since:
                self._missing.popleft()
            while self._quiet and self._quiet[0][1] <= since:
                self._quiet.popleft()
            silent = sum(min(at, last) - max(since, first) for first, last in self._quiet)
            missing, due = len(self._missing), round((measure.window - silent) / measure.period)
            enough = due >= measure.due_share * measure.window / measure.period
            if enough and measure.missing_share * due <= missing < due:
                self._heavy(at, missing, due)

    def _heavy(self, at: int, missing: int, due: int) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last is not None and at - last.until < self.measure.apart:
            self._stretches[-1] = last._replace(until=at)
        else:
            self._stretches.append(Stretch(at, at, missing, due))
