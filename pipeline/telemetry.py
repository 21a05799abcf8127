"""What `decode` tells `watch` of one record, for one vehicle of its link. Knows no frame and no packet."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from pipeline.mission.model import FlightState
from pipeline.records import Listened, Origin


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
    """The inverse of `encode_telemetry`. The value is our own and was checked when it was written."""
    body: dict[str, Any] = orjson.loads(value)
    listened = body["listened"]
    body["origin"] = Origin(*body["origin"])
    body["listened"] = None if listened is None else Listened(**listened)
    for name, columns in _COLUMNS:
        if body[name]:
            body[name] = [columns(**_with_tuples(one)) for one in body[name]]
    body["bins"] = map(tuple, body["bins"])
    for name in _TUPLES:
        body[name] = tuple(body[name])
    return Telemetry(**body)


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
