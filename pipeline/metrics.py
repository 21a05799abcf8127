"""Every metric as data: name, kind, labels, help; and how telemetry and outputs become samples. Knows no exporter."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

from pipeline.frames.frame import REASONS
from pipeline.mission.model import Mission
from pipeline.outputs import Output, Revision
from pipeline.records import SECOND, OriginKind, Run
from pipeline.telemetry import Telemetry

ORIGINS: Final[tuple[OriginKind, ...]] = get_args(OriginKind)
DISPOSITIONS: Final = ("good", "idle", "duplicate", "conflict", "out_of_scope", *(f"bad:{one}" for one in REASONS))
ALERT_TYPES: Final = (
    "ended_before_landing", "contact_not_acquired", "relay_outage", "link_degraded", "bad_frame_burst", "data_silent",
    "source_stuck", "vehicle_restart", "clock_step", "early_landing", "unexpected_source", "recording_truncated",
)  # fmt: skip
REJECTIONS: Final = (
    "undecodable",
    "too_large",
    "bad_headers",
    "no_key",
    "unknown_link",
    "unknown_vehicle",
    "wrong_partition",
    "run_over",
    "refused_command",
    "program_fault",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    name: str
    kind: Literal["counter", "gauge", "info"]
    labels: tuple[str, ...]
    help: str


FRAMES: Final = Metric(
    name="relay_frames_total", kind="counter", labels=("link", "disposition", "reason", "origin"),
    help="Frames taken, each under one disposition; reason says why a bad one is bad.",
)  # fmt: skip
LATE: Final = Metric(
    name="relay_frames_late_total", kind="counter", labels=("link", "origin"),
    help="Frames that came after a frame of their channel with a later count.",
)  # fmt: skip
MISSING: Final = Metric(
    name="relay_frames_missing", kind="gauge", labels=("vehicle", "origin"),
    help="Frames of the vehicle's flights that were sent and not received; late data makes it less.",
)  # fmt: skip
IN_CONTACT: Final = Metric(
    name="relay_link_in_contact", kind="gauge", labels=("link", "origin"),
    help="1 while the newest record of the link says that something was heard.",
)  # fmt: skip
WATERMARK: Final = Metric(
    name="relay_watermark_timestamp_seconds", kind="gauge", labels=("link", "origin"),
    help="Relay receive time up to which the link's receiver is known to have listened; 0 before its first record.",
)  # fmt: skip
INCIDENTS_ACTIVE: Final = Metric(
    name="relay_incidents_active", kind="gauge", labels=("vehicle", "type", "origin"),
    help="Incidents that are open.",
)  # fmt: skip
INCIDENTS_OPENED: Final = Metric(
    name="relay_incidents_opened_total", kind="counter", labels=("vehicle", "type", "origin"),
    help="Incidents raised; those that opened and closed between two scrapes count too.",
)  # fmt: skip
REJECTED: Final = Metric(
    name="relay_records_rejected_total", kind="counter", labels=("reason",),
    help="Records that could not be taken and went to the rejected topic.",
)  # fmt: skip
BUILD: Final = Metric(
    name="relay_build_info", kind="gauge", labels=("version",), help="1, for the version of relaywatch that runs."
)

METRICS: Final = (
    FRAMES, LATE, MISSING, IN_CONTACT, WATERMARK, INCIDENTS_ACTIVE, INCIDENTS_OPENED, REJECTED, BUILD,
)  # fmt: skip


class Sample(NamedTuple):
    metric: Metric
    labels: tuple[str, ...]
    value: float
    """What a counter goes up by; what a gauge is."""


def zeros(mission: Mission, version: str) -> Iterator[Sample]:
    """Every label set there can be, at 0: the first increase of a counter born at 1 would be lost."""
    yield Sample(BUILD, (version,), 1)
    for reason in REJECTIONS:
        yield Sample(REJECTED, (reason,), 0)
    for origin in ORIGINS:
        for link in mission.links:
            for disposition in DISPOSITIONS:
                yield Sample(FRAMES, (link.name, *_disposition(disposition), origin), 0)
            for metric in (LATE, IN_CONTACT, WATERMARK):
                yield Sample(metric, (link.name, origin), 0)
        for vehicle in mission.vehicles:
            yield Sample(MISSING, (vehicle.name, origin), 0)
            for alert in ALERT_TYPES:
                for metric in (INCIDENTS_ACTIVE, INCIDENTS_OPENED):
                    yield Sample(metric, (vehicle.name, alert, origin), 0)


def _disposition(name: str) -> tuple[str, str]:
    """The two labels: "bad:fecf" is disposition bad, reason fecf."""
    disposition, _, reason = name.partition(":")
    return disposition, reason


@dataclass(slots=True)
class LinkCounts:
    """What was already counted of one (run, link). Kept with the link's state, so that a restart counts nothing
    twice; JSON-able by `asdict`."""

    dispositions: dict[str, int] = field(default_factory=dict)
    late: int = 0
    watermark: int = 0
    """Nanoseconds on the relay's clock."""
    heard: bool = False

    def take(self, telemetry: Telemetry, run: Run) -> Iterator[Sample]:
        """What this telemetry adds. Its totals are running ones, so taking it again adds nothing."""
        link = telemetry.link
        for name, total in telemetry.dispositions.items():
            new = total - self.dispositions.get(name, 0)
            if new > 0:
                self.dispositions[name] = total
                yield Sample(FRAMES, (link, *_disposition(name), run.origin), new)
        if telemetry.late > self.late:
            yield Sample(LATE, (link, run.origin), telemetry.late - self.late)
            self.late = telemetry.late
        heard = _heard(telemetry)
        if heard is not None:
            self.heard = heard
        self.watermark = max(self.watermark, telemetry.relay_receive_time or 0)


def link_gauges(link: str, origin: OriginKind, counts: Iterable[LinkCounts]) -> Iterator[Sample]:
    """The gauges of one link over all runs of one origin: of the run that is furthest."""
    furthest = max(counts, key=lambda one: one.watermark, default=None)
    if furthest is not None:
        yield Sample(IN_CONTACT, (link, origin), furthest.heard)
        yield Sample(WATERMARK, (link, origin), furthest.watermark / SECOND)


def _heard(telemetry: Telemetry) -> bool | None:
    """Whether the record says that something was heard; None where it says neither."""
    if telemetry.kind == "received":
        return True if telemetry.channels else None
    if telemetry.listened is None:
        return False
    listened = telemetry.listened
    if listened.frames_heard is not None:
        return listened.frames_heard > 0
    return None if listened.carrier_lock == "unknown" else listened.carrier_lock == "in_lock"


_FLIGHTS_COUNTED: Final = 64


@dataclass(slots=True)
class VehicleCounts:
    """What was already counted of one (run, vehicle). Kept with the vehicle's state; JSON-able by `asdict`."""

    open: dict[str, str] = field(default_factory=dict)
    """Incident id → type."""
    missing: dict[str, int] = field(default_factory=dict)
    """Flight → frames missing, of the newest flights; the others stand in `missing_before`."""
    missing_before: int = 0

    def take(self, output: Output) -> Iterator[Sample]:
        """An incident raised by this output; the gauges are read off with `vehicle_gauges`."""
        if isinstance(output, Revision):
            if output.revision == 1:
                yield Sample(INCIDENTS_OPENED, (output.vehicle, output.type, output.origin), 1)
            if output.state == "open":
                self.open[output.incident_id] = output.type
            else:
                self.open.pop(output.incident_id, None)
            return
        missing = output.facts.get("frames_missing")
        self.missing[output.name] = missing if isinstance(missing, int) else 0
        if len(self.missing) > _FLIGHTS_COUNTED:
            self.missing_before += self.missing.pop(next(iter(self.missing)))


def vehicle_gauges(vehicle: str, origin: OriginKind, counts: Collection[VehicleCounts]) -> Iterator[Sample]:
    """The gauges of one vehicle over all runs of one origin."""
    for alert in ALERT_TYPES:
        number = sum(list(one.open.values()).count(alert) for one in counts)
        yield Sample(INCIDENTS_ACTIVE, (vehicle, alert, origin), number)
    yield Sample(MISSING, (vehicle, origin), sum(one.missing_before + sum(one.missing.values()) for one in counts))


@dataclass(slots=True)
class NoCounts:
    """Of what nothing is counted."""


def as_json(counts: LinkCounts | VehicleCounts | NoCounts) -> dict[str, Any]:
    return {name: getattr(counts, name) for name in counts.__slots__}
