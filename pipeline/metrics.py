"""Every metric as data: name, kind, labels, help, and which series there are before anything is measured. Knows no
exporter, and not how anything is measured (`pipeline.measures`).

Counters and histograms say what this process did; totals of a flight stand on the topic `flights`. Gauges of a link
or a vehicle are those of the newest run of an origin, and only the worker that has its partition exports them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal, NamedTuple, get_args

from pipeline.clocks import Clock
from pipeline.errors import STATE_UNUSABLE as REASON_STATE_UNUSABLE
from pipeline.frames.frame import REASONS
from pipeline.lifecycle import LifeState
from pipeline.outputs import Severity
from pipeline.records import OriginKind
from pipeline.verdicts import RULES

StageName = Literal["decode", "command", "watch"]
Subject = Literal["link", "vehicle", "worker"]

ORIGINS: Final[tuple[OriginKind, ...]] = get_args(OriginKind)
CLOCKS: Final[tuple[Clock, ...]] = get_args(Clock)
STAGES: Final[tuple[StageName, ...]] = get_args(StageName)
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
ALERT_TYPES: Final = tuple(RULES)
OPEN_STATES: Final[tuple[LifeState, ...]] = ("unacknowledged", "acknowledged", "shelved", "suppressed_by_design")
"""Of an incident that is open (lifecycle)."""
DISPOSITIONS: Final = ("good", "idle", "duplicate", "conflict", "out_of_scope", *(f"bad:{one}" for one in REASONS))
REJECTIONS: Final = (
    "undecodable",
    "too_large",
    "implausible_time",
    "bad_headers",
    "no_key",
    "unknown_link",
    "unknown_vehicle",
    "wrong_partition",
    "run_over",
    "too_many_runs",
    "too_many_sessions",
    "state_full",
    "refused_command",
    "program_fault",
    REASON_STATE_UNUSABLE,
    "set_aside",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...] = ()
    help: str
    buckets: tuple[float, ...] = ()
    """Upper bounds, of a histogram."""
    absent: bool = False
    """It has no series while its value is unknown, or while what its labels name is. All others are born at 0."""

    @property
    def of(self) -> Subject:
        """Whose it is: it is born and it goes with this."""
        return "link" if "link" in self.labels else "vehicle" if "vehicle" in self.labels else "worker"

    @property
    def series(self) -> dict[str, tuple[str, ...]]:
        """The name of each series that it is exported as → its labels."""
        if self.kind != "histogram":
            return {self.name: self.labels}
        return {
            f"{self.name}_bucket": (*self.labels, "le"),
            f"{self.name}_sum": self.labels,
            f"{self.name}_count": self.labels,
        }


# -- what comes in, by link --------------------------------------------------------------------------------------

FRAMES: Final = Metric(
    name="relay_frames_total", kind="counter", labels=("link", "disposition", "reason", "origin"),
    help="Frames taken, each under one disposition; reason says why a bad one is bad.",
)  # fmt: skip
LATE: Final = Metric(
    name="relay_frames_late_total", kind="counter", labels=("link", "origin"),
    help="Frames that came after a frame of their channel with a later count.",
)  # fmt: skip
LINK_STATE: Final = Metric(
    name="relay_link_state", kind="gauge", labels=("link", "origin"),
    help="0 no session, 1 listening and nothing heard, 2 in contact, 3 outage (not listening, or nothing delivered).",
)  # fmt: skip
IN_CONTACT: Final = Metric(
    name="relay_link_in_contact", kind="gauge", labels=("link", "origin"),
    help="1 while the newest record of the link says that something was heard.",
)  # fmt: skip
WATERMARK: Final = Metric(
    name="relay_watermark_timestamp_seconds", kind="gauge", labels=("link", "origin"),
    help="Relay receive time up to which the link's receiver is known to have listened; 0 before its first record.",
)  # fmt: skip
SIGNAL_LEVEL: Final = Metric(
    name="relay_signal_level_dbm", kind="gauge", labels=("link", "origin"), absent=True,
    help="Signal level as the newest listening record gives it; absent while it gives none or nothing is heard.",
)  # fmt: skip
LATENESS: Final = Metric(
    name="relay_lateness_seconds", kind="histogram", labels=("origin",),
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1200, 3600, 21_600, 86_400, 604_800),
    help="Earth receive time of a record less the relay receive time of the newest in it.",
)  # fmt: skip

LINK_REJECTED: Final = Metric(
    name="relay_link_records_rejected_total", kind="counter", labels=("link", "reason", "origin"),
    help="Records of a known link that could not be taken.",
)  # fmt: skip
CLOCK_AHEAD: Final = Metric(
    name="relay_clock_ahead_seconds", kind="histogram", labels=("link", "clock", "origin"),
    buckets=(15, 60, 600, 3600, 86_400),
    help="Of records rejected for it: how far the relay's clock was ahead of the earth's, or the earth's of Kafka's.",
)  # fmt: skip

# -- what is known of a vehicle ----------------------------------------------------------------------------------

MISSING: Final = Metric(
    name="relay_frames_missing", kind="gauge", labels=("vehicle", "origin"),
    help="Real-time frames of the vehicle that were sent in a contact and not received; late data make it less.",
)  # fmt: skip
GAPS: Final = Metric(
    name="relay_frame_gaps", kind="gauge", labels=("vehicle", "origin"),
    help="Places in the vehicle's real-time channels at which frames are missing.",
)  # fmt: skip
EXPECTED: Final = Metric(
    name="relay_frames_expected", kind="gauge", labels=("vehicle", "origin"),
    help="Real-time frames of the vehicle that were sent: received and missing.",
)  # fmt: skip
WINDOW_OPEN: Final = Metric(
    name="relay_contact_window_open", kind="gauge", labels=("vehicle", "origin"),
    help="1 while the watermark lies in a contact window of the plan.",
)  # fmt: skip
LAST_FRAME: Final = Metric(
    name="relay_last_frame_timestamp_seconds", kind="gauge", labels=("vehicle", "origin"),
    help="Relay receive time of the last good frame of a real-time channel; 0 before the first.",
)  # fmt: skip
PHASE: Final = Metric(
    name="relay_flight_phase", kind="gauge", labels=("vehicle", "origin"), absent=True,
    help="0 on_ground, 1 takeoff, 2 in_air, 3 landing; absent while it is unknown or no flight is open.",
)  # fmt: skip
ALTITUDE: Final = Metric(
    name="relay_altitude_meters", kind="gauge", labels=("vehicle", "origin"), absent=True,
    help="Last reported altitude above the place of take-off; absent once no frame has come for a while.",
)  # fmt: skip
LAST_ALTITUDE: Final = Metric(
    name="relay_last_altitude_meters", kind="gauge", labels=("vehicle", "origin"), absent=True,
    help="Altitude as it was last reported, however long ago.",
)  # fmt: skip
LAST_CLIMB_RATE: Final = Metric(
    name="relay_last_climb_rate_meters_per_second", kind="gauge", labels=("vehicle", "origin"), absent=True,
    help="Climb rate as it was last reported, however long ago; upwards is positive.",
)  # fmt: skip
LAST_PHASE: Final = Metric(
    name="relay_last_flight_phase", kind="gauge", labels=("vehicle", "origin"), absent=True,
    help="Flight phase as it was last reported, however long ago: 0 on_ground, 1 takeoff, 2 in_air, 3 landing.",
)  # fmt: skip
LAST_LATITUDE: Final = Metric(
    name="relay_last_latitude_degrees", kind="gauge", labels=("vehicle", "origin"), absent=True,
    help="Latitude of the last known position, however old; northern is positive.",
)  # fmt: skip
LAST_LONGITUDE: Final = Metric(
    name="relay_last_longitude_degrees", kind="gauge", labels=("vehicle", "origin"), absent=True,
    help="Longitude of the last known position, however old; eastern is positive.",
)  # fmt: skip
FLIGHT_INFO: Final = Metric(
    name="relay_flight_info", kind="gauge", labels=("vehicle", "flight", "origin"), absent=True,
    help="1, for the newest flight of the vehicle.",
)  # fmt: skip

# -- what is said of it ------------------------------------------------------------------------------------------

INCIDENTS_OPENED: Final = Metric(
    name="relay_incidents_opened_total", kind="counter", labels=("vehicle", "type", "origin"),
    help="Incidents raised; those that opened and closed between two scrapes count too.",
)  # fmt: skip
INCIDENTS_ACTIVE: Final = Metric(
    name="relay_incidents_active", kind="gauge", labels=("vehicle", "type", "severity", "origin"),
    help="Incidents that are open and not shelved.",
)  # fmt: skip
INCIDENTS_BY_STATE: Final = Metric(
    name="relay_incidents_by_state", kind="gauge", labels=("vehicle", "state", "origin"),
    help="Open incidents by where they stand with people.",
)  # fmt: skip
RAISED_AT: Final = Metric(
    name="relay_incident_raised_timestamp_seconds", kind="gauge", labels=("vehicle", "type", "origin"),
    help="Relay time at which an incident of the type was last raised; 0 before the first.",
)  # fmt: skip
CLOSED_AT: Final = Metric(
    name="relay_incident_closed_timestamp_seconds", kind="gauge", labels=("vehicle", "type", "origin"),
    help="Relay time at which an incident of the type last ended; 0 before the first.",
)  # fmt: skip

# -- how the pipeline itself is doing ----------------------------------------------------------------------------

TAKEN: Final = Metric(
    name="relay_records_taken_total", kind="counter", labels=("stage",),
    help="Records that a stage took in; rejected and repeated ones are counted apart.",
)  # fmt: skip
REJECTED: Final = Metric(
    name="relay_records_rejected_total", kind="counter", labels=("reason",),
    help="Records that could not be taken; the rejected topic has each whole, or in a range of offsets.",
)  # fmt: skip
REPEATED: Final = Metric(
    name="relay_records_repeated_total", kind="counter", labels=("stage",),
    help="Records that came again and changed nothing.",
)  # fmt: skip
REJECTED_RATIO: Final = Metric(
    name="relay_records_rejected_ratio", kind="gauge", labels=("stage",),
    help="Share of the stage's newest records that were rejected, 0 to 1.",
)  # fmt: skip
STATE_UNUSABLE: Final = Metric(
    name="relay_state_unusable", kind="gauge", labels=("stage", "subject", "run"), absent=True,
    help="1 while the state of a link or vehicle in a run is set aside: it cannot be used. run is empty when live.",
)  # fmt: skip
RUNS_SET_ASIDE: Final = Metric(
    name="relay_runs_set_aside", kind="gauge", labels=("origin",),
    help="Runs of this worker's partitions that are set aside, since nothing of them was good.",
)  # fmt: skip
LAG: Final = Metric(
    name="relay_consumer_lag_records", kind="gauge", labels=("topic", "partition"), absent=True,
    help="Records of a partition that are published and not yet taken; topic without the namespace.",
)  # fmt: skip
PROGRESS: Final = Metric(
    name="relay_last_progress_timestamp_seconds", kind="gauge", labels=("stage",),
    help="Wall clock at which the stage last let a batch go; 0 before the first.",
)  # fmt: skip
LOOP_LAG: Final = Metric(
    name="relay_event_loop_lag_seconds", kind="gauge",
    help="How late the event loop came round at most, in the last 15 s.",
)  # fmt: skip
PROCESSING: Final = Metric(
    name="relay_processing_seconds", kind="histogram", labels=("stage",),
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
    help="From a batch's arrival to the acknowledgement of all that came of it.",
)  # fmt: skip
BATCH: Final = Metric(
    name="relay_batch_records", kind="histogram", labels=("stage",),
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
    help="Records that a stage took at once.",
)  # fmt: skip
DELIVERY: Final = Metric(
    name="relay_delivery_seconds", kind="histogram", labels=("origin",),
    buckets=(0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
    help="From Kafka's timestamp of a frames record to the acknowledgement of the alert that it led to.",
)  # fmt: skip
READY: Final = Metric(
    name="relay_worker_ready", kind="gauge", help="1 while the worker has its partitions and takes records.",
)  # fmt: skip
BUILD: Final = Metric(
    name="relay_build_info", kind="gauge", labels=("version",), absent=True,
    help="1, for the version of relaywatch that runs.",
)  # fmt: skip

METRICS: Final = (
    FRAMES, LATE, LINK_STATE, IN_CONTACT, WATERMARK, SIGNAL_LEVEL, LATENESS, LINK_REJECTED, CLOCK_AHEAD,
    MISSING, GAPS, EXPECTED, WINDOW_OPEN, LAST_FRAME, PHASE, ALTITUDE, FLIGHT_INFO,
    LAST_ALTITUDE, LAST_CLIMB_RATE, LAST_PHASE, LAST_LATITUDE, LAST_LONGITUDE,
    INCIDENTS_OPENED, INCIDENTS_ACTIVE, INCIDENTS_BY_STATE, RAISED_AT, CLOSED_AT,
    TAKEN, REJECTED, REPEATED, REJECTED_RATIO, STATE_UNUSABLE, RUNS_SET_ASIDE, LAG, PROGRESS, LOOP_LAG, PROCESSING,
    BATCH, DELIVERY, READY, BUILD,
)  # fmt: skip


class Series(NamedTuple):
    metric: Metric
    labels: tuple[str, ...]
    """Values, in the order of the metric's labels."""


class Sample(NamedTuple):
    metric: Metric
    labels: tuple[str, ...]
    value: float
    """What a counter goes up by; what a gauge is; what a histogram observes."""


_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "origin": ORIGINS, "stage": STAGES, "severity": SEVERITIES, "type": ALERT_TYPES, "state": OPEN_STATES,
    "reason": REJECTIONS, "clock": CLOCKS,
}  # fmt: skip
"""Label → every value it can have. Links, vehicles, flights, topics and versions are named where they are known."""


def births(subject: Subject, name: str = "") -> Iterator[Series]:
    """Every series of one link, one vehicle or of the worker that is there, at 0, before anything is measured: the
    first increase of a counter born at 1 would be lost."""
    for metric in METRICS:
        if metric.of != subject or metric.absent:
            continue
        if metric is FRAMES:
            for disposition, origin in product(DISPOSITIONS, ORIGINS):
                yield Series(metric, (name, *disposition_labels(disposition), origin))
            continue
        values = [(name,) if label == subject else _VALUES[label] for label in metric.labels]
        for labels in product(*values):
            yield Series(metric, labels)


def disposition_labels(name: str) -> tuple[str, str]:
    """Disposition and reason: "bad:fecf" is disposition bad, reason fecf."""
    disposition, _, reason = name.partition(":")
    return disposition, reason
