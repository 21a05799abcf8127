"""How many frames a receiver heard in each tenth of a second, and how many of them were bad.

`decode` sends the running total of a bin, so the join is the maximum, bin by bin. One array a link and ten
minutes: a long recording costs 24 kB for each of them, whatever was heard.
"""

import base64
import zlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.evidence.segments import Touch

BIN: Final = 100_000_000
"""Nanoseconds in a bin."""
BINS_IN_CHUNK: Final = 6000
CHUNK: Final = BIN * BINS_IN_CHUNK
"""Ten minutes: also the unit in which all evidence is stored."""

Counts = npt.NDArray[np.uint16]


class BinMap:
    """(link, chunk number) → two rows: receptions, bad among them."""

    __slots__ = ("_touch", "chunks")

    def __init__(self, touch: Touch = lambda at: None) -> None:
        self.chunks: dict[tuple[str, int], Counts] = {}
        self._touch = touch

    def add(self, link: str, number: int, heard: int, bad: int) -> None:
        chunk, place = divmod(number, BINS_IN_CHUNK)
        rows = self.chunks.get((link, chunk))
        if rows is None:
            rows = self.chunks[link, chunk] = np.zeros((2, BINS_IN_CHUNK), np.uint16)
        heard, bad = min(heard, 0xFFFF), min(bad, 0xFFFF)
        if heard > rows[0, place] or bad > rows[1, place]:
            rows[0, place] = max(heard, int(rows[0, place]))
            rows[1, place] = max(bad, int(rows[1, place]))
            self._touch(chunk * CHUNK)

    def merge(self, other: "BinMap") -> None:
        for key, rows in other.chunks.items():
            mine = self.chunks.get(key)
            self.chunks[key] = rows.copy() if mine is None else np.maximum(mine, rows)
            self._touch(key[1] * CHUNK)

    def count(self, link: str, starts_at: int, ends_at: int) -> tuple[int, int]:
        """(receptions, bad) in the bins that [starts_at, ends_at) touches, even in part."""
        low, high = starts_at // BIN, -(-ends_at // BIN)
        heard = bad = 0
        between = range(low // BINS_IN_CHUNK, (high - 1) // BINS_IN_CHUNK + 1) if high > low else range(0)
        # An interval may say it is centuries long: then what is there is looked through, not all that could be.
        is_long = len(between) > len(self.chunks)
        for chunk in [number for of, number in self.chunks if of == link and number in between] if is_long else between:
            rows = self.chunks.get((link, chunk))
            if rows is not None:
                base = chunk * BINS_IN_CHUNK
                part = rows[:, max(0, low - base) : high - base]
                heard += int(part[0].sum())
                bad += int(part[1].sum())
        return heard, bad

    def bad_bins(self, link: str) -> Iterator[tuple[int, Counts]]:
        """The chunks of a link in which anything was bad: (number of its first bin, its rows)."""
        for (of, chunk), rows in sorted(self.chunks.items(), key=lambda item: item[0]):
            if of == link and rows[1].any():
                yield chunk * BINS_IN_CHUNK, rows

    def dump(self, chunk: int) -> dict[str, str]:
        """What is stored of one chunk: link → the rows, packed."""
        return {
            link: base64.b64encode(zlib.compress(rows.tobytes(), 6)).decode()
            for (link, number), rows in sorted(self.chunks.items())
            if number == chunk
        }

    def load(self, chunk: int, packed: dict[str, Any]) -> None:
        for link, text in packed.items():
            rows = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint16).reshape(2, BINS_IN_CHUNK)
            self.chunks[link, chunk] = rows.copy()
