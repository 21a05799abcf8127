"""Samples in the order of time, so that what is asked of them at every record is found without a walk over all of
them. Derived from a segment map, which it follows change by change: never stored, never joined. Knows no rule."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from heapq import heappop, heappush, heapreplace
from itertools import accumulate, chain
from typing import Any, NamedTuple

from pipeline.evidence.segments import Segment
from pipeline.mission.model import FlightState


class Values(NamedTuple):
    """One sample. None where the vehicle does not report it."""

    at: int
    """Relay receive time; of played back samples, on-board time."""
    spacecraft_time: int | None
    altitude: float | None
    climb_rate: float | None


class SampleKey(NamedTuple):
    boot: int | None
    phase: str | None
    state: FlightState | None
    landed: bool | None


class Entry:
    """One segment of samples."""

    __slots__ = ("_all", "_kept", "key", "order", "segment")

    def __init__(self, key: SampleKey, text: str, segment: Segment) -> None:
        self.key = key
        self.segment = segment
        self.order = (segment.first, segment.last, text)
        """By their beginning, then by their end, then by their key."""
        self._kept: tuple[Values, ...] | None = None
        self._all: tuple[Values, ...] | None = None

    def keep(self, all_of_them: tuple[Values, ...]) -> None:
        """Its samples, ascending, where more of them are there than the segment keeps."""
        self._all = all_of_them

    def kept(self, in_conflict: AbstractSet[int]) -> tuple[Values, ...]:
        """The samples that are kept of it, its first ones and its last ones, without those in conflict; ascending."""
        if self._kept is None and self._all is not None:
            self._kept = tuple([values for values in self._all if values.at not in in_conflict])
        if self._kept is None:
            first, last, *_ = self.segment.payload
            points = [*first, *((-at, *rest) for at, *rest in last)]
            points.sort(key=_at)
            self._kept = tuple([Values(*point) for point in points if point[0] not in in_conflict])
        return self._kept

    def forget(self) -> None:
        self._kept = None


class SampleLine:
    """The segments of some keys, in order."""

    __slots__ = ("_order", "_reaches", "entries")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._order: list[tuple[int, int, str]] = []
        self._reaches: list[int] = []
        """The latest instant of all segments up to each: where to begin to look for what comes after an instant."""

    def replace(self, gone: Sequence[Segment], come: Entry) -> None:
        """One segment instead of some of the same key."""
        order = come.order
        if len(gone) == 1 and self.entries[-1].segment is gone[0] and self._order[-2:-1] <= [order]:
            # At nearly every record: the last one goes on.
            self.entries[-1], self._order[-1] = come, order
            self._reaches[-1] = max((order[1], *self._reaches[-2:-1]))
            return
        low = len(self._order)
        for segment in gone:
            place = bisect_left(self._order, (segment.first, segment.last, order[2]))
            del self._order[place], self.entries[place]
            low = min(low, place)
        place = bisect_left(self._order, order)
        self._order.insert(place, order)
        self.entries.insert(place, come)
        low = max(0, min(low, place) - 1)
        lasts = (last for _, last, _ in self._order[low:])
        self._reaches[low:] = accumulate((*self._reaches[low - 1 : low], *lasts) if low else lasts, max)
        if low:
            del self._reaches[low]

    def cut(self, since: int) -> None:
        """Without the segments that begin at `since` or later."""
        place = bisect_left(self._order, (since,))
        del self.entries[place:], self._order[place:], self._reaches[place:]

    def append(self, entry: Entry) -> None:
        """One that begins after all others."""
        self._reaches.append(max((entry.order[1], *self._reaches[-1:])))
        self.entries.append(entry)
        self._order.append(entry.order)

    @property
    def reach(self) -> int:
        """The latest instant of all."""
        return self._reaches[-1] if self._reaches else -(1 << 62)

    def reaching(self, after: int, until: int | None = None) -> list[Entry]:
        """Those with an instant in (after, until], and perhaps some that end before it."""
        end = None if until is None else bisect_left(self._order, (until + 1,))
        return self.entries[bisect_right(self._reaches, after) : end]

    def samples(
        self, in_conflict: AbstractSet[int], after: int, until: int | None = None,
        wanted: Callable[[SampleKey], bool] | None = None,
    ) -> Iterator[Values]:  # fmt: skip
        """The kept samples in (after, until], ascending; those of one instant by their segments, each once."""
        waiting: list[tuple[int, int, int, tuple[Values, ...]]] = []
        """The next sample of each segment that was come to: instant, place, number among the kept ones, those."""
        given: set[Values] = set()
        at = after
        for place in chain(range(bisect_right(self._reaches, after), len(self.entries)), (None,)):
            while waiting and (place is None or waiting[0][0] <= self._order[place][0]):
                _, of, number, kept = waiting[0]
                values = kept[number]
                if number + 1 < len(kept) and (until is None or kept[number + 1].at <= until):
                    heapreplace(waiting, (kept[number + 1].at, of, number + 1, kept))
                else:
                    heappop(waiting)
                if values.at > at:
                    at = values.at
                    given.clear()
                if values not in given:
                    given.add(values)
                    yield values
            if place is None or (until is not None and self._order[place][0] > until):
                return
            entry = self.entries[place]
            if wanted is not None and not wanted(entry.key):
                continue
            kept = entry.kept(in_conflict)
            number = bisect_right(kept, after, key=_at)
            if number < len(kept) and (until is None or kept[number].at <= until):
                heappush(waiting, (kept[number].at, place, number, kept))

    def latest(
        self, in_conflict: AbstractSet[int], at: int,
        wanted: Callable[[SampleKey, Values], bool] = lambda key, values: True,
    ) -> tuple[SampleKey, Values] | None:  # fmt: skip
        """The latest kept and wanted sample not after `at`."""
        best: tuple[SampleKey, Values] | None = None
        for place in range(bisect_left(self._order, (at + 1,)) - 1, -1, -1):
            if best is not None and self._reaches[place] < best[1].at:
                break
            entry = self.entries[place]
            if best is None or entry.segment.last >= best[1].at:
                for values in entry.kept(in_conflict):
                    if values.at <= at and (best is None or values.at >= best[1].at) and wanted(entry.key, values):
                        best = entry.key, values
        return best

    def forget_conflicts(self) -> None:
        """Other samples are in conflict now."""
        for entry in self.entries:
            entry.forget()


def _at(point: tuple[Any, ...]) -> Any:
    return point[0]
