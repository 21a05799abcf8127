"""The last frames of one channel, by count and time, with a digest of their octets: to tell a repetition from a
conflict. Knows no older frame: those are in the history, without octets."""

import base64
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

# 8 octets over the whole frame. It is to find differences that a link makes, not those that somebody forges.
from fastcrc.crc64 import xz as digest

__all__ = ["Recent", "digest"]

KEPT: Final = 1024
CONFLICTS_KEPT: Final = 256
_SLOTS_STORED_TOGETHER: Final = 128

IN_CONFLICT: Final = -(1 << 63) + 1
"""Instead of a time: another frame with the same count and time has other octets."""

_SLOT: Final = struct.Struct(">IqQq")
_TIME_MISSING: Final = -(1 << 63)


class Recent:
    """A ring of (count, time, digest, time of the last packet with octets of the frame that ended in a later one)."""

    __slots__ = ("_changed", "_conflicts", "_conflicts_changed", "_name", "_places", "_slots", "next")

    def __init__(self, name: str) -> None:
        self._name = name
        self.next = 0
        """How many frames were ever added."""
        self._slots: list[tuple[int, int, int, int]] = []
        self._places: dict[tuple[int, int], int] = {}
        self._changed: set[int] = set()
        self._conflicts: dict[tuple[int, int, int], None] = {}
        """(count, time, digest) of frames that were in conflict with the one that came first, in order of arrival."""
        self._conflicts_changed = False

    @property
    def forgot(self) -> bool:
        """Whether there were more frames than are kept."""
        return self.next > KEPT

    def add(self, count: int, at: int, octets_digest: int) -> None:
        place = self.next % KEPT
        self.next += 1
        slot = (count, at, octets_digest, _TIME_MISSING)
        if place == len(self._slots):
            self._slots.append(slot)
        else:
            old = self._slots[place]
            if self._places.get(old[:2]) == place:
                del self._places[old[:2]]
            self._slots[place] = slot
        self._places[count, at] = place
        self._changed.add(place // _SLOTS_STORED_TOGETHER)

    def extend(self, frames: list[tuple[int, int, int]]) -> None:
        """Frames that are not among the last, each as (count, time, digest): at most as many as are kept."""
        place = self.next % KEPT
        self.next += len(frames)
        for start, part in ((place, frames[: KEPT - place]), (0, frames[KEPT - place :])):
            if part:
                self._replace(start, part)

    def _replace(self, start: int, frames: list[tuple[int, int, int]]) -> None:
        stop, places = start + len(frames), self._places
        for place, old in enumerate(self._slots[start:stop], start):
            if places.get(old[:2]) == place:
                del places[old[:2]]
        self._slots[start:stop] = [(*frame, _TIME_MISSING) for frame in frames]
        places.update(zip([frame[:2] for frame in frames], range(start, stop), strict=True))
        self._changed.update(range(start // _SLOTS_STORED_TOGETHER, (stop - 1) // _SLOTS_STORED_TOGETHER + 1))

    def digest_of(self, count: int, at: int) -> int | None:
        """The digest of the frame with this count that came at this time; None where it is not among the last."""
        place = self._places.get((count, at))
        return None if place is None else self._slots[place][2]

    def spill(self, count: int, at: int, ends_at: int) -> bool:
        """A packet with octets of that frame ended at `ends_at`; whether the frame is in conflict."""
        place = self._places.get((count, at))
        if place is None:
            return False
        slot = self._slots[place]
        if slot[3] == IN_CONFLICT:
            return True
        self._set(place, ends_at)
        return False

    def conflict(self, count: int, at: int) -> int | None:
        """The frame is in conflict; when the packet ended that began in it and ended in a later frame."""
        place = self._places.get((count, at))
        if place is None:
            return None
        ended = self._slots[place][3]
        self._set(place, IN_CONFLICT)
        return None if ended in (IN_CONFLICT, _TIME_MISSING) else ended

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

    def _set(self, place: int, value: int) -> None:
        self._slots[place] = (*self._slots[place][:3], value)
        self._changed.add(place // _SLOTS_STORED_TOGETHER)

    def take_changes(self) -> Iterator[tuple[str, Any]]:
        for group in sorted(self._changed):
            slots = self._slots[group * _SLOTS_STORED_TOGETHER : (group + 1) * _SLOTS_STORED_TOGETHER]
            packed = b"".join(_SLOT.pack(*slot) for slot in slots)
            yield f"recent/{self._name}/{group}", base64.b64encode(packed).decode()
        self._changed.clear()
        if self._conflicts_changed:
            yield f"conflicts/{self._name}/0", [list(key) for key in self._conflicts]
            self._conflicts_changed = False

    def restore(self, count: int, groups: dict[int, str], conflicts: Iterable[list[int]] = ()) -> None:
        self.next = count
        self._conflicts = {(row[0], row[1], row[2]): None for row in conflicts}
        for group in sorted(groups):
            self._slots.extend(_SLOT.iter_unpack(base64.b64decode(groups[group])))
        for place in range(max(0, self.next - KEPT), self.next):
            self._places[self._slots[place % KEPT][:2]] = place % KEPT
