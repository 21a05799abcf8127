"""A map whose values only grow: key to the largest number seen. Its join is the maximum, key by key."""

from collections.abc import Callable

from pipeline.evidence.segments import Key, Touch


class MaximumMap:
    __slots__ = ("_follow", "_touch", "place", "values")

    def __init__(
        self, place: Callable[[Key], int] = lambda key: 0, touch: Touch = lambda at: None,
        follow: Callable[[Key], None] = lambda key: None,
    ) -> None:  # fmt: skip
        """`place` says at which instant an entry is stored; `follow` is told of each entry that is new or another."""
        self.values: dict[Key, int] = {}
        self.place = place
        self._touch = touch
        self._follow = follow

    def add(self, key: Key, value: int) -> None:
        known = self.values.get(key)
        if known is None or value > known:
            self.values[key] = value
            self._touch(self.place(key))
            self._follow(key)

    def merge(self, other: "MaximumMap") -> None:
        for key, value in other.values.items():
            self.add(key, value)
