"""What a scenario can say, as data: a small vocabulary of events that compose. Every `_s` is in seconds from T0
(`starts_at`) on the relay's clock. What happens to frames without a vehicle or a link named happens to all of them;
what a vehicle does without a name is done by the mission's first.

Of `after_s` and `until_s` both ends are outside, of `from_s` and `until_s` the first is inside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.mission.model import Mission
from pipeline.records import SECOND, ProductionStatus

Order = Literal["received", "reversed", "reversed_passes", "shuffled", "nearby", "frames_last", "twice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """From the end of the segment before it up to `until_s` after take-off, ending at `altitude_m`."""

    phase: str
    until_s: float
    altitude_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A flight sent live: pre-flight frames from `from_s` before take-off, the last frame where the profile ends."""

    vehicle: str = ""
    at_s: float = 0.0
    from_s: float = -60.0
    offset_s: float = 0.0
    """Shifts every frame, so that two vehicles do not send at one instant."""
    period_s: float = 0.1
    """Between frames; that which the mission says."""
    profile: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Live frames on the ground, from `from_s` to `until_s`, both inside."""

    vehicle: str = ""
    from_s: float
    until_s: float
    period_s: float = 0.1
    phase: str = "preflight"
    packet: Literal["flight", "housekeeping"] = "flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """From `at_s` on the recorded channel sends what was stored of the flight that took off at `of_s`."""

    vehicle: str = ""
    at_s: float
    of_s: float = 0.0
    log_from_s: float = -10.0
    """Seconds from that take-off."""
    log_until_s: float
    period_s: float = 0.05
    profile: tuple[Segment, ...] = ()
    """Of a flight that is not itself in the scenario."""
    on_live_channel: bool = False
    """Sent on the real-time channel, whose counts go on; nothing but its on-board time says that it was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Boot count up, every count to 0, the on-board clock (if so) to its epoch; nothing is sent for `silent_s`."""

    vehicle: str = ""
    at_s: float
    silent_s: float = 0.0
    clock_reset: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    vehicle: str = ""
    from_s: float
    until_s: float
    by_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """Every packet after `after_s` repeats the one sent then, its on-board time too."""

    vehicle: str = ""
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleOnly:
    """After `after_s` up to and with `until_s` the vehicle sends only idle frames."""

    vehicle: str = ""
    after_s: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ghost:
    """Good frames of a source that the mission does not expect."""

    link: str = ""
    scid: int
    vcid: int
    from_s: float
    until_s: float
    period_s: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fade:
    """Attenuation beside that of the distance: a hill, a mast, a bad heading. Falls linearly from the first figure to
    the second; with `below_m`, only while the vehicle is lower."""

    vehicle: str = ""
    link: str = ""
    from_s: float
    until_s: float
    db: tuple[float, ...]
    below_m: float = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Frames lost independently of each other, but for those sent at `kept_s`."""

    vehicle: str = ""
    link: str = ""
    from_s: float
    until_s: float
    probability: float
    kept_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nothing of the vehicle is heard between `after_s` and `until_s`."""

    vehicle: str = ""
    link: str = ""
    after_s: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """From `from_s` to `until_s` the receiver hands over noise: `flipped` frames of the vehicle with wrong bits and
    `random` ones. A frame of the vehicle every `good_every_s` comes through (0: none)."""

    link: str = ""
    from_s: float
    until_s: float
    flipped: int
    random: int
    good_every_s: float = 0.0
    lucky: Literal["none", "random", "landing"] = "none"
    """One of the random frames passes its check: as it is, or made up as a frame of the vehicle that says landed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """From one start of a receiver to its end."""

    link: str = ""
    from_s: float
    until_s: float
    end_of_data: bool = True
    delivered_at_s: float | None = None
    """Earth time at which the whole of it was delivered; None: as it was received."""
    swapped_frames: int = 0
    """Frames change places with others up to so many away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotListening:
    link: str = ""
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """What the listening records from `from_s` to `until_s` say of the receiver's production."""

    link: str = ""
    from_s: float
    until_s: float
    status: ProductionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Records after `after_s` reach the ground at `until_s` or later: all of them (the way from relay to ground is
    broken), or the frames only (a slow store, with the listening records on another path)."""

    link: str = ""
    after_s: float
    until_s: float
    frames_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondPath:
    """Every frame is delivered by a second path too. At `conflict_at_s` its copy says something else and passes its
    check, at `erred_at_s` it does not pass."""

    link: str = ""
    conflict_at_s: tuple[float, ...] = ()
    erred_at_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    """The physical model: plane earth beyond 4 h_r h_v / lambda, free space before it."""

    distance_m: float = 300.0
    antenna_height_m: float = 1.0
    transmit_dbm: float = 28.75
    """0.75 W."""
    threshold_dbm: float = -100.0
    """Half of the frames are lost at this level."""
    width_db: float = 1.0
    noise_dbm: float = -118.0
    loss: float = 0.0
    """Of frames, independently, however strong they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The first count of each virtual channel."""

    realtime: int = 0
    recorded: int = 0
    idle: int = 0
    master: int = 0
    cycle: int = -1
    """AOS virtual channel frame count cycle at the start; -1: not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """How every receiver of the scenario writes."""

    interval_s: float = 1.0
    """Of listening records."""
    batch_frames: int = 8
    """At most so many frames in a record."""
    latency_s: float = 0.25
    says_heard: bool = True
    """Whether listening records say how many frames were heard and at which level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    order: Order = "received"
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One incident that must be in the final result, or be retracted in it."""

    type: str
    severity: Literal["info", "notice", "warning", "critical"]
    """In the last revision."""
    first_severity: str = ""
    """In the first, where it is another."""
    highest_severity: str = ""
    vehicle: str = ""
    link: str = ""
    flight: str = ""
    raised_s: float
    tolerance_s: float = 0.2
    state: Literal["open", "closed", "retracted"]
    close_reason: str = ""
    """Of a retraction: why."""
    ended_s: float | None = None
    ended_tolerance_s: float = 0.2
    episodes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFlight:
    vehicle: str = ""
    number: int = -1
    """-1: the mission lists none."""
    take_off_s: float | None = None
    """None: not seen live."""
    landing: Literal["live", "recorded", "not_seen"] = "live"
    landed_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedMissing:
    """Missing frames of one virtual channel over the whole recording."""

    format: Literal["", "tm", "aos"] = ""
    """Only where the link has it: what a count can tell depends on its length."""
    vehicle: str = ""
    link: str = ""
    vcid: int = 0
    missing: int
    at_least: int = -1
    """-1: the same."""
    ambiguous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    title: str
    row: str
    """In the table of scenarios."""
    seed: int
    starts_at: int
    """T0: nanoseconds since 1970-01-01T00:00:00Z, relay receive clock."""
    mission: Mission
    mission_data: Mapping[str, Any]
    """The mission's file with the scenario's changes, to be written beside the recording."""
    boot_count: int = 41
    idle_share: float = 0.05
    """Of the frames sent on the ground."""
    flights: tuple[Flight, ...] = ()
    contacts: tuple[Contact, ...] = ()
    playbacks: tuple[Playback, ...] = ()
    restarts: tuple[Restart, ...] = ()
    clock_steps: tuple[ClockStep, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    idle_only: tuple[IdleOnly, ...] = ()
    ghosts: tuple[Ghost, ...] = ()
    fades: tuple[Fade, ...] = ()
    losses: tuple[Loss, ...] = ()
    silences: tuple[Silence, ...] = ()
    bursts: tuple[Burst, ...] = ()
    sessions: tuple[Session, ...] = ()
    not_listening: tuple[NotListening, ...] = ()
    production: tuple[Production, ...] = ()
    held: tuple[Held, ...] = ()
    second_paths: tuple[SecondPath, ...] = ()
    radio: Radio = field(default_factory=Radio)
    counts: Counts = field(default_factory=Counts)
    receiver: Receiver = field(default_factory=Receiver)
    arrival: Arrival = field(default_factory=Arrival)
    twins: tuple[Order, ...] = ()
    """Other orders of arrival that must give the same final result."""
    expect: tuple[Expected, ...] = ()
    tolerate: tuple[str, ...] = ()
    """Types that may stand beside the expected ones."""
    expect_flights: tuple[ExpectedFlight, ...] = ()
    expect_missing: tuple[ExpectedMissing, ...] = ()
    expect_dispositions: Mapping[str, int] = field(default_factory=dict)
    """Of the whole recording in the order received: "duplicate", "conflict", "bad", "out_of_scope"..."""

    def at(self, seconds: float) -> int:
        """The relay receive time `seconds` after T0, nanoseconds since 1970."""
        return self.starts_at + nanoseconds(seconds)


def nanoseconds(seconds: float) -> int:
    return round(seconds * SECOND)


NOMINAL_PROFILE = (
    Segment(phase="takeoff", until_s=1.0, altitude_m=12.0 / 14.5),
    Segment(phase="climb", until_s=14.5, altitude_m=12.0),
    Segment(phase="hover", until_s=19.0, altitude_m=12.0),
    Segment(phase="descent", until_s=30.0, altitude_m=1.0),
    Segment(phase="terminal_descent", until_s=32.2, altitude_m=0.0),
    Segment(phase="landed", until_s=62.0, altitude_m=0.0),
)
"""What every scenario flies that says nothing else."""
