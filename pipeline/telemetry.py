"""What `decode` tells `watch` of one record, for one vehicle of its link. Knows no frame and no packet."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, Final, NamedTuple

import orjson

from pipeline.mission.model import FlightState
from pipeline.records import Listened, Origin, read_listened, read_origin


class ChannelFrames(NamedTuple):
    """New frames of one virtual channel (good and idle; no repetition), in ascending relay receive time.
    `times`, `counts` and `telemetry` are columns of one length."""

    scid: int
    vcid: int
    live: bool
    """False for a channel that plays back, and for frames with the AOS replay flag."""
    modulus: int
    times: tuple[int, ...]
    """Relay receive times."""
    counts: tuple[int, ...]
    """Virtual channel frame counts as received, not unwrapped."""
    telemetry: tuple[bool, ...]
    """Whether the frame carried telemetry (octets of a packet that is not idle)."""


class Samples(NamedTuple):
    """Values of packets that became complete in this record, a column each; None where not reported."""

    live: bool
    times: tuple[int, ...]
    """Relay receive time of the last frame of the packet."""
    spacecraft_times: tuple[int | None, ...]
    """On-board clock, nanoseconds since its own epoch."""
    boot_counts: tuple[int | None, ...]
    phases: tuple[str | None, ...]
    states: tuple[FlightState | None, ...]
    """What the mission's conditions in_flight and on_ground make of the values."""
    landed: tuple[bool | None, ...]
    altitudes: tuple[float | None, ...]
    climb_rates: tuple[float | None, ...]


class OutOfScope(NamedTuple):
    """Good frames of a SCID or VCID that the mission does not expect on this link."""

    scid: int
    vcid: int
    times: tuple[int, ...]


class Telemetry(NamedTuple):
    vehicle: str
    link: str
    session: int
    sequence: int
    """The record's place in its session."""
    kind: str
    """The kind of the record it was made from (`records.KINDS`)."""
    origin: Origin
    earth_receive_time: int
    relay_receive_time: int | None = None
    """The highest in the record: of its frames, the end of its listening, the end of its data."""
    listened: Listened | None = None
    recording_whole: bool = True
    """For kind recording_ended: False where the file is cut off."""
    channels: tuple[ChannelFrames, ...] = ()
    samples: tuple[Samples, ...] = ()
    out_of_scope: tuple[OutOfScope, ...] = ()
    set_aside: tuple[int, ...] = ()
    """Relay receive times of frames in conflict: values sampled at these times do not count."""
    told_late: tuple[int, ...] = ()
    """Relay receive times of frames in earlier records, perhaps of another session, of which only this record shows
    that they carried telemetry."""
    bins: tuple[tuple[int, int, int], ...] = ()
    """(tenths of a second since 1970 on the relay's clock, receptions, bad among them): running totals of the
    link, of the bins this record touched."""
    dispositions: Mapping[str, int] = {}
    """Running totals of the link: "good", "idle", "duplicate", "conflict", "out_of_scope", "bad:<reason>"."""
    late: int = 0
    """Running total of frames of the link that came after a frame with a later count."""


def encode_telemetry(telemetry: Telemetry) -> bytes:
    return orjson.dumps(telemetry._asdict(), default=_as_json)


def _as_json(value: Any) -> Any:
    return tuple(value) if isinstance(value, Origin) else value._asdict()


def decode_telemetry(value: bytes) -> Telemetry:
    """The inverse of `encode_telemetry`. Raises ValueError, TypeError, KeyError, AttributeError or RecordError where
    the value has another form: a text among times would stay in the evidence.

    Only workers write telemetry; in a cluster without rules of access anybody can.
    """
    body: dict[str, Any] = orjson.loads(value)
    listened = body["listened"]
    body["origin"] = read_origin(body["origin"])
    body["listened"] = None if listened is None else read_listened(listened)
    for name, columns in _COLUMNS:
        if body[name]:
            body[name] = [columns(**_with_tuples(one)) for one in body[name]]
    body["bins"] = map(tuple, body["bins"])
    for name in _TUPLES:
        body[name] = tuple(body[name])
    telemetry = Telemetry(**body)
    _check(telemetry)
    return telemetry


_COLUMNS: Final[tuple[tuple[str, Any], ...]] = (
    ("channels", ChannelFrames),
    ("samples", Samples),
    ("out_of_scope", OutOfScope),
)
_TUPLES: Final = ("channels", "samples", "out_of_scope", "set_aside", "told_late", "bins")


def _with_tuples(columns: dict[str, Any]) -> dict[str, Any]:
    for name, value in columns.items():
        if type(value) is list:
            columns[name] = tuple(value)
    return columns


def _check(telemetry: Telemetry) -> None:
    """Raises ValueError, TypeError or AttributeError where a value is not of its field's type."""
    texts = [telemetry.vehicle, telemetry.link, telemetry.kind]
    numbers = [telemetry.session, telemetry.sequence, telemetry.earth_receive_time, telemetry.late]
    yes_or_no = [telemetry.recording_whole]
    if telemetry.relay_receive_time is not None:
        numbers.append(telemetry.relay_receive_time)
    numbers += telemetry.dispositions.values()
    for row in telemetry.bins:
        heard_at, heard, bad = row
        numbers += (heard_at, heard, bad)
    for frames in telemetry.out_of_scope:
        numbers += (frames.scid, frames.vcid, *frames.times)
    _check_numbers(telemetry.set_aside)
    _check_numbers(telemetry.told_late)
    for channel in telemetry.channels:
        numbers += (channel.scid, channel.vcid, channel.modulus)
        yes_or_no.append(channel.live)
        _check_length(channel.times, channel.counts, channel.telemetry)
        _check_numbers(channel.times)
        _check_numbers(channel.counts)
        _check_flags(channel.telemetry)
    for samples in telemetry.samples:
        yes_or_no.append(samples.live)
        _check_length(*samples[1:])
        _check_numbers(samples.times)
        _where_there(_check_numbers, samples.spacecraft_times)
        _where_there(_check_numbers, samples.boot_counts)
        _where_there(_check_texts, samples.phases)
        _where_there(_check_texts, samples.states)
        _where_there(_check_flags, samples.landed)
        _check_measured(samples.altitudes)
        _check_measured(samples.climb_rates)
    _check_texts(texts)
    _check_numbers(numbers)
    if any(not isinstance(one, bool) for one in yes_or_no):
        raise ValueError("what is true or false is neither")


def _where_there(check: Callable[[Sequence[Any]], None], column: Sequence[Any]) -> None:
    # Mostly all of a column is there, or nothing of it.
    try:
        check(column)
    except TypeError:
        check([one for one in column if one is not None])


def _check_numbers(column: Sequence[int]) -> None:
    try:
        array("q", column)
    except OverflowError:
        raise ValueError(f"a number of more than 64 bits stands in {column!r:.60}") from None


def _check_flags(column: Sequence[bool]) -> None:
    # By the octet: what is neither true nor false nor as good as it does no harm.
    try:
        bytes(column)
    except ValueError:
        raise ValueError(f"what is true or false is neither in {column!r:.60}") from None


def _check_texts(column: Sequence[str]) -> None:
    "".join(column)


def _check_measured(column: Sequence[Any]) -> None:
    types = set(map(type, column))
    if not types <= _MEASURED:
        raise ValueError(f"{column!r:.60} is not measured")
    if int in types:
        _check_numbers([one for one in column if isinstance(one, int)])


_MEASURED: Final = {float, int, NoneType}


def _check_length(*columns: Sequence[object]) -> None:
    if len({len(column) for column in columns}) > 1:
        raise ValueError("columns differ in length")
