"""Telemetry logs of drone ground stations (`.tlog`): octets of a file -> records of a receiver. Knows the file; what a
message means is not read here.

A record of the file is a big-endian count of microseconds since 1970 (8 octets) and one whole message. The clock is
that of the program that wrote the file: it is the relay's receive clock and the earth's, and it can be set while the
program runs. Time goes on here where it was set back, because every rule runs on it; `notes` says where and by how
much. Where it was set forward it is left as it stands: that looks the same as a pause.

The file does not say that it listened. Records of another source than the vehicle (the ground modem, a ground
station) show it: any two records at most 3 s apart, one of them not the vehicle's, make a listened interval. Where
such records stop and the vehicle's go on, each second of these shows that the file was written at that moment, and
nothing about the time between.
"""

import mmap
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.errors import RecordingError
from pipeline.frames.mavlink import ANY_SYSTEM, may_be_vehicle
from pipeline.mission.model import Link, Mission
from pipeline.records import SECOND, FramesReceived, Listened, Record, RecordingEnded
from pipeline.shells.files.tlog_entries import Entry, entries

LISTENED_APART: Final = 3 * SECOND
"""Two records further apart than this show nothing about the time between them."""

SET_BACK: Final = 1 * SECOND
"""A clock that falls back by more was set; by less, two records were written in another order than received."""

BATCH_SPAN: Final = 1 * SECOND
BATCH_FRAMES: Final = 1_000
BATCH_OCTETS: Final = 256 * 1024

_DROP_PAGES_EVERY: Final = 16 << 20


def read_tlog(path: Path, mission: Mission) -> "Tlog":
    """A tlog as what the mission's first MAVLink link received.

    Raises RecordingError where the file is missing or empty, has no message at all, or the mission has no such link.
    """
    link = next((link for link in mission.links if link.format == "mavlink"), None)
    if link is None:
        raise RecordingError(
            f"{path}: a tlog needs a mission with a link of format mavlink, and {mission.name} has none"
        )
    try:
        size = path.stat().st_size
        if size:
            with path.open("rb") as file:
                file.read(1)
    except OSError as fault:
        raise RecordingError(f"{path}: {fault.strerror}") from None
    if not size:
        raise RecordingError(
            f"{path} is empty: expected a tlog, that is 8 octets of time and a MAVLink message, repeated"
        )
    return Tlog(path, link, frozenset(mission.vehicle(name).scid for name in link.vehicles), size)


class Tlog:
    """One reading of one file; `records` can be iterated once. What it found stands in the attributes after it."""

    def __init__(self, path: Path, link: Link, systems: frozenset[int], size: int) -> None:
        self.path = path
        self.link = link.name
        self.size = size
        self.octets_read = 0
        self.cut_off: str | None = None
        """Where and how the file stops short, in one line; None where its last record is whole."""
        self.notes: list[str] = []
        """Where its clock was set back and where its writer started anew."""
        self.others: Counter[tuple[int, int]] = Counter()
        """Messages of each (system, component) on the ground: they show listening and go no further."""
        self._systems = systems

    def __iter__(self) -> Iterator[Record]:
        return self.records()

    def records(self) -> Iterator[Record]:
        """In the order of the file, each session ended by RecordingEnded. Raises RecordingError, before the first
        record, where there is no MAVLink message at all."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
            yield from self._records(octets)

    def _records(self, octets: mmap.mmap) -> Iterator[Record]:
        clock = _Clock()
        session: _Session | None = None
        before: list[Entry] = []  # what comes before the first message, and so before any time
        dropped = read = 0
        after_junk = False
        for entry in entries(octets):
            read += 1
            if entry.cut_off is not None:
                self.cut_off = self._cut_off(entry, read - 1)
                if not entry.octets:
                    break
            if session is None and entry.message is None:
                before.append(entry)
                continue
            # Where no message is, what stands in the place of a time is not one.
            at, set_back = clock.read(None if entry.message is None else entry.time)
            if session is None:
                session = _Session(self.link, at, self._systems, self.others)
                yield from (record for early in before for record in session.take(early, at))
            elif entry.message is not None and after_junk and (set_back or at - session.latest > LISTENED_APART):
                self.notes.append(
                    f"{self.path.name}: writing was broken off before offset {entry.offset} and began anew"
                )
                yield from session.end(whole=False)
                at = max(at, session.latest + 1_000)
                session = _Session(self.link, at, self._systems, self.others)
            if set_back:
                self.notes.append(
                    f"{self.path.name}: the clock is set back by {set_back / SECOND:.3f} s at offset {entry.offset}; "
                    "receive times go on from the record before"
                )
            yield from session.take(entry, at)
            after_junk = entry.is_junk
            self.octets_read = entry.offset + len(entry.octets)
            if self.octets_read - dropped > _DROP_PAGES_EVERY:
                # The pages read so far would count as this program's memory.
                dropped = self.octets_read - self.octets_read % mmap.PAGESIZE
                octets.madvise(mmap.MADV_DONTNEED, 0, dropped)
        if session is None:
            raise RecordingError(
                f"{self.path}: no MAVLink message in its {self.size} octets; expected a tlog, that is 8 octets of time "
                "and a message, repeated"
            )
        self.octets_read = self.size
        yield from session.end(whole=self.cut_off is None)

    def _cut_off(self, entry: Entry, before: int) -> str:
        where = f"{self.path.name}: record {before + 1} at offset {entry.offset}"
        return f"{where} {entry.cut_off}; {before} records before it"


@dataclass(slots=True)
class _Clock:
    """The file's clock, made to go on where it was set back."""

    latest: int | None = None
    offset: int = 0

    def read(self, time: int | None) -> tuple[int, int]:
        """The receive time in nanoseconds and by how much the clock was set back just now (0: it was not).
        A record without a time has that of the one before."""
        if self.latest is None:
            self.latest = 0 if time is None else time
            return self.latest, 0
        if time is None:
            return self.latest, 0
        at = time + self.offset
        set_back = 0
        if at < self.latest - SET_BACK:
            set_back = self.latest - at
            self.offset += set_back
            at = self.latest
        self.latest = max(self.latest, at)
        return at, set_back


@dataclass(slots=True)
class _Session:
    """From one start of the writing program to its end: batches of frames and what was listened to between them."""

    link: str
    starts_at: int
    systems: frozenset[int]
    others: Counter[tuple[int, int]]
    latest: int = 0
    """The earth receive time: it never goes back."""
    _sequence: int = 0
    _vehicle: int | None = None
    _times: list[int] = field(default_factory=list)
    _frames: list[bytes] = field(default_factory=list)
    _octets: int = 0
    _heard: deque[int] = field(default_factory=deque)
    """Times of all good records of the last LISTENED_APART."""
    _other_at: int | None = None
    _listened: tuple[int, int] | None = None
    """Shown and not yet told."""
    _told_until: int = 0

    def __post_init__(self) -> None:
        self.latest = self.starts_at

    def take(self, entry: Entry, at: int) -> Iterator[Record]:
        # Time may stand a little before the latest: then this record was written after one received later.
        if self._times and max(at, self.latest) - self._times[0] >= BATCH_SPAN:
            yield from self._flush()
        self.latest = max(at, self.latest)
        message = entry.message
        if message is not None:
            is_vehicle = self._is_vehicle(message.system)
            yield from self._listen(at, is_vehicle)
            if not is_vehicle and not may_be_vehicle(message.system):
                self.others[message.system, message.component] += 1
                return
        self._times.append(at)
        self._frames.append(entry.octets)
        self._octets += len(entry.octets)
        if len(self._frames) >= BATCH_FRAMES or self._octets >= BATCH_OCTETS:
            yield from self._flush()

    def end(self, *, whole: bool) -> Iterator[Record]:
        yield from self._tell_listened()
        yield from self._flush()
        yield RecordingEnded(
            link=self.link, session=self.starts_at, sequence=self._next(), earth_receive_time=self.latest, whole=whole
        )

    def _is_vehicle(self, system: int) -> bool:
        if system in self.systems:
            return True
        if ANY_SYSTEM not in self.systems or not may_be_vehicle(system):
            return False
        if self._vehicle is None:
            self._vehicle = system
        return system == self._vehicle

    def _listen(self, at: int, is_vehicle: bool) -> Iterator[Record]:
        """Joins what this record shows of listening, and tells it when a second of it is there or it broke off."""
        while self._heard and self._heard[0] < at - LISTENED_APART:
            self._heard.popleft()
        starts_at = None
        if not is_vehicle:
            starts_at = min(self._heard, default=None)
            self._other_at = at if self._other_at is None else max(at, self._other_at)
        elif self._other_at is not None:
            if at - self._other_at <= LISTENED_APART:
                starts_at = self._other_at
            else:
                yield from self._listen_alone(at)
        self._heard.append(at)
        if starts_at is None or starts_at >= at:
            return
        if self._listened is not None and starts_at > self._listened[1]:
            yield from self._tell_listened()
        known = self._listened
        self._listened = (starts_at, at) if known is None else (min(starts_at, known[0]), max(at, known[1]))
        if self._listened[1] - self._listened[0] >= BATCH_SPAN:
            yield from self._tell_listened()
            self._listened = (at, at)

    def _listen_alone(self, at: int) -> Iterator[Record]:
        """A moment, once a second, at which only the vehicle shows that the file is being written."""
        yield from self._tell_listened()
        if at - self._told_until >= BATCH_SPAN:
            yield from self._tell(at, at)

    def _tell_listened(self) -> Iterator[Record]:
        shown, self._listened = self._listened, None
        if shown is not None and shown[0] < shown[1]:
            yield from self._tell(*shown)

    def _tell(self, starts_at: int, ends_at: int) -> Iterator[Record]:
        self._told_until = max(self._told_until, ends_at)
        # It follows every frame received before its end.
        yield from self._flush()
        yield Listened(
            link=self.link, session=self.starts_at, sequence=self._next(), earth_receive_time=self.latest,
            starts_at=starts_at, ends_at=ends_at,
        )  # fmt: skip

    def _flush(self) -> Iterator[Record]:
        if not self._frames:
            return
        yield FramesReceived(
            link=self.link, session=self.starts_at, sequence=self._next(), earth_receive_time=self.latest,
            relay_receive_times=np.array(self._times, dtype=np.int64), octets=b"".join(self._frames),
            lengths=tuple(len(frame) for frame in self._frames),
        )  # fmt: skip
        self._times, self._frames, self._octets = [], [], 0

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1
