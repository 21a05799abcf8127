"""Runs of counts: which frames of a channel came, in a few numbers a run.

A run is a stretch of frames with consecutive counts. Only its ends are kept, as received (count modulo M, time):
an unwrapped number made on arrival would depend on the order of arrival. What lies between two runs is reckoned
from both their counts and the time between them, when it is asked for.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from operator import sub
from typing import Final, NamedTuple

from pipeline.evidence.segments import Key, Touch
from pipeline.evidence.stretches import ends_of
from pipeline.records import SECOND

_JITTER: Final = 0.25
"""Of an interval: a frame that came so much early or late is still the frame of its turn."""

REPEATED_WITHIN: Final = SECOND
"""A count that two receivers report within this is that of one frame. Their clocks have to agree to less than the
interval between two frames where some are lost."""


class Run(NamedTuple):
    first: int
    """Relay receive time of its first frame."""
    first_count: int
    """Count of its first frame, modulo the channel's modulus."""
    last: int
    """Relay receive time of its last frame."""
    frames: int

    def last_count(self, modulus: int) -> int:
        return (self.first_count + self.frames - 1) % modulus

    def within(self, starts_at: int, ends_at: int, modulus: int) -> "Run | None":
        """The part of it in [starts_at, ends_at): exact where its frames are regular, since only its ends are known."""
        if self.first >= starts_at and self.last < ends_at:
            return self
        if self.last < starts_at or self.first >= ends_at:
            return None
        interval = (self.last - self.first) / max(1, self.frames - 1)
        skipped = max(0, ceil((starts_at - self.first) / interval - _JITTER)) if interval else 0
        kept = self.frames - skipped
        if self.last >= ends_at and interval:
            kept = min(kept, ceil((ends_at - self.first) / interval - _JITTER) - skipped)
        if kept <= 0:
            return None
        first = self.first + round(skipped * interval)
        return Run(first, (self.first_count + skipped) % modulus, first + round((kept - 1) * interval), kept)


def runs_in(times: Sequence[int], counts: Sequence[int], modulus: int, gap: int) -> Iterator[Run]:
    """Of frames in ascending time: a run goes on while the next count follows and no more than `gap` lies between."""
    if not times:
        return
    follows = (1, 1 - modulus)
    ahead = map(sub, counts[1:], counts)
    start = 0
    for end in sorted({*ends_of(times, gap), *(end for end, step in enumerate(ahead, 1) if step not in follows)}):
        yield Run(times[start], counts[start], times[end - 1], end - start)
        start = end


class Gap(NamedTuple):
    """What is missing between two runs of one channel."""

    after: int
    """Relay receive time of the last frame before it."""
    before: int
    """Relay receive time of the first frame after it."""
    missing: int
    missing_at_least: int
    ambiguous: bool
    unlike_time: bool
    """The counts do not agree with the time that passed: a restart or another discontinuity, not a loss."""


class Gaps:
    """The gaps between the runs of one key. Derived: what is forgotten is reckoned again from the runs."""

    __slots__ = ("_ends", "found", "modulus", "period", "unchanged")

    def __init__(self, modulus: int, period: float | None) -> None:
        self.modulus = modulus
        self.period = period
        self.found: list[Gap] = []
        self.unchanged = 0
        """How many of them are those that were there when this was last set to their number."""
        self._ends: list[int] = []
        """How many gaps there are up to the end of each pair of runs: two runs need not have one between them."""

    def follow(self, row: list[Run]) -> None:
        for place in range(len(self._ends), len(row) - 1):
            gap = _gap_between(row[place], row[place + 1], self.modulus, self.period)
            if gap is not None:
                self.found.append(gap)
            self._ends.append(len(self.found))

    def forget(self, pairs: int) -> None:
        """Keep what lies between the first so many pairs of runs."""
        if pairs < len(self._ends):
            kept = self._ends[pairs - 1] if pairs else 0
            del self._ends[pairs:], self.found[kept:]
            self.unchanged = min(self.unchanged, kept)


class Totals(NamedTuple):
    """Of all runs of one key."""

    span: int
    """Nanoseconds from the first frame to the last of each, together."""
    frames: int
    runs: int

    @property
    def period(self) -> float | None:
        """As `period_of` the runs."""
        intervals = self.frames - self.runs
        return self.span / intervals if intervals and self.span else None


_NONE: Final = Totals(0, 0, 0)


class RunMap:
    """(link, session, scid, vcid, live, modulus) → runs in ascending time."""

    __slots__ = ("_gaps", "_tolerances", "_touch", "gap", "runs", "totals")

    def __init__(self, gap: int, touch: Touch = lambda at: None) -> None:
        self.gap = gap
        """Consecutive counts further apart in time than this begin a new run: a whole cycle may lie between."""
        self.runs: dict[Key, list[Run]] = {}
        self.totals: dict[Key, Totals] = {}
        """What the runs of each key are together."""
        self._touch = touch
        self._gaps: dict[Key, Gaps] = {}
        self._tolerances: dict[Key, int] = {}

    def tolerate(self, key: Key) -> None:
        """From now on several receivers report the frames of this key: what was said of it begins anew."""
        self._tolerances[key] = REPEATED_WITHIN
        for of_key in (self.runs, self.totals, self._gaps):
            of_key.pop(key, None)

    def is_tolerant(self, key: Key) -> bool:
        return key in self._tolerances

    def add_frames(self, key: Key, modulus: int, times: Sequence[int], counts: Sequence[int]) -> None:
        """Join frames given in ascending time."""
        for run in runs_in(times, counts, modulus, self.gap):
            self.add(key, modulus, run)

    def add(self, key: Key, modulus: int, run: Run) -> None:
        row, tolerance = self.runs.setdefault(key, []), self._tolerances.get(key, 0)
        at = len(row) if not row or run.first >= row[-1].first else bisect_right(row, run.first, key=_first_of)
        # Join with what stands on the left and on the right for as long as the counts go on.
        low = at
        while low and (joined := self._join(row[low - 1], run, modulus, tolerance)) is not None:
            run, low = joined, low - 1
        high = at
        while high < len(row) and (joined := self._join(run, row[high], modulus, tolerance)) is not None:
            run, high = joined, high + 1
        if high - low == 1 and row[low] == run:
            return
        reached = row[low] if low < high else None
        span, frames, runs = self.totals.get(key, _NONE)
        for old in row[low:high]:
            self._touch(old.first)
            span -= old.last - old.first
            frames -= old.frames
        self.totals[key] = Totals(span + run.last - run.first, frames + run.frames, runs + 1 - (high - low))
        row[low:high] = [run]
        derived = self._gaps.get(key)
        if derived is not None:
            # Where only the end of a run moved, what lies before it is as it was.
            goes_on = reached is not None and reached[:2] == run[:2]
            derived.forget(low if goes_on else max(0, low - 1))
        self._touch(run.first)

    def _join(self, a: Run, b: Run, modulus: int, tolerance: int) -> Run | None:
        """The one run that two make, `a` not beginning after `b`; None where they are two. `tolerance`: so far apart
        in time two receivers may report one frame; 0 for a single receiver, which reports each frame once."""
        if b.first - a.last > self.gap:
            return None
        interval = (a.last - a.first) / max(1, a.frames - 1)
        ahead = (b.first_count - a.first_count) % modulus
        if b.first > a.last:
            # Less than half a cycle lies between: the count alone says which frame it is.
            ahead = a.frames - 1 + _signed(ahead - (a.frames - 1), modulus)
            if not tolerance and ahead != a.frames:
                return None
        else:
            # They overlap in time: the same frames again, in part or whole. A run longer than the modulus says the
            # same count more than once; the time tells which is meant.
            expected = (b.first - a.first) / interval if interval else 0.0
            ahead += modulus * round((expected - ahead) / modulus)
            if not tolerance and not 0 <= ahead < a.frames:
                return None
        if not -b.frames <= ahead <= a.frames:
            return None
        if tolerance and ahead < a.frames and abs(b.first - a.first - ahead * interval) > tolerance:
            return None
        first_count = a.first_count if ahead >= 0 else b.first_count
        return Run(a.first, first_count, max(a.last, b.last), max(a.frames, ahead + b.frames) - min(0, ahead))

    def gaps(self, key: Key, period: float | None) -> "Gaps":
        """As `gaps_of` of the key's runs; only what changed since the last call is reckoned again."""
        known = self._gaps.get(key)
        if known is None or known.period != period:
            known = self._gaps[key] = Gaps(key[-1], period)
        known.follow(self.runs.get(key, []))
        return known

    def merge(self, other: "RunMap") -> None:
        for key, row in other.runs.items():
            for run in row:
                self.add(key, key[-1], run)

    def between(self, starts_at: int, ends_at: int) -> Iterator[tuple[Key, Run]]:
        for key, row in self.runs.items():
            for run in row[bisect_right(row, starts_at - 1, key=_first_of) :]:
                if run.first >= ends_at:
                    break
                yield key, run


def _signed(difference: int, modulus: int) -> int:
    """A difference of counts as the nearest of forward and backward."""
    return (difference + modulus // 2) % modulus - modulus // 2


def _first_of(run: Run) -> int:
    return run.first


def period_of(runs: Iterable[Run]) -> float | None:
    """The mean interval between frames of consecutive counts, in nanoseconds; None where no run has two."""
    span = intervals = 0
    for run in runs:
        span += run.last - run.first
        intervals += run.frames - 1
    return span / intervals if intervals and span else None


def gaps_of(runs: list[Run], modulus: int, period: float | None) -> Iterator[Gap]:
    """What is missing between neighbouring runs (FORMATS.md, Counts). `period` in nanoseconds, None: unknown."""
    for a, b in pairwise(runs):
        if (gap := _gap_between(a, b, modulus, period)) is not None:
            yield gap


def _gap_between(a: Run, b: Run, modulus: int, period: float | None) -> Gap | None:
    elapsed = b.first - a.last
    ahead = (b.first_count - a.last_count(modulus)) % modulus
    if period is None:
        return Gap(a.last, b.first, max(0, ahead - 1), max(0, ahead - 1), True, False)
    # Look at time first: only within half a cycle does the count alone say which way it went.
    within_half = elapsed < modulus / 2 * period
    cycles = 0 if within_half else max(0, round((elapsed / period - ahead) / modulus))
    missing = ahead + cycles * modulus - 1
    if missing < 0:  # the same count again within half a cycle: a repetition, not a loss
        return None
    # A sender that paused goes on with the next counts, whatever the time; after more than half a cycle no count tells
    # anything but how many are missing at the least.
    near = ahead <= _window(modulus) or abs(ahead - elapsed / period) <= max(modulus / 4, 3e9 / period)
    late = ahead > modulus - max(16, modulus // 4)
    return Gap(a.last, b.first, missing, max(0, ahead - 1), cycles > 0, within_half and (late or not near))


def _window(modulus: int) -> int:
    """So far a count may go on for the frames between to be missing (FORMATS.md, W)."""
    return modulus // 4 if modulus <= 1024 else 65_536
