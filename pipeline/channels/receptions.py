"""How many receptions a link had in each tenth of a second of the relay's clock, and how many of them were bad. Knows
no frame."""

import struct
from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.channels.chunks import Chunks
from pipeline.records import SECOND, Times

BIN: Final = SECOND // 10
_BINS_STORED_TOGETHER: Final = 1000
_TOGETHER: Final = 96
"""From so many receptions on they are counted as a column."""

_HEAD: Final = struct.Struct(">HB")

Bins = npt.NDArray[np.int64]
"""Two rows: receptions, and bad ones among them."""


class Receptions:
    """Running totals by tenths of a second since 1970."""

    __slots__ = ("_touched", "chunks")

    def __init__(self) -> None:
        self.chunks: Chunks[Bins] = Chunks("bins", _new, _pack, _unpack)
        self._touched: set[int] = set()

    def received(self, times: Times) -> None:
        for number, receptions in _counted(times):
            self._add(number, receptions, 0)

    def found_bad(self, at: int) -> None:
        """One of the receptions at that time is bad after all."""
        self._add(at // BIN, 0, 1)

    def _add(self, number: int, receptions: int, bad: int) -> None:
        chunk, place = divmod(number, _BINS_STORED_TOGETHER)
        bins = self.chunks.change(chunk)
        bins[0, place] += receptions
        bins[1, place] += bad
        self._touched.add(number)

    def take_touched(self) -> tuple[tuple[int, int, int], ...]:
        """(number, receptions, bad among them) of the bins that changed since the last call, as they stand now."""
        totals = []
        for number in sorted(self._touched):
            chunk, place = divmod(number, _BINS_STORED_TOGETHER)
            bins = self.chunks.get(chunk)
            assert bins is not None
            totals.append((number, int(bins[0, place]), int(bins[1, place])))
        self._touched.clear()
        return tuple(totals)


def _counted(times: Times) -> Iterable[tuple[int, int]]:
    """(bin, how many of these times are in it)"""
    if len(times) >= _TOGETHER:
        numbers = times // BIN
        first, last = int(numbers.min()), int(numbers.max())
        if last - first < _BINS_STORED_TOGETHER:
            receptions = np.bincount(numbers - first)
            return [(first + place, int(receptions[place])) for place in receptions.nonzero()[0].tolist()]
    return Counter([at // BIN for at in times.tolist()]).items()


def _new() -> Bins:
    return np.zeros((2, _BINS_STORED_TOGETHER), np.int64)


def _pack(bins: Bins) -> bytes:
    """From the first bin with receptions to the last: its place, octets of a number, the rows. A number is as wide as
    the greatest needs, since the chunk that grows is stored with every record."""
    places = bins[0].nonzero()[0]
    first, stop = (int(places[0]), int(places[-1]) + 1) if places.size else (0, 0)
    rows = bins[:, first:stop]
    most = int(rows.max(initial=0))
    width = next(width for width in (1, 2, 4, 8) if most < 1 << 8 * width)
    return _HEAD.pack(first, width) + rows.astype(f">u{width}").tobytes()


def _unpack(octets: bytes) -> Bins:
    first, width = _HEAD.unpack_from(octets)
    rows = np.frombuffer(octets, f">u{width}", offset=_HEAD.size).reshape(2, -1)
    bins = _new()
    bins[:, first : first + rows.shape[1]] = rows
    return bins
