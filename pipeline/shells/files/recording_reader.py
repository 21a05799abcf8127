"""Octets of a recording (`.mcap`, see `recording`) -> its records, in order of arrival and in memory that does not grow
with the file. A file that is cut off or damaged is read up to its last whole chunk, and says where that is.

What is in a record is not looked at, but for its session and whether that was ended.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast, get_args

from mcap.exceptions import McapError
from mcap.records import Attachment, Channel, Chunk, DataEnd, Message, Statistics
from mcap.stream_reader import CRCValidationError, StreamReader, breakup_chunk

from pipeline.errors import RecordError, RecordingError
from pipeline.records import LATEST, DataEnded, OriginKind, Record, RecordingEnded, Run, decode_record
from pipeline.shells.files.arrival import in_order
from pipeline.shells.files.recording import ENCODING, MAGIC, MISSION_ATTACHMENT

# Files of other writers have larger chunks than ours; one that says more than this is damaged.
_LONGEST_CHUNK: Final = 256 << 20
_NOT_COUNTED: Final = 0
"""The count of a message whose writer does not count."""


def is_recording(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_recording(path: Path) -> "Recording":
    """A recording, of which nothing but the mission's text is read yet.

    Raises RecordingError where the file is missing or no MCAP file.
    """
    try:
        size = path.stat().st_size
        if not is_recording(path):
            raise RecordingError(f"{path}: not an MCAP file: it does not start with the octets {MAGIC.hex(' ')}")
    except OSError as fault:
        raise RecordingError(f"{path}: {fault.strerror}") from None
    recording = Recording(path, size)
    recording.mission_text = recording.find_mission()
    return recording


class Recording:
    """One reading of one file: `records` can be iterated once, in memory that does not grow with the file. What was
    found stands in the attributes after it."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.octets_read = 0
        self.mission_text: str | None = None
        self.cut_off: str | None = None
        """Where and how the file stops short, in one line; None where it is whole."""
        self.notes: list[str] = []
        """Messages that are no record, a line each."""
        self.runs: dict[str, Run] = {}
        """Link → the run its records were written with."""
        self._count = 0
        self._open: dict[tuple[str, int], int] = {}
        """Sessions not ended yet → their highest sequence."""
        self._ended: set[tuple[str, int]] = set()
        self._latest = 0
        self._data_is_whole = False

    def __iter__(self) -> Iterator[Record]:
        return self.records()

    def find_mission(self) -> str | None:
        """The text of the mission that was written in front of the first record; None where there is none."""
        for stored in self._parts(mission_only=True):
            if isinstance(stored, Attachment) and stored.name == MISSION_ATTACHMENT:
                return stored.data.decode(errors="replace")
            if isinstance(stored, Message):
                return None
        return None

    def records(self) -> Iterator[Record]:
        """In order of arrival, and a RecordingEnded for each session that had no end of its own.

        Raises RecordingError at the end where there was no record at all.
        """
        yield from in_order(self._stored(), self.notes, self.path.name)
        yield from self._ends()

    def _stored(self) -> Iterator[Record]:
        self.cut_off, self._data_is_whole = None, False
        channels: dict[int, str] = {}
        others: dict[int, str] = {}
        # Channel → the count that its next message must have. A chunk may be damaged so that it passes for something
        # else, which is skipped. Then only this tells: the counts, where the writer counts; a channel that nothing has
        # opened, since the chunk of its first message does; and how many messages the index says there are.
        next_counts: dict[int, int] = {}
        found: Counter[int] = Counter()
        for stored in self._parts():
            if isinstance(stored, Channel):
                if stored.message_encoding == ENCODING and "key" in stored.metadata:
                    channels[stored.id] = stored.metadata["key"]
                    self.runs[stored.metadata["key"]] = _run_of(stored)
                else:
                    others[stored.id] = stored.topic
            elif isinstance(stored, Message) and stored.channel_id in channels:
                found[stored.channel_id] += 1
                link, due = channels[stored.channel_id], next_counts.get(stored.channel_id, stored.sequence)
                if stored.sequence not in (due, _NOT_COUNTED):
                    self.cut_off = self._gap(link, due, stored.sequence)
                    break
                next_counts[stored.channel_id] = (stored.sequence + 1) & 0xFFFF_FFFF
                record = self._read(link, stored)
                if record is not None:
                    yield record
            elif isinstance(stored, Message) and stored.channel_id not in others:
                self.cut_off = self._unopened(stored.channel_id)
                break
            elif isinstance(stored, Statistics):
                self.cut_off = self._missing(channels, found, stored)
        if not self._count:
            held = f"it holds {', '.join(sorted(set(others.values()))[:5])}" if others else "it holds no message at all"
            where = self.cut_off or f"{self.path.name} has no records of relaywatch: {held}"
            raise RecordingError(f"{where}; expected messages of encoding {ENCODING}")

    def _read(self, link: str, stored: Message) -> Record | None:
        self._count += 1
        try:
            record = decode_record(link, stored.data)
        except RecordError as fault:
            self.notes.append(f"{self.path.name}: record {self._count} of link {link} is left out: {fault}")
            return None
        if record.earth_receive_time < LATEST:
            self._latest = max(self._latest, record.earth_receive_time)
        session = (link, record.session)
        if isinstance(record, DataEnded | RecordingEnded):
            self._open.pop(session, None)
            self._ended.add(session)
        elif session not in self._ended:
            self._open[session] = max(self._open.get(session, 0), record.sequence)
        return record

    def _ends(self) -> Iterator[Record]:
        for (link, session), sequence in self._open.items():
            yield RecordingEnded(
                link=link, session=session, sequence=sequence + 1, earth_receive_time=self._latest,
                whole=self._data_is_whole,
            )  # fmt: skip

    def _parts(self, *, mission_only: bool = False) -> Iterator[Any]:
        """Everything in the file, in its order; stops at the last whole chunk and says so in `cut_off`."""
        with self.path.open("rb") as file:
            octets = _WholeReads(file, self.size)
            reader = iter(
                StreamReader(cast(Any, octets), emit_chunks=True, validate_crcs=True, record_size_limit=None).records
            )
            while True:
                whole_until = file.tell()
                try:
                    part = next(reader, None)
                    inside = breakup_chunk(_checked(part), validate_crc=True) if isinstance(part, Chunk) else [part]
                # On octets that are not what they should be the library raises whatever its parts raise: struct.error,
                # UnicodeDecodeError, ZstdError, EndOfFile, ... Each means that the file is good up to here.
                except Exception as fault:
                    self.cut_off = self._cut_off(whole_until, fault)
                    return
                if part is None:
                    if not self._data_is_whole:
                        self.cut_off = self._damaged("nothing in it says that its data end")
                    return
                self._data_is_whole = self._data_is_whole or isinstance(part, DataEnd)
                self.octets_read = 0 if mission_only else file.tell()
                yield from inside

    def _damaged(self, how: str) -> str:
        return f"{self.path.name}: the file is damaged: {how}; the {self._count} records before it are good"

    def _gap(self, link: str, due: int, found: int) -> str:
        return self._damaged(f"message {due} of link {link} is not there, {found} is next")

    def _unopened(self, channel: int) -> str:
        return self._damaged(
            f"before offset {self.octets_read} of {self.size} octets a chunk is not there, the one that says of which "
            f"link channel {channel} is"
        )

    def _missing(self, channels: dict[int, str], found: Counter[int], said: Statistics) -> str | None:
        """In one line of which link there are fewer messages than the index says; None where all are there."""
        for channel, count in said.channel_message_counts.items():
            if channel in channels and found[channel] < count:
                return (
                    f"{self.path.name}: the file is damaged: {count - found[channel]} of the {count} messages of link "
                    f"{channels[channel]} are not there; the {self._count} records that are there are good"
                )
        return None

    def _cut_off(self, at: int, fault: Exception) -> str:
        if isinstance(fault, CRCValidationError) and isinstance(fault.record, DataEnd):
            return (
                f"{self.path.name}: the file is damaged somewhere before offset {at} of {self.size} octets: the sum "
                f"over all its data is another; the {self._count} records read are good, others may be missing"
            )
        stops = isinstance(fault, _CutOffError) and not self._has_its_end()
        what = "is cut off" if stops else f"is damaged ({fault!s:.200})"
        good = f"the {self._count} records before it are good"
        if self._data_is_whole:
            good = f"only its index is touched, all {self._count} records are there"
        return f"{self.path.name}: the file {what} in what follows offset {at} of {self.size} octets; {good}"

    def _has_its_end(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-min(self.size, len(MAGIC)), 2)
            return file.read() == MAGIC


class _CutOffError(Exception):
    """The file ends inside what is being read, or what is being read says that it is longer than it is."""


class _WholeReads:
    """A file whose `read` gives all that was asked for, or raises: the library takes what it gets."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def read(self, count: int) -> bytes:
        left = self._size - self._file.tell()
        if count > left:
            raise _CutOffError(f"a part of it says it has {count} octets more, {left} are left")
        return self._file.read(count)


def _checked(chunk: Chunk) -> Chunk:
    if chunk.uncompressed_size > _LONGEST_CHUNK:
        raise McapError(f"a chunk says it has {chunk.uncompressed_size} octets, at most {_LONGEST_CHUNK} are taken")
    return chunk


def _run_of(channel: Channel) -> Run:
    origin = channel.metadata.get("ce_origin", "")
    if origin not in get_args(OriginKind):
        return Run()
    return Run(id=channel.metadata.get("ce_run", ""), origin=cast(OriginKind, origin))
