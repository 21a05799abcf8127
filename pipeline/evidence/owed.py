"""What is owed in which interval of a link's time: a map of maxima whose keys begin with link, session, start and end,
found by their interval. What is settled is taken out."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator

from pipeline.evidence.maxima import MaximumMap
from pipeline.evidence.segments import Key, Touch

Interval = tuple[int, int, Key]
"""Start, end, key."""


class OwedMap(MaximumMap):
    __slots__ = ("_longest", "_rows")

    def __init__(self, place: Callable[[Key], int], touch: Touch) -> None:
        super().__init__(place, touch)
        self._rows: dict[str, list[Interval]] = {}
        """Link → intervals in order."""
        self._longest: dict[str, int] = {}

    def add(self, key: Key, value: int) -> None:
        if key not in self.values:
            link, _, starts_at, ends_at, *_ = key
            insort(self._rows.setdefault(link, []), (starts_at, ends_at, key))
            self._longest[link] = max(ends_at - starts_at, self._longest.get(link, 0))
        super().add(key, value)

    def remove(self, key: Key) -> None:
        link, _, starts_at, ends_at, *_ = key
        row = self._rows[link]
        del self.values[key], row[bisect_left(row, (starts_at, ends_at, key))]
        self._touch(self.place(key))

    def reaching(self, since: int, until: int, link: str | None = None) -> Iterator[Key]:
        """The keys of a link, or of all, with a part of their interval in (since, until)."""
        for of in self._rows if link is None else (link,):
            row = self._rows.get(of, [])
            for starts_at, ends_at, key in row[bisect_left(row, (since - self._longest.get(of, 0),)) :]:
                if starts_at >= until:
                    break
                if ends_at > since:
                    yield key
