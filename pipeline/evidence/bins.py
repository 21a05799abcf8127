"""How many frames a receiver heard in each tenth of a second, and how many of them were bad.

`decode` sends the running total of a bin, so the join is the maximum, bin by bin. One array a link and ten
minutes: a long recording costs 24 kB for each of them, whatever was heard.
"""

import base64
import zlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

BIN: Final = 100_000_000
"""Nanoseconds in a bin."""
BINS_IN_CHUNK: Final = 6000
CHUNK: Final = BIN * BINS_IN_CHUNK
"""Ten minutes."""
BINS_IN_PART: Final = 600
"""A minute: what is stored together. Short, since what frames are just coming in is written with each batch of them."""

Counts = npt.NDArray[np.uint16]


class Crowd(NamedTuple):
    """Windows in which much was bad, one bin after the other. Numbers of bins."""

    since: int
    """The last bin of the first window."""
    until: int
    """The last bin of the last window."""
    last_bad: int
    """The last bin in them in which anything was bad."""


class BinMap:
    """(link, chunk number) → two rows: receptions, bad among them."""

    __slots__ = ("_crowds", "_spoilt", "_touch", "chunks")

    def __init__(self, touch: Callable[[str, int], None] = lambda link, part: None) -> None:
        """`touch` is told the link and the number of a part that changed."""
        self.chunks: dict[tuple[str, int], Counts] = {}
        self._touch = touch
        self._spoilt: dict[str, set[int]] = {}
        """Link → numbers of the chunks in which anything is bad."""
        self._crowds: dict[tuple[str, int], tuple[tuple[int, int], list[Crowd]]] = {}
        """Derived, for each chunk in which anything is bad: what was asked, and the answer."""

    @property
    def any_bad(self) -> bool:
        return bool(self._spoilt)

    def add(self, link: str, number: int, heard: int, bad: int) -> bool:
        """Join one bin; whether that changed it."""
        chunk, place = divmod(number, BINS_IN_CHUNK)
        rows = self._rows(link, chunk)
        heard, bad = min(heard, 0xFFFF), min(bad, 0xFFFF)
        known_heard, known_bad = int(rows[0, place]), int(rows[1, place])
        if heard <= known_heard and bad <= known_bad:
            return False
        rows[0, place] = max(heard, known_heard)
        rows[1, place] = max(bad, known_bad)
        self._touch(link, number // BINS_IN_PART)
        self._note(link, chunk, is_spoilt=bad > 0)
        return True

    def merge(self, other: "BinMap") -> None:
        for (link, chunk), rows in other.chunks.items():
            self._join(link, chunk * BINS_IN_CHUNK, rows)

    def _rows(self, link: str, chunk: int) -> Counts:
        rows = self.chunks.get((link, chunk))
        if rows is None:
            rows = self.chunks[link, chunk] = np.zeros((2, BINS_IN_CHUNK), np.uint16)
        return rows

    def _join(self, link: str, first: int, rows: Counts) -> None:
        """Bins from the number `first` on, all of one chunk."""
        chunk, place = divmod(first, BINS_IN_CHUNK)
        mine = self._rows(link, chunk)[:, place : place + rows.shape[1]]
        np.maximum(mine, rows, out=mine)
        for part in np.unique((first + np.flatnonzero(rows[0])) // BINS_IN_PART):
            self._touch(link, int(part))
        self._note(link, chunk, is_spoilt=bool(rows[1].any()))

    def _note(self, link: str, chunk: int, *, is_spoilt: bool) -> None:
        """A chunk changed: what was derived from it, by the next chunk too, is no longer so."""
        if is_spoilt:
            self._spoilt.setdefault(link, set()).add(chunk)
        self._crowds.pop((link, chunk), None)
        self._crowds.pop((link, chunk + 1), None)

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
                of_chunk = rows[:, max(0, low - base) : high - base].sum(axis=1).tolist()
                heard, bad = heard + of_chunk[0], bad + of_chunk[1]
        return heard, bad

    def crowds(self, link: str, window: int, least: int) -> Iterator[Crowd]:
        """Where, in `window` bins (fewer than a chunk has), at least `least` receptions and half of all were bad.
        Ascending; one that goes on from chunk to chunk comes in parts. Only what changed since the last call is looked
        at again."""
        asked = (window, least)
        spoilt = self._spoilt.get(link, set())
        for chunk in sorted(spoilt | {number + 1 for number in spoilt}):
            known = self._crowds.get((link, chunk))
            if known is None or known[0] != asked:
                known = self._crowds[link, chunk] = (asked, self._crowds_in(link, chunk, window, least))
            yield from known[1]

    def _crowds_in(self, link: str, chunk: int, window: int, least: int) -> list[Crowd]:
        """Of the windows that end in the chunk."""
        rows = np.zeros((2, window + BINS_IN_CHUNK), np.int64)
        for number, part in ((chunk - 1, slice(1, window)), (chunk, slice(window, None))):
            counts = self.chunks.get((link, number))
            if counts is not None:
                rows[:, part] = counts[:, -(window - 1) :] if number < chunk else counts
        sums = rows.cumsum(axis=1)
        heard, bad = sums[:, window:] - sums[:, :-window]
        ends = np.flatnonzero((bad >= least) & (2 * bad >= heard))
        if not ends.size:
            return []
        base = chunk * BINS_IN_CHUNK
        bad_at = np.flatnonzero(rows[1]) - window
        parts = np.split(ends, np.flatnonzero(np.diff(ends) > 1) + 1)
        return [
            Crowd(base + int(part[0]), base + int(part[-1]), base + int(bad_at[bad_at <= part[-1]][-1]))
            for part in parts
        ]

    def dump(self, link: str, part: int) -> str:
        """What is stored of one part: its two rows, packed."""
        chunk, place = divmod(part * BINS_IN_PART, BINS_IN_CHUNK)
        rows = self.chunks[link, chunk][:, place : place + BINS_IN_PART]
        return base64.b64encode(zlib.compress(rows.tobytes(), 1)).decode()

    def load(self, link: str, part: int, packed: str) -> None:
        """The inverse of `dump`, joined with what is here."""
        rows = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint16).reshape(2, BINS_IN_PART)
        self._join(link, part * BINS_IN_PART, rows)
