"""The columns of one record, cut into stretches of time: each with all that the maps keep of it. Knows what a segment
holds; knows no map, and no record but by its columns."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import itemgetter, neg
from typing import Any

from pipeline.evidence.segments import POINTS_KEPT, Key, Point, Points, Segment, of_frames, smallest
from pipeline.records import SECOND
from pipeline.telemetry import Samples

Column = Sequence[Any]
Rows = Sequence[Column]
"""Columns of one length, in ascending order of the first, which is that of instants."""


def ends_of(times: Sequence[int], gap: int) -> list[int]:
    """The places at which instants in ascending order end a stretch: where the next comes more than `gap` later, and
    the last."""
    ends: list[int] = []
    at = 0
    while times[-1] - times[at] > gap:
        # No step between two instants is longer than `gap` where they themselves are not further apart.
        reached = bisect_right(times, times[at] + gap, at) - 1
        if reached == at:
            reached += 1
            ends.append(reached)
        at = reached
    return [*ends, len(times)]


def instants(times: Sequence[int], gap: int) -> Iterator[Segment]:
    """Stretches of instants in ascending order, with the smallest of each as the only payload."""
    if len(times) < 2:
        for at in times:
            yield Segment(at, at, (((at,),),))
        return
    start = 0
    for end in ends_of(times, gap):
        yield Segment(times[start], times[end - 1], (_earliest(zip(times[start:end], strict=True)),))
        start = end


def rows_of(samples: Samples) -> Rows:
    """Instants, on the clock by which they are placed; the other clock; altitude; climb rate; and what is part of the
    key: boot count, phase, state, landed."""
    at, other = samples.times, samples.spacecraft_times
    values = samples.altitudes, samples.climb_rates
    key = samples.boot_counts, samples.phases, samples.states, samples.landed
    if samples.live:
        return _ascending((at, other, *values, *key))
    # On the on-board clock: a value without it cannot be placed.
    return _ascending(_where_there(other, (other, at, *values, *key)))


def sample_stretches(rows: Rows, gap: int, *, live: bool) -> Iterator[tuple[Key, Segment]]:
    """Kept of each: the earliest, the latest and the highest samples; of played back ones those too that were received
    first."""
    if len(rows[0]) == 1:  # a frame a record is the dearest, a frame at a time
        ((at, other, altitude, rate, *key),) = zip(*rows, strict=True)
        yield tuple(key), Segment(at, at, (
            ((at, other, altitude, rate),), ((-at, other, altitude, rate),),
            () if altitude is None else ((-altitude, at),), () if live else ((other, at),),
        ))  # fmt: skip
        return
    for key, columns in _by_key(rows[:4], rows[4:]):
        start = 0
        for end in ends_of(columns[0], gap):
            at, other, altitude, rate = (column[start:end] for column in columns)
            highest = _lowest(altitude, at, highest=True)
            received = () if live else of_frames(sorted(zip(*_where_there(other, (other, at)), strict=True)))
            first, last = _of_frames(at, other, altitude, rate)
            yield key, Segment(at[0], at[-1], (first, last, highest, received))
            start = end


def clock_stretches(rows: Rows, gap: int) -> Iterator[tuple[Key, Segment]]:
    """Of live samples, by boot count and whole seconds that the on-board clock was ahead of the relay's. Kept of each:
    the earliest, the latest and those furthest on the on-board clock."""
    at, onboard, _, _, boot, *_ = rows
    if len(at) == 1:
        if onboard[0] is not None:
            yield (boot[0], (onboard[0] - at[0]) // SECOND), Segment(at[0], at[0], (
                ((at[0], onboard[0]),), ((-at[0], onboard[0]),), ((-onboard[0], at[0]),)
            ))  # fmt: skip
        return
    at, onboard, boot = _where_there(onboard, (at, onboard, boot))
    ahead = [(said - heard) // SECOND for said, heard in zip(onboard, at, strict=True)]
    for key, columns in _by_key((at, onboard), (boot, ahead)):
        start = 0
        for end in ends_of(columns[0], gap):
            at, onboard = (column[start:end] for column in columns)
            yield key, Segment(at[0], at[-1], (*_ends(at, onboard), _lowest(onboard, at, highest=True)))
            start = end


def _by_key(rows: Rows, key: Rows) -> Iterator[tuple[Key, Rows]]:
    """The rows of each key, found column by column: nearly every one says the same all along."""
    if not key:
        yield (), rows
        return
    column, *others = key
    if column and column.count(column[0]) == len(column):
        for rest, columns in _by_key(rows, others):
            yield (column[0], *rest), columns
        return
    for value in dict.fromkeys(column):
        there = [one == value for one in column]
        for rest, columns in _by_key(_those(there, rows), _those(there, others)):
            yield (value, *rest), columns


def _where_there(column: Column, rows: Rows) -> Rows:
    """The rows in which the column has a value."""
    return _those([value is not None for value in column], rows) if None in column else rows


def _those(there: list[bool], rows: Rows) -> Rows:
    return [tuple(compress(column, there)) for column in rows]


def _ascending(rows: Rows) -> Rows:
    """By the first column; rows of one instant stay in their order."""
    times = rows[0]
    if sorted(times) == list(times):
        return rows
    return list(zip(*sorted(zip(*rows, strict=True), key=itemgetter(0)), strict=True))


def _ends(*columns: Column) -> tuple[Points, Points]:
    """The earliest points, and the latest with their instants negated."""
    at, *others = map(reversed, columns)
    return _earliest(zip(*columns, strict=True)), _earliest(zip(map(neg, at), *others, strict=True))


def _of_frames(*columns: Column) -> tuple[Points, Points]:
    """As `_ends`, a point a frame."""
    at = columns[0]
    few = POINTS_KEPT
    while few < len(at) and len(set(at[:few])) < POINTS_KEPT:
        few *= 2
    first = zip(*(column[:few] for column in columns), strict=True)
    few = POINTS_KEPT
    while few < len(at) and len(set(at[-few:])) < POINTS_KEPT:
        few *= 2
    instants, *others = (column[-few:] for column in columns)
    return of_frames(first), of_frames(zip(map(neg, instants), *others, strict=True))


def _earliest(points: Iterable[Point]) -> Points:
    """The smallest of points in ascending order of their instants: no further is looked than to the fifth instant."""
    found: set[Point] = set()
    at = None
    for point in points:
        if len(found) >= POINTS_KEPT and point[0] != at:
            break
        found.add(point)
        at = point[0]
    return smallest(found)


def _lowest(values: Column, times: Column, *, highest: bool = False) -> Points:
    """The smallest points (value, instant), where there is a value, of rows in ascending order of time; or those of the
    highest values, which stand negated."""
    values, times = _where_there(values, (values, times))
    found: dict[tuple[Any, int], None] = {}
    # The sort leaves rows of equal values in their order, which is that of time.
    for place in sorted(range(len(values)), key=values.__getitem__, reverse=highest):
        found[-values[place] if highest else values[place], times[place]] = None
        if len(found) == POINTS_KEPT:
            break
    return tuple(found)
