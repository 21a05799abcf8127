"""State in chunks by time: what a long run remembers, packed where it has not been used for long. Knows no meaning of
what it keeps; a chunk is stored in parts of which none is longer than 48 KiB."""

import base64
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

PART_OCTETS: Final = 36 * 1024
"""Of the packed form, before base64: so a part is at most 48 KiB of text, and a stored entry under 64 KiB."""

T = TypeVar("T")

_COMPRESS_ABOVE: Final = 2048
_HOT: Final = 32


def to_parts(octets: bytes) -> list[str]:
    """Octets as texts, each short enough for one stored entry."""
    if len(octets) > _COMPRESS_ABOVE:
        octets = b"z" + zlib.compress(octets, 1)
    else:
        octets = b"p" + octets
    cuts = range(0, len(octets), PART_OCTETS)
    return [base64.b64encode(octets[cut : cut + PART_OCTETS]).decode() for cut in cuts]


def from_parts(parts: list[str]) -> bytes:
    """The inverse of `to_parts`."""
    octets = b"".join(map(base64.b64decode, parts))
    return zlib.decompress(octets[1:]) if octets[:1] == b"z" else octets[1:]


class Chunks(Generic[T]):
    """Number of a stretch of time → what is kept of it. At most a few are unpacked at any moment."""

    __slots__ = ("_hot", "_new", "_pack", "_packed", "_stored_parts", "_unpack", "changed", "name")

    def __init__(
        self, name: str, new: Callable[[], T], pack: Callable[[T], bytes], unpack: Callable[[bytes], T]
    ) -> None:
        self.name = name
        self.changed: set[int] = set()
        """Numbers of the chunks that changed since they were last stored."""
        self._new, self._pack, self._unpack = new, pack, unpack
        self._hot: dict[int, T] = {}
        self._packed: dict[int, list[str]] = {}
        self._stored_parts: dict[int, int] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._hot or number in self._packed

    def get(self, number: int) -> T | None:
        """What is kept there; None where nothing is."""
        value = self._hot.get(number)
        if value is None and number in self._packed:
            value = self._hot[number] = self._unpack(from_parts(self._packed[number]))
            self._cool(number)
        return value

    def change(self, number: int) -> T:
        """The same, to be changed: made where it is missing, and stored next time."""
        value = self.get(number)
        if value is None:
            value = self._hot[number] = self._new()
            self._cool(number)
        self._packed.pop(number, None)
        self.changed.add(number)
        return value

    def _cool(self, used: int) -> None:
        if len(self._hot) <= _HOT:
            return
        for number in list(self._hot):
            if number != used and len(self._hot) > _HOT // 2:
                value = self._hot.pop(number)
                if number not in self._packed:
                    self._packed[number] = to_parts(self._pack(value))

    def take_changes(self) -> Iterator[tuple[str, Any]]:
        """(name, part) of all that changed since the last call; None for a part that is gone."""
        for number in sorted(self.changed):
            parts = self._packed.get(number)
            if parts is None:
                parts = self._packed[number] = to_parts(self._pack(self._hot[number]))
            for place, part in enumerate(parts):
                yield f"{self.name}/{number}/{place}", part
            for place in range(len(parts), self._stored_parts.get(number, 0)):
                yield f"{self.name}/{number}/{place}", None
            self._stored_parts[number] = len(parts)
        self.changed.clear()

    def restore(self, parts: dict[tuple[int, int], str]) -> None:
        """(number, place) → part, as stored."""
        for number, place in sorted(parts):
            self._packed.setdefault(number, []).append(parts[number, place])
            self._stored_parts[number] = place + 1
