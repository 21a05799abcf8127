"""How many frames a receiver heard in each tenth of a second, and how many of them were bad.

`decode` sends the running total of a bin, so the join is the maximum, bin by bin. One array of 24 kB a link and ten
minutes; those that were not asked for lately are kept packed.
"""

import base64
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

BIN: Final = 100_000_000
"""Nanoseconds in a bin."""
BINS_IN_CHUNK: Final = 6000
CHUNK: Final = BIN * BINS_IN_CHUNK
"""Ten minutes."""
OPEN_CHUNKS: Final = 32
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


class Crowds:
    """Those of one link, by the chunk in which their windows end."""

    __slots__ = ("changed", "found")

    def __init__(self) -> None:
        self.found: dict[int, list[Crowd]] = {}
        """Only the chunks that have any."""
        self.changed: set[int] = set()
        """Chunks to look through again."""


class BinMap:
    """(link, chunk number) → two rows: receptions, bad among them."""

    __slots__ = ("_crowds", "_open", "_packed", "_spoilt", "_touch")

    def __init__(self, touch: Callable[[str, int], None] = lambda link, part: None) -> None:
        """`touch` is told the link and the number of a part that changed."""
        self._open: dict[tuple[str, int], Counts] = {}
        """The chunks that were asked for lately, the latest last."""
        self._packed: dict[tuple[str, int], bytes] = {}
        """All others: months of listening stay in memory."""
        self._touch = touch
        self._spoilt: dict[str, set[int]] = {}
        """Link → numbers of the chunks in which anything is bad."""
        self._crowds: dict[tuple[str, int, int], Crowds] = {}
        """Derived: (link, window, least) as it was asked, and the answer."""

    @property
    def any_bad(self) -> bool:
        return bool(self._spoilt)

    def items(self) -> Iterator[tuple[tuple[str, int], Counts]]:
        for key in sorted(self._open.keys() | self._packed.keys()):
            rows = self._open.get(key)
            yield key, _unpacked(self._packed[key]) if rows is None else rows

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
        for (link, chunk), rows in other.items():
            self._join(link, chunk * BINS_IN_CHUNK, rows)

    def _rows(self, link: str, chunk: int) -> Counts:
        """Of one chunk, which is made where there is none yet."""
        key = link, chunk
        rows = self._open.pop(key, None)
        if rows is None:
            packed = self._packed.pop(key, None)
            rows = np.zeros((2, BINS_IN_CHUNK), np.uint16) if packed is None else _unpacked(packed)
        self._open[key] = rows
        if len(self._open) > OPEN_CHUNKS:
            oldest = next(iter(self._open))
            self._packed[oldest] = zlib.compress(self._open.pop(oldest).tobytes(), 1)
        return rows

    def _known(self, link: str, chunk: int) -> Counts | None:
        key = link, chunk
        return self._rows(link, chunk) if key in self._open or key in self._packed else None

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
        for (of, _, _), crowds in self._crowds.items():
            if of == link:
                crowds.changed |= {chunk, chunk + 1}

    def count(self, link: str, starts_at: int, ends_at: int) -> tuple[int, int]:
        """(receptions, bad) in the bins that [starts_at, ends_at) touches, even in part."""
        low, high = starts_at // BIN, -(-ends_at // BIN)
        heard = bad = 0
        between: Sequence[int] = (
            range(low // BINS_IN_CHUNK, (high - 1) // BINS_IN_CHUNK + 1) if high > low else range(0)
        )
        # An interval may say it is centuries long: then what is there is looked through, not all that could be.
        if len(between) > len(self._open) + len(self._packed):
            between = [number for of, number in (*self._open, *self._packed) if of == link and number in between]
        for chunk in between:
            rows = self._known(link, chunk)
            if rows is not None:
                base = chunk * BINS_IN_CHUNK
                of_chunk = rows[:, max(0, low - base) : high - base].sum(axis=1).tolist()
                heard, bad = heard + of_chunk[0], bad + of_chunk[1]
        return heard, bad

    def crowds(self, link: str, window: int, least: int) -> Iterator[Crowd]:
        """Where, in `window` bins (fewer than a chunk has), at least `least` receptions and half of all were bad.
        Ascending; one that goes on from chunk to chunk comes in parts. Only what changed since the last call is looked
        at again."""
        crowds, spoilt = self._crowds.get((link, window, least)), self._spoilt.get(link, set())
        if crowds is None:
            crowds = self._crowds[link, window, least] = Crowds()
            crowds.changed |= {number + more for number in spoilt for more in (0, 1)}
        for chunk in crowds.changed:
            found = self._crowds_in(link, chunk, window, least) if {chunk - 1, chunk} & spoilt else []
            crowds.found.pop(chunk, None)
            if found:
                crowds.found[chunk] = found
        crowds.changed.clear()
        for chunk in sorted(crowds.found):
            yield from crowds.found[chunk]

    def _crowds_in(self, link: str, chunk: int, window: int, least: int) -> list[Crowd]:
        """Of the windows that end in the chunk."""
        rows = np.zeros((2, window + BINS_IN_CHUNK), np.int64)
        for number, part in ((chunk - 1, slice(1, window)), (chunk, slice(window, None))):
            counts = self._known(link, number)
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
        rows = self._rows(link, chunk)[:, place : place + BINS_IN_PART]
        return base64.b64encode(zlib.compress(rows.tobytes(), 1)).decode()

    def load(self, link: str, part: int, packed: str) -> None:
        """The inverse of `dump`, joined with what is here."""
        rows = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint16).reshape(2, BINS_IN_PART)
        self._join(link, part * BINS_IN_PART, rows)


def _unpacked(packed: bytes) -> Counts:
    return np.frombuffer(zlib.decompress(packed), np.uint16).reshape(2, BINS_IN_CHUNK).copy()
