"""Telemetry logs of drone ground stations (`.tlog`): octets of a file -> records of a receiver. Knows the file; what a
message means is not read here.

A record of the file is a big-endian count of microseconds since 1970 (8 octets) and one whole message. The clock is
that of the program that wrote the file: it is the relay's receive clock and the earth's, and it can be set while the
program runs. Time goes on here where it was set back, because every rule runs on it; `notes` says where and by how
much. Where it was set forward it is left as it stands: that looks the same as a pause. A few records whose time fits
neither what stands before them nor what follows have a bad time: it is set aside, and what follows keeps its own.

Every message is a frame, that of a ground station or a ground modem too: it proves that the file was being written.
"""

import datetime as dt
import mmap
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.errors import RecordingError
from pipeline.frames.mavlink import starts_whole_message
from pipeline.mission.model import Link, Mission
from pipeline.records import SECOND, FramesReceived, Record, RecordingEnded
from pipeline.shells.files.tlog_entries import Entry, entries

BROKEN_OFF: Final = 3 * SECOND
"""After octets that are no message a time that is further from the one before shows that writing began anew."""

SET_BACK: Final = 1 * SECOND
"""A clock that falls back by more was set; by less, two records were written in another order than received."""

SET_FORWARD: Final = 10 * SECOND
"""A time further ahead may be a bad one: what follows shows whether it is."""

BAD_TIMES: Final = 8
"""So many records one after the other may have a bad time; where more do, the clock was set."""

LONGEST_PAUSE: Final = 86_400 * SECOND
"""After the first record of a file."""

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
    return Tlog(path, link, size)


class Tlog:
    """One reading of one file; `records` can be iterated once. What it found stands in the attributes after it."""

    def __init__(self, path: Path, link: Link, size: int) -> None:
        self.path = path
        self.link = link.name
        self.size = size
        self.octets_read = 0
        self.cut_off: str | None = None
        """Where and how the file stops short, in one line; None where its last record is whole."""
        self.notes: list[str] = []
        """Where its clock was set back and where its writer started anew."""

    def __iter__(self) -> Iterator[Record]:
        return self.records()

    def records(self) -> Iterator[Record]:
        """In the order of the file, each session ended by RecordingEnded. Raises RecordingError, before the first
        record, where there is no MAVLink message at all."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
            yield from self._records(octets)

    def _records(self, octets: mmap.mmap) -> Iterator[Record]:
        if messages := _messages_without_times(octets):
            raise RecordingError(
                f"{self.path}: MAVLink messages without receive times ({messages} in a row at its beginning); "
                "a tlog has 8 octets of time before each. Without them nothing can be said of silence: give a ground "
                "station's .tlog, not its .raw or a serial dump"
            )
        clock = _Clock()
        session: _Session | None = None
        before: list[Entry] = []  # what comes before the first message, and so before any time
        dropped = read = 0
        after_junk = False
        for entry, following in _with_following(entries(octets)):
            read += 1
            if entry.cut_off is not None:
                self.cut_off = self._cut_off(entry, read - 1)
                if not entry.octets:
                    break
            if session is None and entry.message is None:
                before.append(entry)
                continue
            # Where no message is, what stands in the place of a time is not one.
            is_bad = entry.message is not None and clock.is_bad(entry.time, following)
            if is_bad:
                self.notes.append(
                    f"{self.path.name}: the time of record {read} at offset {entry.offset}, {_utc(entry.time)}, fits "
                    "neither the records before it nor those after it: it is set aside, and the record has the time of "
                    "the one before"
                )
            time = clock.instead(following) if is_bad else entry.time
            at, set_back = clock.read(None if entry.message is None else time)
            if session is None:
                session = _Session(self.link, at)
                yield from (record for early in before for record in session.take(early, at))
            elif entry.message is not None and after_junk and (set_back or at - session.latest > BROKEN_OFF):
                self.notes.append(
                    f"{self.path.name}: writing was broken off before offset {entry.offset} and began anew"
                )
                yield from session.end(whole=False)
                at = max(at, session.latest + 1_000)
                session = _Session(self.link, at)
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


def _messages_without_times(octets: mmap.mmap) -> int:
    """How many messages stand at the beginning, one after the other, where there is no time between them; 0: none."""
    at = found = 0
    while found < BAD_TIMES and (length := starts_whole_message(octets, at)):
        at, found = at + length, found + 1
    return found if found > 1 or (found and at == len(octets)) else 0


def _with_following(found: Iterator[Entry]) -> Iterator[tuple[Entry, list[int]]]:
    """Each entry, with the times of the next messages."""
    waiting: deque[Entry] = deque()
    for entry in found:
        waiting.append(entry)
        if len(waiting) > BAD_TIMES:
            yield waiting.popleft(), _times(waiting)
    while waiting:
        yield waiting.popleft(), _times(waiting)


def _times(waiting: Iterable[Entry]) -> list[int]:
    return [entry.time for entry in waiting if entry.message is not None and entry.time is not None]


def _utc(time: int | None) -> str:
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=(time or 0) // SECOND)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(slots=True)
class _Clock:
    """The file's clock, made to go on where it was set back."""

    latest: int | None = None
    offset: int = 0

    def is_bad(self, time: int | None, following: list[int]) -> bool:
        """Whether a time fits neither what stands before it nor what follows."""
        if time is None:
            return False
        if self.latest is None:
            # Of the first nothing is known but what follows, which agrees with itself or not.
            agree = len(following) > 1 and 0 <= following[1] - following[0] <= SET_FORWARD
            return agree and not any(-SET_BACK <= one - time <= LONGEST_PAUSE for one in following)
        at = time + self.offset
        if -SET_BACK <= at - self.latest <= SET_FORWARD:
            return False
        goes_on = (one + self.offset for one in following)
        if at > self.latest:
            return any(self.latest - SET_BACK <= one < at - SET_BACK for one in goes_on)
        return any(self.latest - SET_BACK <= one <= self.latest + SET_FORWARD for one in goes_on)

    def instead(self, following: list[int]) -> int | None:
        """The time for a record whose own is bad: that of the one before it; for the first, of the one after it."""
        return following[0] if self.latest is None else None

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
    """From one start of the writing program to its end: batches of frames."""

    link: str
    starts_at: int
    latest: int = 0
    """The earth receive time: it never goes back."""
    _sequence: int = 0
    _times: list[int] = field(default_factory=list)
    _frames: list[bytes] = field(default_factory=list)
    _octets: int = 0

    def __post_init__(self) -> None:
        self.latest = self.starts_at

    def take(self, entry: Entry, at: int) -> Iterator[Record]:
        # Time may stand a little before the latest: then this record was written after one received later.
        if self._times and max(at, self.latest) - self._times[0] >= BATCH_SPAN:
            yield from self._flush()
        self.latest = max(at, self.latest)
        self._times.append(at)
        self._frames.append(entry.octets)
        self._octets += len(entry.octets)
        if len(self._frames) >= BATCH_FRAMES or self._octets >= BATCH_OCTETS:
            yield from self._flush()

    def end(self, *, whole: bool) -> Iterator[Record]:
        yield from self._flush()
        yield RecordingEnded(
            link=self.link, session=self.starts_at, sequence=self._next(), earth_receive_time=self.latest, whole=whole
        )

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
