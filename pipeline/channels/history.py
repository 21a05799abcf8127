"""Which frames of one channel came: runs of consecutive counts with the times of their ends, kept for ever. Knows
counts and times; does not know octets, checks or packets."""

import struct
from bisect import bisect_right
from typing import Final, NamedTuple

from pipeline.channels.chunks import Chunks
from pipeline.records import SECOND

CHUNK: Final = 120 * SECOND
"""A run ends with its chunk, so that each chunk can be read alone."""

LONGEST_PAUSE: Final = 3 * SECOND
"""Frames with consecutive counts further apart than this are two runs: a small count may have gone round."""

_OVERLAPPING: Final = 16
"""How many runs that began earlier are searched for one that reaches over a moment."""

_ROW: Final = struct.Struct(">qIqI")


class Run:
    __slots__ = ("count", "first", "frames", "last")

    def __init__(self, first: int, count: int, last: int, frames: int) -> None:
        self.first = first
        """Time of its first frame."""
        self.count = count
        """Count of its first frame."""
        self.last = last
        self.frames = frames

    def __lt__(self, other: "Run") -> bool:
        return (self.first, self.count) < (other.first, other.count)

    @property
    def period(self) -> float | None:
        """Mean interval of its frames; None where there are too few to say, or all have one time."""
        return (self.last - self.first) / (self.frames - 1) if self.frames >= 5 and self.last > self.first else None


class Reference(NamedTuple):
    """The frame of the channel that is nearest in time."""

    at: int
    frame_count: int
    period: float | None


class History:
    __slots__ = ("_chunks", "_latest", "modulus", "pause")

    def __init__(self, name: str, modulus: int, period: int | None) -> None:
        self.modulus = modulus
        half_cycle = None if period is None else modulus * period // 2
        self.pause = LONGEST_PAUSE if half_cycle is None else min(LONGEST_PAUSE, half_cycle - 1)
        self._chunks: Chunks[list[Run]] = Chunks(f"runs/{name}", list, _pack, _unpack)
        self._latest: Run | None = None
        """The run that was changed last; only to find it again quickly."""

    @property
    def chunks(self) -> Chunks[list[Run]]:
        return self._chunks

    def add(self, count: int, at: int) -> None:
        """One new frame."""
        run, number = self._latest, at // CHUNK
        if run is not None and at >= run.last and at - run.last <= self.pause and run.last // CHUNK == number:
            row = self._chunks.change(number)
            # Only where it is the last of its chunk can nothing lie between it and this frame.
            if row and row[-1] is run and count == (run.count + run.frames) % self.modulus:
                run.last = at
                run.frames += 1
                return
        self._insert(self._chunks.change(number), count, at)

    def goes_on(self, count: int, at: int, newest: int) -> bool:
        """Whether a frame that is later than the newest one follows it in its run, with nothing else to ask."""
        number = newest // CHUNK
        if at // CHUNK != number or not self.follows(count, at, newest):
            return False
        row = self._chunks.get(number)
        return row is not None and row[-1] is self._latest

    def extend(self, frames: int, last: int) -> None:
        """So many frames that go on with the latest run (`goes_on`), the last of them at that time."""
        assert self._latest is not None
        self._chunks.change(last // CHUNK)
        self._latest.last = last
        self._latest.frames += frames

    def _insert(self, row: list[Run], count: int, at: int) -> None:
        place = bisect_right(row, at, key=_first_of)
        before = row[place - 1] if place else None
        if before is not None and (before.last > at or count != (before.count + before.frames) % self.modulus):
            before = None
        if before is not None and at - before.last <= self.pause:
            before.last = at
            before.frames += 1
            run = before
        else:
            run = Run(at, count, at, 1)
            place = bisect_right(row, run)
            row.insert(place, run)
            place += 1
        after = row[place] if place < len(row) else None
        if (
            after is not None
            and 0 <= after.first - run.last <= self.pause
            and after.count == (run.count + run.frames) % self.modulus
        ):
            run.last = after.last
            run.frames += after.frames
            del row[place]
        self._latest = run

    def covers(self, count: int, at: int) -> bool:
        """Whether a frame with this count came at about this time: exact in its count, and in time as exact as the
        frames of a run are regular."""
        row = self._chunks.get(at // CHUNK)
        if not row:
            return False
        place = bisect_right(row, at, key=_first_of)
        for run in reversed(row[max(0, place - _OVERLAPPING) : place]):
            ahead = (count - run.count) % self.modulus
            if run.last < at or ahead >= run.frames:
                continue
            if run.frames == 1:
                return True
            period = (run.last - run.first) / (run.frames - 1)
            if period == 0 or run.frames <= self.modulus // 2:
                return True
            # A run longer than the modulus has the same count more than once: the time tells which is meant.
            cycles = round(((at - run.first) / period - ahead) / self.modulus)
            if 0 <= ahead + cycles * self.modulus < run.frames:
                return True
        return False

    def follows(self, count: int, at: int, newest: int) -> bool:
        """Whether a frame that is later than the newest one goes on with its run: what nearly every frame does."""
        run = self._latest
        if run is None or run.last != newest or at - newest > self.pause:
            return False
        return count == (run.count + run.frames) % self.modulus

    def nearest(self, at: int, within: int) -> Reference | None:
        """The frame nearest in time; None where there is none within so many nanoseconds."""
        number = at // CHUNK
        best: Reference | None = None
        distance = within + 1
        for other in range((at - within) // CHUNK, (at + within) // CHUNK + 1):
            row = self._chunks.get(other)
            if not row:
                continue
            place = bisect_right(row, at, key=_first_of) if other == number else (len(row) if other < number else 0)
            for run in (*row[max(0, place - _OVERLAPPING) : place], *row[place : place + 1]):
                away = max(run.first - at, at - run.last, 0)
                if away < distance:
                    distance, best = away, self._reference(run, at)
        return best

    def _reference(self, run: Run, at: int) -> Reference:
        period = run.period
        if at >= run.last:
            return Reference(run.last, (run.count + run.frames - 1) % self.modulus, period)
        if at <= run.first:
            return Reference(run.first, run.count, period)
        ahead = round((at - run.first) * (run.frames - 1) / (run.last - run.first))
        return Reference(at, (run.count + ahead) % self.modulus, period)


def _first_of(run: Run) -> int:
    return run.first


def _pack(row: list[Run]) -> bytes:
    return b"".join(_ROW.pack(run.first, run.count, run.last, run.frames) for run in row)


def _unpack(octets: bytes) -> list[Run]:
    return [Run(*values) for values in _ROW.iter_unpack(octets)]
