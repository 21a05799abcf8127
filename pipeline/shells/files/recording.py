"""Recordings (`.mcap`): records in order of arrival -> octets of a file, from which `recording_reader` gives the same
records. Knows the file, and nothing of what is in a record.

MCAP is an open container for timestamped streams, read by other tools too. One channel per topic and key; its
messages are the values of the frames topic, unchanged. A message has no headers: those that are the same for a whole
channel are the channel's metadata, the others are made again from the record, which is why the writer takes only
what it could write back. The mission's text stands in front of the first record, so that a cut-off file keeps it.
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mcap.writer import Writer

from pipeline.errors import RecordError, RecordingError
from pipeline.records import SECOND, Record, Run, decode_record
from pipeline.topics import Message, event_time, frames_message, read_headers

MAGIC: Final = b"\x89MCAP0\r\n"

PROFILE: Final = "relaywatch"
ENCODING: Final = "relaywatch.frames"
"""Of a message: a value of the frames topic."""
MISSION_ATTACHMENT: Final = "mission.toml"

CHUNK_OCTETS: Final = 256 * 1024
CHUNK_SPAN: Final = 1 * SECOND

_CONSTANT: Final = ("ce_specversion", "ce_source", "ce_subject", "ce_origin", "ce_run")
"""Headers that are the same for a topic and key."""


@dataclass(slots=True)
class _Written:
    """A channel of the file that is being written."""

    id: int
    headers: dict[str, str]
    sequence: int = 0


class RecordingWriter:
    """Writes one recording; a context manager. A chunk is closed, and so safe from a kill, after a second of receive
    time or 256 KiB."""

    def __init__(
        self, path: Path, *, mission_text: str | None = None, namespace: str = "relay", place: Path | None = None
    ) -> None:
        """`place`: where it is written for now, if not at `path`. Raises RecordingError where that cannot be."""
        self.path = path
        self.records = 0
        self._namespace = namespace
        self._channels: dict[tuple[str, bytes], _Written] = {}
        self._log_time = 0
        self._chunk_starts_at: int | None = None
        try:
            self._file = (path if place is None else place).open("wb")
        except OSError as fault:
            raise RecordingError(f"{path}: {fault.strerror}") from None
        self._writer = Writer(self._file, chunk_size=CHUNK_OCTETS, enable_data_crcs=True)
        self._writer.start(profile=PROFILE, library="relaywatch")
        if mission_text is not None:
            self._writer.add_attachment(0, 0, MISSION_ATTACHMENT, "application/toml", mission_text.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Writes the index. Raises RecordingError where the disk is full."""
        if self._file.closed:
            return
        try:
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()
        except OSError as fault:
            raise RecordingError(f"{self.path}: {fault.strerror}") from None

    def write(self, record: Record, *, run: Run) -> None:
        """Raises RecordingError where the record could not be written back as it is."""
        self._write(record, frames_message(self._namespace, record, run))

    def write_message(self, message: Message) -> None:
        """A record as it came from Kafka. Raises RecordingError, naming it, where reading the file would not give back
        its value and each of its headers."""
        try:
            record = decode_record(message.key.decode(), message.value)
            namespace = message.topic.rpartition(".")[0]
            again = frames_message(namespace, record, read_headers(message.headers).run)
        except (RecordError, UnicodeDecodeError) as fault:
            raise RecordingError(f"{self._name(message)}: it cannot be recorded: {fault}") from None
        if again != message:
            raise RecordingError(f"{self._name(message)}: it cannot be recorded: {_difference(message, again)}")
        self._write(record, message)

    def flush(self) -> None:
        """What was written so far is in the file, readable, when this returns."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        self._chunk_starts_at = None

    def _write(self, record: Record, message: Message) -> None:
        headers = {name: value.decode() for name, value in message.headers if name in _CONSTANT}
        channel = self._channels.get((message.topic, message.key))
        if channel is None:
            channel_id = self._writer.register_channel(
                message.topic, ENCODING, 0, {"key": message.key.decode(), **headers}
            )
            channel = self._channels[message.topic, message.key] = _Written(channel_id, headers)
        elif channel.headers != headers:
            name = next(name for name in _CONSTANT if channel.headers.get(name) != headers.get(name))
            raise RecordingError(
                f"{self._name(message)}: it cannot be recorded: its {name} is {headers.get(name)!r}, the channel's "
                f"is {channel.headers.get(name)!r}; write each run to a file of its own"
            )
        log_time, publish_time = record.earth_receive_time, event_time(record)
        if min(log_time, publish_time) < 0:
            raise RecordingError(f"{self._name(message)}: it cannot be recorded: its time is before 1970")
        # The order of arrival is the order of the file; whoever sorts by log_time must get the same one.
        self._log_time = max(self._log_time, log_time)
        if self._chunk_starts_at is not None and self._log_time - self._chunk_starts_at >= CHUNK_SPAN:
            self.flush()
        if self._chunk_starts_at is None:
            self._chunk_starts_at = self._log_time
        self._writer.add_message(
            channel.id, self._log_time, message.value, publish_time, channel.sequence & 0xFFFF_FFFF
        )
        channel.sequence += 1
        self.records += 1

    def _name(self, message: Message) -> str:
        ids = [value.decode(errors="replace") for name, value in message.headers if name == "ce_id"]
        return f"{self.path.name}: record {self.records + 1} ({', '.join(ids) or 'without ce_id'}) of {message.topic}"


def _difference(message: Message, again: Message) -> str:
    if message.value != again.value:
        return f"its value of {len(message.value)} octets is not written as relaywatch writes it"
    given, made = dict(message.headers), dict(again.headers)
    for name in [*given, *made]:
        if given.get(name) != made.get(name):
            return f"its header {name} is {given.get(name)!r}, and would be read back as {made.get(name)!r}"
    return "its headers stand in another order, or twice"
