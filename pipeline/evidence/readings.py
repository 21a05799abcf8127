"""What was said at which instant, thinned to a grid of time: of each key and cell the earliest and the latest point.
The join takes the earlier and the later of two, cell by cell, so neither order nor repetition matters. Knows no
message."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from heapq import merge
from typing import Final

from pipeline.evidence.segments import Key, Point

CELL: Final = 500_000_000
"""Nanoseconds: nothing that is asked of a word needs it twice as often."""

Follow = Callable[[int], None]
"""Told the instant of a point that is new."""


class Grid:
    """Key → number of a cell → its earliest and its latest point. A point begins with its instant."""

    __slots__ = ("_follow", "_numbers", "_touch", "cell", "cells")

    def __init__(self, cell: int = CELL, touch: Follow = lambda at: None, follow: Follow = lambda at: None) -> None:
        self.cell = cell
        self.cells: dict[Key, dict[int, tuple[Point, Point]]] = {}
        self._numbers: dict[Key, list[int]] = {}
        """Key → its cells, ascending."""
        self._touch = touch
        self._follow = follow

    def add(self, key: Key, point: Point) -> None:
        cells = self.cells.setdefault(key, {})
        number = point[0] // self.cell
        known = cells.get(number)
        if known is None:
            cells[number] = point, point
            numbers = self._numbers.setdefault(key, [])
            if not numbers or numbers[-1] < number:
                numbers.append(number)
            else:
                insort(numbers, number)
        else:
            joined = min(known[0], point, key=_order), max(known[1], point, key=_order)
            if joined == known:
                return
            cells[number] = joined
        self._touch(point[0])
        self._follow(point[0])

    def merge(self, other: "Grid") -> None:
        for key, point in other.items():
            self.add(key, point)

    def items(self) -> Iterator[tuple[Key, Point]]:
        for key, cells in self.cells.items():
            for points in cells.values():
                for point in dict.fromkeys(points):
                    yield key, point

    def backwards(self, name: str, at: int) -> Iterator[Point]:
        """The points of every key that begins with a name, not after an instant, the latest first."""
        places = [
            (key, bisect_right(numbers, at // self.cell)) for key, numbers in self._numbers.items() if key[0] == name
        ]
        rows = [self._backwards(key, place, at) for key, place in places]
        yield from merge(*rows, key=_order, reverse=True)

    def _backwards(self, key: Key, place: int, at: int) -> Iterator[Point]:
        numbers, cells = self._numbers[key], self.cells[key]
        while place:
            place -= 1
            for point in dict.fromkeys(reversed(cells[numbers[place]])):
                if point[0] <= at:
                    yield point

    def between(self, starts_at: int, ends_at: int) -> Iterator[tuple[Key, Point]]:
        """The points in [starts_at, ends_at)."""
        for key, numbers in self._numbers.items():
            cells = self.cells[key]
            for place in range(bisect_left(numbers, starts_at // self.cell), len(numbers)):
                if numbers[place] * self.cell >= ends_at:
                    break
                for point in dict.fromkeys(cells[numbers[place]]):
                    if starts_at <= point[0] < ends_at:
                        yield key, point


def _order(point: Point) -> tuple[int, str]:
    """By instant. Two points of one instant have an order too, whatever stands in them."""
    return point[0], repr(point)
