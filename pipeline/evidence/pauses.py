"""The usual pause: how long a vehicle that sends in bunches is quiet between two. Derived from stretches of frames,
which it follows: never stored, never joined. Knows no rule."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from pipeline.evidence.segments import Segment
from pipeline.records import SECOND

ASKED: Final = 5
"""So many pauses make one usual."""
WITHIN: Final = 600 * SECOND
"""Only those that ended so lately count."""


class Pauses:
    __slots__ = ("_bunches", "usual")

    def __init__(self) -> None:
        self._bunches: list[Segment] = []
        self.usual: list[int] = []
        """For each bunch the usual pause up to it, nanoseconds; 0: none is."""

    def follow(self, bunches: Sequence[Segment]) -> None:
        """`bunches`: all of them, ascending; those that did not change are not looked at again."""
        known = min(len(self._bunches), len(bunches))
        same = next((place for place in range(known) if self._bunches[place] is not bunches[place]), known)
        del self._bunches[same:], self.usual[same:]
        for bunch in bunches[same:]:
            self._bunches.append(bunch)
            self.usual.append(self._usual_at(len(self._bunches) - 1))

    def _usual_at(self, place: int) -> int:
        bunches = self._bunches
        since = bunches[place].first - WITHIN
        pauses: list[int] = []
        while place and bunches[place].first >= since:
            pauses.append(bunches[place].first - bunches[place - 1].last)
            place -= 1
        return round(median(pauses)) if len(pauses) >= ASKED else 0
