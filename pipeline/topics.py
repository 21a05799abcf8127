"""Every topic: its name, key, partitions, how long it is kept, what its records are called and where their schema
stands; and the records themselves, as CloudEvents 1.0 in binary mode. Knows no Kafka client."""

import base64
import datetime as dt
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, cast, get_args

import orjson

from pipeline.commands import KINDS as COMMANDS
from pipeline.commands import Command, Given, encode_command, encode_given, kind_of
from pipeline.errors import RecordError
from pipeline.heartbeat import Heartbeat
from pipeline.mission.model import Link, Mission, Vehicle
from pipeline.outputs import Flight, Output, Revision, rfc3339
from pipeline.records import (
    KINDS,
    MAX_RECORD_OCTETS,
    DataEnded,
    FramesReceived,
    Listened,
    Origin,
    OriginKind,
    Record,
    Run,
    encode_record,
    read_fields,
)
from pipeline.set_aside import KEPT_A_SECOND, SET_ASIDE, SET_ASIDE_AFTER, Range
from pipeline.telemetry import Telemetry, encode_telemetry
from pipeline.texts import first_control

TopicName = Literal["frames", "telemetry", "alerts", "flights", "rejected", "commands", "heartbeat"]
FOR_EVER: Final = -1
_DAY_MS: Final = 86_400_000
_SMALL: Final = 1 << 20
_ROOMY: Final = 64 << 30
_REMEMBERED: Final = 1024
"""Headers of a topic, kind and run are made and read once."""

JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic of a namespace. `asyncapi.yaml` says the same, and a test compares them."""

    name: TopicName
    key: str
    """What the record's key names."""
    partitions: int
    """Where `topics create` is not told otherwise."""
    cleanup_policy: Literal["delete", "compact"]
    retention_ms: int
    """By Kafka's timestamp, which is processing time: a replay of an old flight is kept as long as a new one."""
    schemas: Mapping[str, str]
    """Kind of record → its file in `schemas/` without .json."""
    retention_octets: int = FOR_EVER
    """Of one partition; whichever of the two comes first."""
    max_message_octets: int = _SMALL

    def full_name(self, namespace: str) -> str:
        return f"{namespace}.{self.name}"

    def ce_type(self, kind: str) -> str:
        return f"org.relaywatch.{self.name}.{kind}.v1"


_RECORD_KINDS: Final = tuple(KINDS.values())

TOPICS: Final[dict[TopicName, Topic]] = {
    topic.name: topic
    for topic in (
        Topic(
            name="frames", key="link", partitions=4, cleanup_policy="delete", retention_ms=30 * _DAY_MS,
            schemas={kind: f"frames.{kind}" for kind in (*_RECORD_KINDS, "resumed")}, retention_octets=_ROOMY,
            max_message_octets=5 << 20,
        ),
        Topic(
            name="telemetry", key="vehicle", partitions=4, cleanup_policy="delete", retention_ms=30 * _DAY_MS,
            schemas={**dict.fromkeys(_RECORD_KINDS, "telemetry"), "command": "telemetry.command"},
            retention_octets=_ROOMY, max_message_octets=8 << 20,
        ),
        # Never compacted: compaction would eat revisions.
        Topic(
            name="alerts", key="incident_id", partitions=4, cleanup_policy="delete", retention_ms=FOR_EVER,
            schemas=dict.fromkeys(("initial", "update", "retraction"), "alerts"),
        ),
        Topic(
            name="flights", key="run/vehicle/flight", partitions=4, cleanup_policy="compact", retention_ms=FOR_EVER,
            schemas={"facts": "flights"},
        ),
        Topic(
            name="rejected", key="as it came", partitions=1, cleanup_policy="delete", retention_ms=30 * _DAY_MS,
            schemas={"record": "rejected", "range": "rejected.range", "resumed": "rejected.range"},
            max_message_octets=8 << 20,
        ),
        Topic(
            name="commands", key="vehicle", partitions=4, cleanup_policy="delete", retention_ms=FOR_EVER,
            schemas=dict.fromkeys(COMMANDS.values(), "commands"),
        ),
        Topic(
            name="heartbeat", key="worker", partitions=1, cleanup_policy="delete", retention_ms=_DAY_MS,
            schemas={"beat": "heartbeat"},
        ),
    )
}  # fmt: skip


def link_partition(mission: Mission, link: str, partitions: int) -> int:
    """Links are few, and few keys hash badly (four fell on two of four partitions): the mission's order spreads them.
    A link added at the end of a mission file moves no other. One the mission does not know goes by its CRC-32."""
    return _place(mission.links, link, partitions)


def vehicle_partition(mission: Mission, vehicle: str, partitions: int) -> int:
    """As `link_partition`. Alerts and flights go where their vehicle's telemetry goes, in its order."""
    entry = mission.entry_of(vehicle)
    return _place(mission.vehicles, vehicle if entry is None else entry.name, partitions)


def _place(named: Iterable[Link | Vehicle], name: str, partitions: int) -> int:
    for place, one in enumerate(named):
        if one.name == name:
            return place % partitions
    return zlib.crc32(name.encode()) % partitions


Headers = tuple[tuple[str, bytes], ...]


class Message(NamedTuple):
    """What goes to Kafka but for the partition."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Envelope(NamedTuple):
    """The CloudEvents attributes of a record, out of its headers."""

    topic: TopicName
    kind: str
    id: str
    source: str
    subject: str
    time: str
    """Event time, RFC 3339 with nanoseconds."""
    run: Run
    content_type: str
    published: str = ""
    """Of telemetry: Kafka's timestamp of the record that it was made from, RFC 3339. Says how long the way took."""


def write_headers(envelope: Envelope) -> Headers:
    """`ce_` and the attribute; the content type has no prefix. `ce_run` is left out when live: CloudEvents has no
    empty attribute."""
    before, after = _same_headers(envelope.topic, envelope.kind, envelope.source, envelope.run, envelope.content_type)
    own = (
        ("ce_id", envelope.id), ("ce_subject", envelope.subject), ("ce_time", envelope.time),
        ("ce_published", envelope.published),
    )  # fmt: skip
    return (*before, *((name, value.encode()) for name, value in own if value), *after)


@lru_cache(_REMEMBERED)
def _same_headers(topic: TopicName, kind: str, source: str, run: Run, content_type: str) -> tuple[Headers, Headers]:
    """Those that many records have in common, before and after a record's own."""
    described = TOPICS[topic]
    before = {"ce_specversion": "1.0", "ce_type": described.ce_type(kind), "ce_source": source}
    after = {
        "ce_dataschema": schema_id(described.schemas[kind]), "ce_origin": run.origin, "ce_run": run.id,
        "content-type": content_type,
    }  # fmt: skip
    written = [tuple((name, value.encode()) for name, value in part.items() if value) for part in (before, after)]
    return written[0], written[1]


def schema_id(schema: str) -> str:
    return f"urn:relaywatch:schema:{schema}:v1"


MAX_HEADERS: Final = 64
MAX_HEADER_OCTETS: Final = 16 << 10
"""Of all headers of a record together."""
UNREAD: Final = "relaywatch-unread"
"""Header of a record that stands for others, which could not be unfolded: `reason:message`. Nobody sends it; who does
has his record rejected."""
_UNREAD_REASONS: Final = ("too_large", "undecodable")

MAX_HEADER_TEXT: Final = 1_000
"""Characters of one of ours: the longest is the id of a record, with the names of its run and link in it."""
_SHOWN: Final = ("ce_id", "ce_source", "ce_subject", "ce_time", "ce_published", "content-type")
"""Those that go on into other records, logs and tables."""
_REQUIRED: Final = ("ce_specversion", "ce_type", "ce_source", "ce_id", "ce_origin", "content-type")


def read_headers(headers: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> Envelope:
    """The inverse of `write_headers`. Raises RecordError "bad_headers", naming the header; or with the reason for which
    what the record stands for was not read."""
    given = dict(headers)
    _check_amount(given)
    name = ""
    try:
        texts = {(name := each).lower(): value.decode() if value else "" for each, value in given.items()}
    except UnicodeDecodeError:
        raise RecordError("bad_headers", f"header {name} is not UTF-8") from None
    if not all(map(texts.get, _REQUIRED)):
        missing = [name for name in _REQUIRED if not texts.get(name)]
        raise RecordError("bad_headers", f"record has no header {', '.join(missing)}")
    if texts["ce_specversion"] != "1.0":
        raise RecordError("bad_headers", f"ce_specversion is {texts['ce_specversion']!r:.20}; 1.0 is taken")
    topic, kind = _read_type(texts["ce_type"])
    for name in _SHOWN:
        text = texts.get(name, "")
        if len(text) > MAX_HEADER_TEXT or first_control(text) is not None:
            raise RecordError(
                "bad_headers",
                f"{name} is {text!r:.80}: at most {MAX_HEADER_TEXT} characters and no control characters are taken",
            )  # fmt: skip
    return Envelope(
        topic=topic, kind=kind, id=texts["ce_id"], source=texts["ce_source"], subject=texts.get("ce_subject", ""),
        time=texts.get("ce_time", ""), run=_read_run(texts["ce_origin"], texts.get("ce_run", "")),
        content_type=texts["content-type"], published=texts.get("ce_published", ""),
    )  # fmt: skip


@lru_cache(_REMEMBERED)
def _read_run(origin: str, run: str) -> Run:
    if origin not in get_args(OriginKind):
        raise RecordError("bad_headers", f"ce_origin is {origin!r:.20}; live, replay or test is taken")
    # The incidents of live data are named as those of a run `live` would be.
    if bool(run) == (origin == "live") or "|" in run or len(run) > 128 or not run.isprintable() or run == "live":
        raise RecordError(
            "bad_headers", f"ce_run is {run!r:.140} with ce_origin {origin}: a live record has none, any other has one "
            "of at most 128 printable characters without |, and not live"
        )  # fmt: skip
    return Run(id=run, origin=cast(OriginKind, origin))


def _check_amount(headers: Mapping[str, bytes]) -> None:
    if UNREAD in headers:
        reason, _, message = (headers[UNREAD] or b"").decode(errors="replace").partition(":")
        raise RecordError(reason if reason in _UNREAD_REASONS else "bad_headers", f"{message:.500}")
    octets = sum(map(len, headers)) + sum(map(len, filter(None, headers.values())))
    if len(headers) > MAX_HEADERS or octets > MAX_HEADER_OCTETS:
        raise RecordError("bad_headers", too_many_headers(len(headers), octets))


def too_many_headers(count: int, octets: int) -> str:
    return f"record has {count} headers of {octets} octets; at most {MAX_HEADERS} of {MAX_HEADER_OCTETS} are taken"


def run_of(headers: Mapping[str, bytes]) -> Run:
    """Whose a record is that may have been rejected for its headers: live where they do not say."""
    try:
        return read_headers(headers).run
    except RecordError:
        return Run()


def published_at(headers: Mapping[str, bytes]) -> int | None:
    """Nanoseconds of `ce_published`; None where it is missing or no time."""
    try:
        moment = dt.datetime.fromisoformat(headers["ce_published"].decode())
        return int(moment.timestamp() * 1_000_000) * 1000
    except (KeyError, ValueError):
        return None


@lru_cache(_REMEMBERED)
def _read_type(ce_type: str) -> tuple[TopicName, str]:
    for topic in TOPICS.values():
        for kind in topic.schemas:
            if ce_type == topic.ce_type(kind):
                return topic.name, kind
    raise RecordError("bad_headers", f"ce_type is {ce_type!r:.80}; expected org.relaywatch.<topic>.<kind>.v1")


def frames_message(namespace: str, record: Record, run: Run) -> Message:
    """A receiver's record on its way in."""
    envelope = Envelope(
        topic="frames", kind=KINDS[type(record)], id=f"{run.id}/{record.id}" if run.id else record.id,
        source=f"links/{record.link}", subject=record.link, time=rfc3339(event_time(record)) or "", run=run,
        content_type=OCTETS if isinstance(record, FramesReceived) else JSON,
    )  # fmt: skip
    return _message(namespace, record.link, encode_record(record), envelope)


def event_time(record: Record) -> int:
    """On the relay's clock where the record has a time on it, else on the earth's."""
    if isinstance(record, FramesReceived):
        times = record.relay_receive_times
        return int(times[-1]) if len(times) else record.earth_receive_time
    if isinstance(record, Listened):
        return record.ends_at
    return record.relay_receive_time if isinstance(record, DataEnded) else record.earth_receive_time


def telemetry_message(namespace: str, telemetry: Telemetry, run: Run, published: int | None = None) -> Message:
    """`published`: Kafka's timestamp of the record that it was made from, nanoseconds."""
    moment = telemetry.earth_receive_time if telemetry.relay_receive_time is None else telemetry.relay_receive_time
    envelope = Envelope(
        topic="telemetry", kind=telemetry.kind, id=f"{telemetry.origin}/{telemetry.vehicle}",
        source="relaywatch/decode", subject=telemetry.vehicle, time=rfc3339(moment) or "", run=run, content_type=JSON,
        published=rfc3339(published) or "",
    )  # fmt: skip
    return _message(namespace, telemetry.vehicle, encode_telemetry(telemetry), envelope)


def command_message(namespace: str, command: Command, run: Run) -> Message:
    """A person's command on its way in."""
    envelope = Envelope(
        topic="commands", kind=kind_of(command), id=command.id, source="relaywatch/people", subject=command.vehicle,
        time=rfc3339(command.at) or "", run=run, content_type=JSON,
    )  # fmt: skip
    return _message(namespace, command.vehicle, encode_command(command), envelope)


def given_message(namespace: str, given: Given, run: Run) -> Message:
    """The same as it goes on, in the order of the telemetry."""
    envelope = Envelope(
        topic="telemetry", kind="command", id=f"{given.origin}/{given.vehicle}", source="relaywatch/decode",
        subject=given.vehicle, time=rfc3339(given.command.at) or "", run=run, content_type=JSON,
    )  # fmt: skip
    return _message(namespace, given.vehicle, encode_given(given), envelope)


def output_message(namespace: str, output: Output) -> Message:
    """A revision to the alerts, the facts of a flight to the flights."""
    run, moment = Run(id=output.run, origin=output.origin), rfc3339(output.known_at) or ""
    if isinstance(output, Revision):
        topic, kind, key, subject = "alerts", str(output.kind), output.incident_id, output.subject
    else:
        topic, kind, key, subject = "flights", "facts", output.key, output.vehicle
    envelope = Envelope(
        topic=cast(TopicName, topic), kind=kind, id=output.id, source="relaywatch/watch", subject=subject, time=moment,
        run=run, content_type=JSON,
    )  # fmt: skip
    return _message(namespace, key, output.encode(), envelope)


def heartbeat_message(namespace: str, beat: Heartbeat) -> Message:
    envelope = Envelope(
        topic="heartbeat", kind="beat", id=f"{beat.worker}/{beat.process}/{beat.sequence}",
        source=f"relaywatch/worker/{beat.worker}", subject=beat.worker, time=rfc3339(beat.at) or "", run=Run(),
        content_type=JSON,
    )  # fmt: skip
    return _message(namespace, beat.worker, beat.encode(), envelope)


def vehicle_of(output: Output) -> str:
    return output.vehicle if isinstance(output, Flight) or output.vehicle else output.subject


class Resumed(NamedTuple):
    """What a record of the frames topic says that has a run taken again."""

    run: Run
    command: str
    """The id of the command."""


RESUMED_TYPE: Final = b"org.relaywatch.frames.resumed.v1"


def resumed_message(namespace: str, command: Command, run: Run, partition: int) -> Message:
    """A person's command on its way to `decode`, in the order of the frames."""
    envelope = Envelope(
        topic="frames", kind="resumed", id=f"{command.id}/{partition}", source="relaywatch/people", subject=run.id,
        time=rfc3339(command.at) or "", run=run, content_type=JSON,
    )  # fmt: skip
    body = {"command": command.id, "by": command.by, "why": command.why, "at": rfc3339(command.at)}
    return _message(namespace, run.id, orjson.dumps(body), envelope)


def read_resumed(headers: Mapping[str, bytes], value: bytes | None) -> Resumed | None:
    """None of a record that does not say it."""
    if headers.get("ce_type") != RESUMED_TYPE:
        return None
    try:
        return Resumed(read_headers(headers).run, f"{read_fields(value or b'', 'resumption')['command']:.100}")
    except (RecordError, KeyError, ValueError):
        return None


def range_message(namespace: str, topic: str, partition: int, passed_over: Range) -> Message:
    """Records of a partition that are named by their offsets alone; its time is Kafka's timestamp of the last."""
    place = f"{topic}/{partition}@{passed_over.first}-{passed_over.last}"
    envelope = Envelope(
        topic="rejected", kind="resumed" if passed_over.command else "range",
        id=f"{place}/{passed_over.command or passed_over.reason}", source="relaywatch/worker",
        subject=passed_over.reason, time=rfc3339(passed_over.ended_at) or "",
        run=Run(id=passed_over.run, origin=passed_over.origin), content_type=JSON,
    )  # fmt: skip
    body = {
        "reason": passed_over.reason, "message": _range_in_words(passed_over), "run": passed_over.run,
        "origin": {"topic": topic, "partition": partition, "offset": passed_over.first},
        "last_offset": passed_over.last, "records": passed_over.records, "why": passed_over.why,
        "command": passed_over.command or None,
    }  # fmt: skip
    return _message(namespace, passed_over.run, orjson.dumps(body), envelope)


def _range_in_words(passed_over: Range) -> str:
    offsets = f"between offsets {passed_over.first} and {passed_over.last}"
    if passed_over.command:
        return (
            f"run {passed_over.run!r} is taken again from offset {passed_over.last + 1} on; of its "
            f"{passed_over.records} records {offsets} none was taken"
        )
    if passed_over.reason == SET_ASIDE:
        return (
            f"run {passed_over.run!r} is set aside, since none of its last {SET_ASIDE_AFTER} records was good: "
            f"{passed_over.records} more {offsets} were passed over. With the cause mended: relaywatch rejected resume"
        )
    return (
        f"{passed_over.records} records of no known link or vehicle {offsets} are not kept: of more than "
        f"{KEPT_A_SECOND} a second only their offsets are"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What could not be taken, whole: so that it can be looked at, and published again."""

    reason: str
    """A short fixed word, the metric's label."""
    message: str
    origin: Origin
    key: bytes | None
    headers: Mapping[str, bytes]
    value: bytes | None

    def encode(self) -> bytes:
        """Octets as base64, since neither key nor header nor value need be text."""
        kept = (self.value or b"")[: MAX_RECORD_OCTETS + _SMALL]
        return orjson.dumps({
            "reason": self.reason, "message": self.message,
            "origin": {"topic": self.origin.topic, "partition": self.origin.partition, "offset": self.origin.offset},
            "key": None if self.key is None else _base64(self.key),
            "headers": {name: _base64(value or b"") for name, value in self.headers.items()},
            "octets": _base64(kept), "length": len(self.value or b""),
        })  # fmt: skip


def rejected_message(namespace: str, rejected: Rejected, run: Run, time: int) -> Message:
    """`time` is Kafka's timestamp of the record: of one that cannot be read no other is known."""
    envelope = Envelope(
        topic="rejected", kind="record", id=str(rejected.origin), source="relaywatch/worker", subject=rejected.reason,
        time=rfc3339(time) or "", run=run, content_type=JSON,
    )  # fmt: skip
    message = _message(namespace, "", rejected.encode(), envelope)
    return message._replace(key=rejected.key or b"")


def _message(namespace: str, key: str, value: bytes, envelope: Envelope) -> Message:
    return Message(TOPICS[envelope.topic].full_name(namespace), key.encode(), value, write_headers(envelope))


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def frames_view(record: FramesReceived) -> dict[str, Any]:
    """The header of a frames record as JSON: what its schema describes, since the record itself is octets."""
    return {
        "magic": "RWF1", "frames": len(record.relay_receive_times), "session": record.session,
        "sequence": record.sequence, "earth_receive_time": record.earth_receive_time,
        "frame_length": record.frame_length, "relay_receive_times": [int(time) for time in record.relay_receive_times],
        "lengths": None if record.lengths is None else list(record.lengths), "octets": len(record.octets),
    }  # fmt: skip
