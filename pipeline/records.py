"""What a receiver hands over: frames, what it listened to, and the end of its data. Knows the octets of a
record and nothing of Kafka, of files or of what is inside a frame.

Every time is an integer: nanoseconds since 1970-01-01T00:00:00Z, on the clock its name says.
"""

import struct
from dataclasses import MISSING, asdict, dataclass
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import orjson
from msgspec import Meta

from pipeline.errors import RecordError

SECOND: Final = 1_000_000_000
"""Nanoseconds in a second."""
EARLIEST: Final = 31_536_000 * SECOND
"""1971: a clock that nobody set counts from 1970."""
LATEST: Final = 7_258_118_400 * SECOND
"""2200: no time of a record is as late."""

MAX_FRAMES_PER_RECORD: Final = 65_536
MAX_RECORD_OCTETS: Final = 4 << 20
MAX_JSON_OCTETS: Final = 16 << 10
"""Of a record that is not frames: parsed, JSON takes up to thirty times its octets."""
STRETCH: Final = 600 * SECOND
"""Ten minutes, in nanoseconds: what is remembered is kept in stretches of it."""
LISTENED_TO_COUNT: Final = 3
"""Listening records after which a session counts as a receiver's without a good frame: one stray record is none."""
MAX_SIGNAL_LEVEL_DBM: Final = 1_000
"""Above or below 0: no receiver measures more."""
MAX_FRAMES_HEARD: Final = 100_000_000
"""In one listening record, that is in a minute: as many of the shortest frames are 100 Mbit/s."""
MAX_STRETCHES_PER_RECORD: Final = 144
"""In which the frames of one record were received: each costs memory for as long as its run lasts."""

ProductionStatus = Literal["running", "interrupted", "halted"]
LockStatus = Literal["in_lock", "out_of_lock", "not_in_use", "unknown"]
OriginKind = Literal["live", "replay", "test"]

Times = npt.NDArray[np.int64]


class Origin(NamedTuple):
    """Where a record stands in its log: the identity of everything that is made from it."""

    topic: str
    partition: Annotated[int, Meta(ge=0, lt=1 << 31)]
    offset: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Whose records these are. State, incidents and flights of two runs never meet."""

    id: str = ""
    """Empty when live."""
    origin: OriginKind = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What every record of a receiver says of itself."""

    link: str
    session: int
    """Relay receive time at which the receiver started: with the link, the name of the session."""
    sequence: int
    """Counts the records of a session from 0: makes the record's id, and says nothing about order of arrival."""
    earth_receive_time: int

    @property
    def id(self) -> str:
        return f"{self.link}/{self.session}/{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FramesReceived(Received):
    """One or more whole transfer frames of one physical channel, as they were received."""

    relay_receive_times: Times
    """One a frame; they need not ascend."""
    octets: bytes
    """The frames one after the other, unchanged."""
    lengths: tuple[int, ...] | None = None
    """Octets of each frame; None where all have the same length, which is then `frame_length`."""
    frame_length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened(Received):
    """The receiver listened in [starts_at, ends_at) on its own clock, whether or not it heard anything. It
    follows every frame received before `ends_at` on that link."""

    starts_at: int
    ends_at: int
    production_status: ProductionStatus = "running"
    carrier_lock: LockStatus = "unknown"
    subcarrier_lock: LockStatus = "not_in_use"
    symbol_sync_lock: LockStatus = "unknown"
    signal_level_dbm: int | float | None = None
    """As it was sent: a whole number stays one wherever it is read."""
    frames_heard: int | None = None
    """Receptions in the interval, bad and repeated ones too; None where the receiver does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEnded(Received):
    """`end_of_data`: the receiver ended this session itself, at `relay_receive_time`."""

    relay_receive_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStopped(Received):
    """`no_delivery`: `ingest` knows this link and nothing has come from it. Earth time only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded(Received):
    """The reader of a recording reached the end of it, in a session that had no `end_of_data`."""

    whole: bool = True
    """False where the file itself is cut off."""


Record = FramesReceived | Listened | DataEnded | DeliveryStopped | RecordingEnded

RecordKind = Literal["received", "listened", "end_of_data", "no_delivery", "recording_ended"]
KINDS: Final[dict[type[Received], RecordKind]] = {
    FramesReceived: "received",
    Listened: "listened",
    DataEnded: "end_of_data",
    DeliveryStopped: "no_delivery",
    RecordingEnded: "recording_ended",
}
_CLASSES: Final[dict[str, type[Received]]] = {kind: record for record, kind in KINDS.items()}

# Frames travel as they are; only what the octets do not say goes before them. Big-endian:
#
#   0  4 magic "RWF1"       8  8 session            24  8 earth receive time    40  n x 8 relay receive times
#   4  4 frames n          16  8 sequence           32  4 frame length          then, where the frame length
#                                                   36  4 zero                  is 0, n x 4 lengths; the frames
_HEADER: Final = struct.Struct(">4sIqQqII")
_MAGIC: Final = b"RWF1"


def encode_record(record: Record) -> bytes:
    """The octets of a record's value. `decode_record` of them with the same link gives an equal record."""
    if isinstance(record, FramesReceived):
        count = len(record.relay_receive_times)
        header = _HEADER.pack(
            _MAGIC, count, record.session, record.sequence, record.earth_receive_time, record.frame_length, 0
        )
        times = np.asarray(record.relay_receive_times, dtype=">i8").tobytes()
        lengths = b"" if record.lengths is None else struct.pack(f">{count}I", *record.lengths)
        return header + times + lengths + record.octets
    body: dict[str, Any] = {"kind": KINDS[type(record)]}
    for name in record.__dataclass_fields__:
        if name != "link":
            body[name] = getattr(record, name)
    return orjson.dumps(body)


def decode_record(link: str, value: bytes) -> Record:
    """The record in a value of the frames topic. Raises RecordError where the octets are not one."""
    if len(value) > MAX_RECORD_OCTETS:
        raise RecordError("too_large", f"record of {len(value)} octets; at most {MAX_RECORD_OCTETS} are taken")
    if value[:4] == _MAGIC:
        return _decode_frames(link, value)
    if len(value) > MAX_JSON_OCTETS:
        raise RecordError(
            "too_large", f"record of {len(value)} octets that are not frames; at most {MAX_JSON_OCTETS} are taken"
        )  # fmt: skip
    body = read_fields(value, "record", "neither frames nor JSON")
    record_class = _CLASSES.get(str(body.get("kind")))
    if record_class is None or record_class is FramesReceived:
        raise RecordError("undecodable", f"record kind is not one of {', '.join(sorted(_CLASSES))}")
    return _from_json(link, record_class, body)


def read_fields(value: bytes, what: str, no_json: str = "not JSON") -> dict[str, Any]:
    """The fields of a JSON object whose values are numbers, texts, true, false or null; an empty one of any other JSON.
    Raises RecordError where the octets are no JSON, or a field holds an array or an object.

    Nothing that others send us is nested, and what stands a thousand deep could not even be named in a message."""
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as fault:
        raise RecordError("undecodable", f"{what} of {len(value)} octets is {no_json}: {fault}") from None
    fields = body if isinstance(body, dict) else {}
    nested = next((name for name, one in fields.items() if isinstance(one, list | dict)), None)
    if nested is not None:
        raise RecordError("undecodable", f"{what}: {nested!r:.60} holds an array or an object; no field of ours does")
    return fields


def check_listened(record: Listened) -> None:
    """Raises RecordError where it is none that `decode_record` would give."""
    body = {name: one for name, one in asdict(record).items() if name != "link"}
    _from_json(record.link, Listened, {"kind": KINDS[Listened], **body})


def _decode_frames(link: str, value: bytes) -> FramesReceived:
    if len(value) < _HEADER.size:
        raise RecordError("undecodable", f"record stops after {len(value)} octets of a {_HEADER.size}-octet header")
    _, count, session, sequence, earth, frame_length, _ = _HEADER.unpack_from(value)
    if sequence >= 1 << 63:
        raise RecordError("undecodable", f"record has sequence {sequence}; it counts the records of a session from 0")
    if count > MAX_FRAMES_PER_RECORD:
        raise RecordError("too_large", f"record says it holds {count} frames; at most {MAX_FRAMES_PER_RECORD}")
    at = _HEADER.size + 8 * count
    end_of_lengths = at if frame_length else at + 4 * count
    if len(value) < end_of_lengths:
        raise RecordError("undecodable", f"record of {len(value)} octets is too short for the times of {count} frames")
    times = np.frombuffer(value, ">i8", count, _HEADER.size).astype(np.int64)
    stretches = np.unique(times // STRETCH).size if count > MAX_STRETCHES_PER_RECORD else 0
    if stretches > MAX_STRETCHES_PER_RECORD:
        raise RecordError(
            "too_large", f"record of frames that were received in {stretches} stretches of ten minutes; at most "
            f"{MAX_STRETCHES_PER_RECORD} are taken"
        )  # fmt: skip
    lengths = None if frame_length else struct.unpack_from(f">{count}I", value, at)
    octets = value[end_of_lengths:]
    expected = count * frame_length if lengths is None else sum(lengths)
    if len(octets) != expected:
        raise RecordError("undecodable", f"record holds {len(octets)} octets of frames, its header says {expected}")
    return FramesReceived(
        link=link, session=session, sequence=sequence, earth_receive_time=earth,
        relay_receive_times=times, octets=octets, lengths=lengths, frame_length=frame_length,
    )  # fmt: skip


_LOCKS: Final = set(get_args(LockStatus))
_TEXTS: Final = {
    "production_status": set(get_args(ProductionStatus)),
    "carrier_lock": _LOCKS,
    "subcarrier_lock": _LOCKS,
    "symbol_sync_lock": _LOCKS,
}


def _from_json(link: str, record_class: type[Received], body: dict[str, Any]) -> Record:
    fields = record_class.__dataclass_fields__
    for name, value in body.items():
        if name != "kind" and (name not in fields or name == "link" or not _fits(name, value)):
            raise RecordError("undecodable", f"record of kind {body['kind']}: {name} = {value!r:.60} is not expected")
    try:
        record = record_class(link=link, **{name: value for name, value in body.items() if name != "kind"})
    except TypeError:
        missing = [name for name, one in fields.items() if one.default is MISSING and name not in ("link", *body)]
        raise RecordError("undecodable", f"record of kind {body['kind']} needs {', '.join(missing)}") from None
    return record  # type: ignore[return-value]


def _fits(name: str, value: object) -> bool:
    if name in _TEXTS:
        return isinstance(value, str) and value in _TEXTS[name]
    if name == "whole":
        return isinstance(value, bool)
    if name == "signal_level_dbm":
        return value is None or (
            isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_SIGNAL_LEVEL_DBM
        )
    if name == "frames_heard" and value is None:
        return True
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 63:
        return False
    if name == "frames_heard":
        return 0 <= value <= MAX_FRAMES_HEARD
    return value >= 0 or name != "sequence"
