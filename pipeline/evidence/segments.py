"""The segment map: key to stretches of time. The one join nearly all evidence is made of.

A stretch [first, last] stands for the union of [t, t + gap] over the instants t that were seen: two stretches at
most `gap` apart are one. So a silence longer than `gap` keeps its two ends to the nanosecond, a shorter one
vanishes, and neither the order in which instants came nor how often matters.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

POINTS_KEPT: Final = 5
"""A segment keeps this many of the smallest points: the resume rule needs the fifth frame."""

Point = tuple[Any, ...]
Points = tuple[Point, ...]
"""Different ones, ascending (`smallest`)."""

Payload = tuple[Points, ...]
"""Some bounded sets of points; each keeps its `POINTS_KEPT` smallest, and that is its join."""

Key = Any
"""A tuple of texts, numbers, booleans and None: what one row of a map is about."""

Touch = Callable[[int], None]
"""Told the instant at which a changed item is stored (its `first`)."""


class Segment(NamedTuple):
    first: int
    last: int
    payload: Payload = ()


def _total_order(point: Point) -> tuple[tuple[bool, Any], ...]:
    return tuple((part is not None, 0 if part is None else part) for part in point)


def smallest(points: Iterable[Point]) -> Points:
    """The `POINTS_KEPT` smallest different points in ascending order; an absent value (None) comes first."""
    different = set(points)
    try:
        return tuple(sorted(different)[:POINTS_KEPT])
    except TypeError:  # two points differ first where one has no value
        return tuple(sorted(different, key=_total_order)[:POINTS_KEPT])


def join_payloads(a: Payload, b: Payload) -> Payload:
    if a == b:
        return a
    return tuple([_join_points(x, y) for x, y in zip(a, b, strict=True)])  # a list is faster than a generator here


def _join_points(a: Points, b: Points) -> Points:
    if a == b or not b:
        return a
    # Nearly always all of one lie before all of the other. The first part of a point is always a number.
    if not a or b[-1][0] < a[0][0]:
        return (b + a)[:POINTS_KEPT]
    if a[-1][0] < b[0][0]:
        return a if len(a) == POINTS_KEPT else (a + b)[:POINTS_KEPT]
    return smallest(a + b)


def of_frames(points: Iterable[Point]) -> Points:
    """The `POINTS_KEPT` smallest points of different frames, ascending: of several with one instant, so of one frame,
    the greatest, which is the later on board."""
    found: dict[Any, Point] = {}
    for point in points:
        known = found.get(point[0])
        if known is None or _total_order(point) > _total_order(known):
            found[point[0]] = point
    return tuple([found[instant] for instant in sorted(found)[:POINTS_KEPT]])


def join_samples(a: Payload, b: Payload) -> Payload:
    """Of samples: the earliest, the latest, the highest and those received first. Frames are counted, never samples."""
    if a == b:
        return a
    first, last, highest, received = zip(a, b, strict=True)
    return (
        _join_frames(*first), _join_frames(*last), _join_points(*highest), _join_frames(*received),
    )  # fmt: skip


def _join_frames(a: Points, b: Points) -> Points:
    if a and b and a[0][0] <= b[-1][0] and b[0][0] <= a[-1][0]:
        return of_frames(a + b)
    return _join_points(a, b)


Join = Callable[[Payload, Payload], Payload]

Follow = Callable[[Key, Sequence[Segment], Segment], None]
"""Told the key, the segments that are no more, and the one that is there instead."""


class SegmentMap:
    """Key → segments in ascending order, none within `gap` of its neighbour."""

    __slots__ = ("_follow", "_join", "_touch", "gap", "segments")

    def __init__(
        self, gap: int, touch: Touch = lambda at: None, follow: Follow = lambda key, gone, come: None,
        join: Join = join_payloads,
    ) -> None:  # fmt: skip
        self.gap = gap
        self._join = join
        self.segments: dict[Key, list[Segment]] = {}
        self._touch = touch
        self._follow = follow

    def add(self, key: Key, first: int, last: int, payload: Payload = ()) -> None:
        """Join one stretch into the map."""
        row = self.segments.get(key)
        if row is None:
            self.segments[key] = [Segment(first, last, payload)]
            self._touch(first)
            self._follow(key, (), self.segments[key][0])
            return
        newest = row[-1]
        if newest.first <= first <= newest.last + self.gap:
            # What nearly every stretch does: it goes on with the latest one, and reaches no other.
            joined = Segment(newest.first, max(last, newest.last), self._join(newest.payload, payload))
            if joined != newest:
                row[-1] = joined
                self._touch(newest.first)
                self._follow(key, (newest,), joined)
            return
        # `low` … `high` are the segments that the new stretch reaches.
        high = len(row) if last + self.gap >= row[-1].first else bisect_right(row, last + self.gap, key=_first_of)
        low = high
        while low and row[low - 1].last + self.gap >= first:
            low -= 1
        reached = row[low:high]
        joined = Segment(first, last, payload)
        for old in reached:
            joined = Segment(
                min(old.first, joined.first), max(old.last, joined.last), self._join(old.payload, joined.payload)
            )
        if len(reached) == 1 and joined == reached[0]:
            return
        row[low:high] = [joined]
        self._touch(joined.first)
        for old in reached:
            if old.first != joined.first:
                self._touch(old.first)
        self._follow(key, reached, joined)

    def of(self, key: Key) -> list[Segment]:
        return self.segments.get(key, [])

    def merge(self, other: "SegmentMap") -> None:
        for key, row in other.segments.items():
            for segment in row:
                self.add(key, *segment)

    def items(self) -> Iterator[tuple[Key, Segment]]:
        for key, row in self.segments.items():
            for segment in row:
                yield key, segment

    def between(self, starts_at: int, ends_at: int) -> Iterator[tuple[Key, Segment]]:
        """The segments that begin in [starts_at, ends_at): what one storage chunk holds."""
        for key, row in self.segments.items():
            for place in range(bisect_right(row, starts_at - 1, key=_first_of), len(row)):
                if row[place].first >= ends_at:
                    break
                yield key, row[place]


def _first_of(segment: Segment) -> int:
    return segment.first


def fuse(segments: Iterable[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """The union of some stretches of time, joined where they are at most `gap` apart."""
    fused: list[tuple[int, int]] = []
    for first, last in sorted(segments):
        if fused and first - fused[-1][1] <= gap:
            if last > fused[-1][1]:
                fused[-1] = (fused[-1][0], last)
        else:
            fused.append((first, last))
    return fused
