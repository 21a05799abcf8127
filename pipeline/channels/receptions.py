"""How many receptions a link had in each tenth of a second of the relay's clock, and how many of them were bad. Knows
no frame."""

import struct
from collections import Counter
from collections.abc import Iterable
from typing import Final

from pipeline.channels.chunks import Chunks
from pipeline.records import SECOND

BIN: Final = SECOND // 10
_BINS_STORED_TOGETHER: Final = 1000

_BIN: Final = struct.Struct(">HQQ")


class Receptions:
    """Running totals by tenths of a second since 1970."""

    __slots__ = ("_touched", "chunks")

    def __init__(self) -> None:
        self.chunks: Chunks[dict[int, tuple[int, int]]] = Chunks("bins", dict, _pack, _unpack)
        self._touched: set[int] = set()

    def received(self, times: Iterable[int]) -> None:
        for number, receptions in Counter([at // BIN for at in times]).items():
            self._add(number, receptions, 0)

    def found_bad(self, at: int) -> None:
        """One of the receptions at that time is bad after all."""
        self._add(at // BIN, 0, 1)

    def _add(self, number: int, receptions: int, bad: int) -> None:
        chunk, place = divmod(number, _BINS_STORED_TOGETHER)
        bins = self.chunks.change(chunk)
        before = bins.get(place, (0, 0))
        bins[place] = (before[0] + receptions, before[1] + bad)
        self._touched.add(number)

    def take_touched(self) -> tuple[tuple[int, int, int], ...]:
        """(number, receptions, bad among them) of the bins that changed since the last call, as they stand now."""
        totals = []
        for number in sorted(self._touched):
            chunk, place = divmod(number, _BINS_STORED_TOGETHER)
            totals.append((number, *(self.chunks.get(chunk) or {})[place]))
        self._touched.clear()
        return tuple(totals)


def _pack(bins: dict[int, tuple[int, int]]) -> bytes:
    return b"".join(_BIN.pack(place, *bins[place]) for place in sorted(bins))


def _unpack(octets: bytes) -> dict[int, tuple[int, int]]:
    return {place: (receptions, bad) for place, receptions, bad in _BIN.iter_unpack(octets)}
