"""What `decode` tells `watch` of one record, for one vehicle of its link. Knows no frame and no packet.

Only workers write telemetry; in a cluster without rules of access anybody can, and a text among times would stay in the
evidence. So what is read is checked against the types that stand here.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from msgspec import Meta, MsgspecError, Struct, json

from pipeline.errors import RecordError
from pipeline.mission.model import FlightState
from pipeline.packets.mavlink import fits
from pipeline.records import EARLIEST, LATEST, SECOND, Listened, Origin, RecordKind, check_listened

Integer = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""Of 64 bits: what is stored holds no more."""
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Instant = Annotated[int, Meta(ge=EARLIEST, lt=LATEST)]
"""Nanoseconds since 1970-01-01T00:00:00Z, on the relay's clock or the earth's."""
TenthOfASecond = Annotated[int, Meta(ge=EARLIEST * 10 // SECOND, lt=LATEST * 10 // SECOND)]
Measured = Integer | float
"""As it was sent: a whole number stays one."""


class ChannelFrames(Struct, frozen=True, kw_only=True, gc=False):
    """New frames of one virtual channel (good and idle; no repetition), in ascending relay receive time.
    `times`, `counts` and `telemetry` are columns of one length."""

    scid: Count
    vcid: Count
    live: bool
    """False for a channel that plays back, and for frames with the AOS replay flag."""
    modulus: Annotated[int, Meta(ge=1, le=1 << 32)]
    times: tuple[Instant, ...]
    """Relay receive times."""
    counts: tuple[Count, ...]
    """Virtual channel frame counts as received, not unwrapped."""
    telemetry: tuple[bool, ...]
    """Whether the frame carried telemetry (octets of a packet that is not idle)."""


class Samples(Struct, frozen=True, kw_only=True, gc=False):
    """Values of packets of one virtual channel that became complete in this record, a column each; None where not
    reported. Several packets of one frame have its time and its count: frames are counted, never samples."""

    scid: Count
    vcid: Count
    live: bool
    times: tuple[Instant, ...]
    """Relay receive time of the last frame of the packet."""
    counts: tuple[Count, ...]
    """Virtual channel frame count of that frame, as received."""
    spacecraft_times: tuple[Integer | None, ...]
    """On-board clock, nanoseconds since its own epoch."""
    boot_counts: tuple[Integer | None, ...]
    phases: tuple[str | None, ...]
    states: tuple[FlightState | None, ...]
    """What the mission's conditions in_flight and on_ground make of the values."""
    landed: tuple[bool | None, ...]
    altitudes: tuple[Measured | None, ...]
    climb_rates: tuple[Measured | None, ...]


class Readings(Struct, frozen=True, kw_only=True, gc=False):
    """What MAVLink messages of one component say, each by itself, a column each. `packets.mavlink` knows the words."""

    system: Annotated[int, Meta(ge=0, le=255)]
    component: Annotated[int, Meta(ge=0, le=255)]
    times: tuple[Instant, ...]
    """Relay receive times."""
    messages: tuple[str, ...]
    words: tuple[tuple[Measured | str | bool | None, ...], ...]


class OutOfScope(Struct, frozen=True, kw_only=True, gc=False):
    """Good frames of a SCID or VCID that the mission does not expect on this link."""

    scid: Count
    vcid: Count
    times: tuple[Instant, ...]


class Telemetry(Struct, frozen=True, kw_only=True, gc=False):
    vehicle: str
    link: str
    session: Instant
    sequence: Count
    """The record's place in its session."""
    kind: RecordKind
    """The kind of the record it was made from (`records.KINDS`)."""
    origin: Origin
    earth_receive_time: Instant
    relay_receive_time: Instant | None = None
    """The highest in the record: of its frames, the end of its listening, the end of its data."""
    listened: Listened | None = None
    recording_whole: bool = True
    """For kind recording_ended: False where the file is cut off."""
    channels: tuple[ChannelFrames, ...] = ()
    samples: tuple[Samples, ...] = ()
    readings: tuple[Readings, ...] = ()
    """MAVLink only. What becomes of a vehicle's messages together depends on which of its components is the autopilot,
    and on what comes late: so that is for `watch`."""
    receiving: tuple[tuple[Instant, Instant], ...] = ()
    """MAVLink only: stretches of relay time in which good messages came, of whatever source, with at most 3 s between
    two. A receiver that hears anything at all listens."""
    out_of_scope: tuple[OutOfScope, ...] = ()
    set_aside: tuple[Instant, ...] = ()
    """Relay receive times of frames in conflict: values sampled at these times do not count."""
    told_late: tuple[Instant, ...] = ()
    """Relay receive times of frames in earlier records, perhaps of another session, of which only this record shows
    that they carried telemetry."""
    bins: tuple[tuple[TenthOfASecond, Count, Count], ...] = ()
    """(tenths of a second since 1970 on the relay's clock, receptions, bad among them): running totals of the
    link, of the bins this record touched."""
    dispositions: Mapping[str, Count] = {}
    """Running totals of the link: "good", "idle", "duplicate", "conflict", "out_of_scope", "bad:<reason>"."""
    late: Count = 0
    """Running total of frames of the link that came after a frame with a later count."""


_SAMPLE_COLUMNS: Final = tuple(name for name in Samples.__struct_fields__ if name not in ("scid", "vcid", "live"))
_ENCODER: Final = json.Encoder()
_DECODER: Final = json.Decoder(Telemetry)


def encode_telemetry(telemetry: Telemetry) -> bytes:
    return _ENCODER.encode(telemetry)


def decode_telemetry(value: bytes) -> Telemetry:
    """The inverse of `encode_telemetry`. Raises RecordError where the value has another form."""
    try:
        telemetry = _DECODER.decode(value)
    except (MsgspecError, UnicodeDecodeError) as fault:
        raise RecordError("undecodable", f"telemetry of {len(value)} octets cannot be read: {fault!s:.200}") from None
    for channel in telemetry.channels:
        _check_length("channels", channel.times, channel.counts, channel.telemetry)
        if channel.counts and max(channel.counts) >= channel.modulus:
            raise RecordError("undecodable", f"telemetry: count {max(channel.counts)} of modulus {channel.modulus}")
    for samples in telemetry.samples:
        _check_length("samples", *(getattr(samples, name) for name in _SAMPLE_COLUMNS))
    for readings in telemetry.readings:
        _check_length("readings", readings.times, readings.messages, readings.words)
        if not all(map(fits, readings.messages, readings.words)):
            raise RecordError("undecodable", "telemetry: the words of a reading are not those that its message has")
    if telemetry.listened is not None:
        check_listened(telemetry.listened)
    return telemetry


def earliest_instant(telemetry: Telemetry) -> int | None:
    """The earliest relay receive time of which a record says anything; None: it says nothing of any."""
    instants = [*telemetry.told_late, *telemetry.set_aside, *(first for first, _ in telemetry.receiving)]
    for times in (
        *(one.times for one in telemetry.channels), *(one.times for one in telemetry.samples),
        *(one.times for one in telemetry.readings), *(one.times for one in telemetry.out_of_scope),
    ):  # fmt: skip
        instants += times[:1]
    instants += [number * (SECOND // 10) for number, _, _ in telemetry.bins]
    if telemetry.listened is not None:
        instants.append(telemetry.listened.starts_at)
    return min(instants, default=telemetry.relay_receive_time)


def _check_length(what: str, *columns: Sequence[object]) -> None:
    lengths = set(map(len, columns))
    if len(lengths) > 1:
        raise RecordError("undecodable", f"telemetry: columns of {what} are {sorted(lengths)} long, not all the same")
