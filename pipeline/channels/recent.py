"""The last frames of one channel, by count and time, with a digest of their octets: to tell a repetition from a
conflict. Knows no older frame: those are in the history, without octets.

They are stored in lots of frames that came one after the other. A lot takes the frames of further records until it
has a few, so one frame rewrites few octets, and the hundreds of a large record make one lot or two. A lot is stored
whole for as long as one of its frames is known, and dropped then: what is stored would else depend on when it was. The
next lot takes its number.
"""

import base64
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

# 8 octets over the whole frame. It is to find differences that a link makes, not those that somebody forges.
from fastcrc.crc64 import xz as digest

__all__ = ["NOT_ENDED", "Recent", "digest"]

KEPT: Final = 1024
_RING: Final = 2 * KEPT
"""The last frames, and those that are forgotten and in one lot with them."""
CONFLICTS_KEPT: Final = 256
_STORED_TOGETHER: Final = 32
"""A lot that has so many takes none of another record."""
_MOST_TOGETHER: Final = 256

NOT_ENDED: Final = -(1 << 63)
"""Instead of a time: no packet with octets of the frame ended in a later one."""
IN_CONFLICT: Final = NOT_ENDED + 1
"""Another frame with the same count and time has other octets."""

_FIRST: Final = struct.Struct(">q")
_COLUMNS: Final = (">u4", ">i8", ">u8", ">i8")
_SLOT_OCTETS: Final = 28


class _Lot(NamedTuple):
    first: int
    """Number of its first frame among all of the channel, by arrival; it goes up to the next lot."""
    number: int
    """What it is stored under."""


class Recent:
    """A ring of (count, time, digest, time of the last packet with octets of the frame that ended in a later one)."""

    __slots__ = (
        "_at", "_changed", "_conflicts", "_conflicts_changed", "_counts", "_digests", "_dropped", "_ended", "_lots",
        "_name", "next",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self._name = name
        self.next = 0
        """How many frames were ever added."""
        self._counts = np.zeros(_RING, np.uint32)
        self._at = np.zeros(_RING, np.int64)
        self._digests = np.zeros(_RING, np.uint64)
        self._ended = np.zeros(_RING, np.int64)
        self._lots: list[_Lot] = []
        self._changed: set[int] = set()
        """The first frames of the lots that changed since they were last stored."""
        self._dropped: set[int] = set()
        """Numbers that no lot has any more."""
        self._conflicts: dict[tuple[int, int, int], None] = {}
        """(count, time, digest) of frames that were in conflict with the one that came first, in order of arrival."""
        self._conflicts_changed = False

    @property
    def _rings(self) -> tuple[npt.NDArray[Any], ...]:
        return self._counts, self._at, self._digests, self._ended

    @property
    def forgot(self) -> bool:
        """Whether there were more frames than are kept."""
        return self.next > KEPT

    def begin(self) -> None:
        """What is added from now on is of another record."""
        if self._lots and self.next - self._lots[-1].first >= _STORED_TOGETHER:
            self._begin_lot()

    def add(self, count: int, at: int, octets_digest: int) -> None:
        """One frame that is not among the last."""
        place = self.next % _RING
        self._counts[place], self._at[place], self._digests[place] = count, at, octets_digest
        self._ended[place] = NOT_ENDED
        self._count_in(1)

    def extend(
        self, counts: npt.NDArray[Any], at: npt.NDArray[np.int64], digests: npt.NDArray[np.uint64],
        ended: npt.NDArray[np.int64], which: slice = slice(None),
    ) -> None:  # fmt: skip
        """The same of many: at most as many as are kept. `ended`: NOT_ENDED, or when a packet ended."""
        frames = len(counts[which])
        start = self.next % _RING
        cut = min(frames, _RING - start)
        for ring, column in zip(self._rings, (counts, at, digests, ended), strict=True):
            column = column[which]
            ring[start : start + cut] = column[:cut]
            if cut < frames:
                ring[: frames - cut] = column[cut:]
        self._count_in(frames)

    def _count_in(self, frames: int) -> None:
        lots = self._lots
        while frames:
            room = _MOST_TOGETHER - (self.next - lots[-1].first) if lots else 0
            if not room:
                self._begin_lot()
                continue
            # Only now: a lot that was begun and got no frame has nothing to store in place of what is dropped.
            self._dropped.discard(lots[-1].number)
            self._changed.add(lots[-1].first)
            self.next += min(frames, room)
            frames -= min(frames, room)
            # Before another is begun, which takes the lowest number that is free.
            while len(lots) > 1 and lots[1].first <= self.next - KEPT:
                first, number = lots.pop(0)
                self._changed.discard(first)
                self._dropped.add(number)

    def _begin_lot(self) -> None:
        used = {lot.number for lot in self._lots}
        self._lots.append(_Lot(self.next, next(number for number in range(KEPT) if number not in used)))

    def digest_of(self, count: int, at: int) -> int | None:
        """The digest of the frame with this count that came at this time; None where it is not among the last."""
        place = self._place(count, at)
        return None if place is None else int(self._digests[place])

    def spill(self, count: int, at: int, ends_at: int) -> bool:
        """A packet with octets of that frame ended at `ends_at`; whether the frame is in conflict."""
        place = self._place(count, at)
        if place is None:
            return False
        if self._ended[place] == IN_CONFLICT:
            return True
        self._set_ended(place, ends_at)
        return False

    def conflict(self, count: int, at: int) -> int | None:
        """The frame is in conflict; when the packet ended that began in it and ended in a later frame."""
        place = self._place(count, at)
        if place is None:
            return None
        ended = int(self._ended[place])
        self._set_ended(place, IN_CONFLICT)
        return None if ended in (IN_CONFLICT, NOT_ENDED) else ended

    def conflicts_again(self, count: int, at: int, octets_digest: int) -> bool:
        """Whether a frame with these octets was in conflict before: it is delivered again, and no third version of
        it. From now on it was."""
        key = count, at, octets_digest
        if key in self._conflicts:
            return True
        self._conflicts[key] = None
        if len(self._conflicts) > CONFLICTS_KEPT:
            del self._conflicts[next(iter(self._conflicts))]
        self._conflicts_changed = True
        return False

    def _place(self, count: int, at: int) -> int | None:
        filled = min(self.next, _RING)
        for place in (self._at[:filled] == at).nonzero()[0].tolist():
            if self._counts[place] == count and self._number(place) >= self.next - KEPT:
                return int(place)
        return None

    def _number(self, place: int) -> int:
        """Of the frame there, among all of the channel."""
        return self.next - 1 - (self.next - 1 - place) % _RING

    def _set_ended(self, place: int, value: int) -> None:
        self._ended[place] = value
        self._changed.add(self._lots[bisect_right(self._lots, self._number(place), key=_first_of) - 1].first)

    def take_changes(self) -> Iterator[tuple[str, Any]]:
        for lot, following in zip_longest(self._lots, self._lots[1:]):
            if lot.first in self._changed:
                end = self.next if following is None else following.first
                yield f"recent/{self._name}/{lot.number}", self._packed(lot.first, end)
        for number in sorted(self._dropped):
            yield f"recent/{self._name}/{number}", None
        self._changed.clear()
        self._dropped.clear()
        if self._conflicts_changed:
            yield f"conflicts/{self._name}/0", [list(key) for key in self._conflicts]
            self._conflicts_changed = False

    def _packed(self, first: int, end: int) -> str:
        """The number of the first, then column after column."""
        places = np.arange(first, end) % _RING
        packed = [ring[places].astype(form).tobytes() for ring, form in zip(self._rings, _COLUMNS, strict=True)]
        return base64.b64encode(_FIRST.pack(first) + b"".join(packed)).decode()

    def restore(self, count: int, lots: Mapping[int, str], conflicts: Iterable[list[int]] = ()) -> None:
        self.next = count
        self._conflicts = {(row[0], row[1], row[2]): None for row in conflicts}
        for number, packed in lots.items():
            octets = base64.b64decode(packed)
            (first,) = _FIRST.unpack_from(octets)
            frames = (len(octets) - _FIRST.size) // _SLOT_OCTETS
            self._lots.append(_Lot(first, number))
            places, at = np.arange(first, first + frames) % _RING, _FIRST.size
            for ring, form in zip(self._rings, _COLUMNS, strict=True):
                column = np.frombuffer(octets, form, frames, at)
                ring[places] = column
                at += column.nbytes
        self._lots.sort()


def _first_of(lot: _Lot) -> int:
    return lot.first
