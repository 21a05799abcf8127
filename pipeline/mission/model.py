"""The mission as data: what a vehicle is, what its links carry, what its values mean, what was planned.
Frozen, checked by `load` before any data moves; knows no file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

SECOND = 1_000_000_000
FrameFormat = Literal["tm", "aos", "mavlink"]
Operator = Literal["==", "!=", "<", "<=", ">", ">="]
FlightState = Literal["ground", "flight"]
"""What a sample says of the vehicle: its phase is an on-ground one or an in-flight one (None: neither)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """SCENARIOS.md's timers; each "the larger of some periods and some seconds"."""

    suspect_periods: float = 5
    suspect_seconds: float = 1.0
    loss_periods: float = 20
    loss_seconds: float = 3.0
    confirm_seconds: float = 30.0
    resume_frames: int = 5
    resume_seconds: float = 1.0
    landed_frames: int = 3
    landed_seconds: float = 1.0
    acquire_seconds: float = 600.0
    relay_silent_seconds: float = 3.0
    given_up_minutes: float = 10.0
    late_days: float = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One parameter against a constant. There is no expression language."""

    parameter: str
    operator: Operator
    value: float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Comparisons (or conditions) joined by `all` or by `any`."""

    joined_by: Literal["all", "any"]
    parts: "tuple[Comparison | Condition, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meanings:
    """Which parameter is what. A name that is None is not reported by this vehicle."""

    altitude: str | None = None
    """Metres above the place of take-off."""
    climb_rate: str | None = None
    """Metres a second, upwards positive."""
    phase: str | None = None
    boot_count: str | None = None
    spacecraft_time: str | None = None
    """On-board seconds; "packet" where it is the time code of the packet's secondary header."""
    spacecraft_time_since_boot: bool = False
    """It counts from the vehicle's last boot, as MAVLink's does: where it falls back the vehicle started again."""
    in_flight: Condition | None = None
    on_ground: Condition | None = None
    landed: Condition | None = None
    """The landed flag itself: often true before take-off too."""
    descending: tuple[str, ...] = ()
    """Phases that belong to the planned descent and landing."""
    contingency: tuple[str, ...] = ()
    """Phases that mean the vehicle broke off its flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFlight:
    number: int
    starts_at: int
    """The flight that takes off within `within` of this relay receive time."""
    within: int = 3600 * SECOND
    assigned_altitude_m: float | None = None
    altitude_in_feet: bool = False
    """The assigned altitude was given in feet: say both."""
    planned_duration_s: float | None = None


ANY_SYSTEM: Final = 0
"""System id of a MAVLink vehicle that stands for every system which no other vehicle of its link names. On the link 0
is "to all": nobody sends as 0, so no vehicle loses its id to this."""
MOST_SYSTEMS: Final = 255

_SYSTEM_NAME: Final = re.compile(r"system-([1-9][0-9]{0,2})")


def system_named(name: str) -> int | None:
    """The MAVLink system that has this name where the mission gives it none: `system-7`."""
    named = _SYSTEM_NAME.fullmatch(name)
    return int(named[1]) if named and int(named[1]) <= MOST_SYSTEMS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    name: str
    scid: int
    """Spacecraft id; for MAVLink the system id, ANY_SYSTEM for each system that is heard."""
    entry: str = ""
    """Name of the mission's entry that a vehicle of any system is of; empty for one that the mission names."""
    realtime_vcids: tuple[int, ...] = (0,)
    """For MAVLink the component ids; empty: every component."""
    recorded_vcids: tuple[int, ...] = ()
    """Channels that play back what was stored on board."""
    idle_vcids: tuple[int, ...] = ()
    frame_period_s: float | None = None
    """Nominal period of the fastest real-time channel; None: estimated from the frames."""
    meanings: Meanings = field(default_factory=Meanings)
    packets: "tuple[Packet, ...]" = ()
    flights: tuple[PlannedFlight, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One receiver's physical channel with its managed parameters (what both ends agreed)."""

    name: str
    format: FrameFormat
    vehicles: tuple[str, ...]
    """The first is the one whose verdicts also speak for the link itself."""
    frame_length: int = 0
    """Octets; 0 for formats whose frames say their own length."""
    frame_error_control_field: bool = True
    operational_control_field: bool = False
    insert_zone_octets: int = 0
    frame_header_error_control: bool = False
    clock_tolerance_s: float = 10.0
    """By which the clocks of the relay, of the ground and of Kafka may differ."""

    @property
    def clock_tolerance(self) -> int:
        """The same in nanoseconds."""
        return round(self.clock_tolerance_s * SECOND)


FieldType = Literal["uint", "int", "float", "enum", "bool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value of a packet: `bits` bits at `bit` of the packet data field (0 is the first bit after the
    primary header, so a secondary header counts)."""

    name: str
    type: FieldType
    bit: int
    bits: int
    scale: float = 1.0
    offset: float = 0.0
    labels: Mapping[int, str] = field(default_factory=dict)
    """For `enum`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    name: str
    apid: int
    fields: tuple[Field, ...]
    time_code: Literal["none", "cuc", "cds"] = "none"
    """The secondary header: a time code without P-field at the start of the packet data field."""
    time_code_basic_octets: int = 4
    time_code_fractional_octets: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A contact window of (vehicle, link) on the relay's receive clock."""

    name: str
    vehicle: str
    link: str
    starts_at: int
    ends_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLoss:
    name: str
    vehicle: str
    starts_at: int
    """`from` in the file."""
    ends_at: int
    """`until` in the file."""
    reason: str
    below_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    windows: tuple[Window, ...] = ()
    expected_losses: tuple[ExpectedLoss, ...] = ()
    sleeps: tuple[tuple[str, int, int], ...] = ()
    """(vehicle, starts_at, ends_at)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mission:
    name: str
    vehicles: tuple[Vehicle, ...]
    links: tuple[Link, ...]
    plan: Plan = field(default_factory=Plan)
    timers: Timers = field(default_factory=Timers)

    def vehicle(self, name: str) -> Vehicle:
        """The vehicle of that name. Raises KeyError where there is none."""
        entry = self.entry_of(name)
        if entry is None:
            raise KeyError(name)
        return entry if entry.name == name else self.system(entry, system_named(name) or ANY_SYSTEM)

    def system(self, entry: Vehicle, system: int) -> Vehicle:
        """The vehicle that is a MAVLink system of an entry."""
        if entry.scid != ANY_SYSTEM or system == ANY_SYSTEM:
            return entry
        return replace(entry, name=f"system-{system}", scid=system, entry=entry.name)

    def entry_of(self, name: str) -> Vehicle | None:
        """The mission's entry that a vehicle is of: its own, or that for any MAVLink system. None: it has none."""
        for vehicle in self.vehicles:
            if vehicle.name == name:
                return vehicle
        if system_named(name) is None:
            return None
        return next((one for one in self.vehicles if one.scid == ANY_SYSTEM and self.is_mavlink(one)), None)

    def is_mavlink(self, vehicle: Vehicle) -> bool:
        entry = vehicle.entry or vehicle.name
        return any(link.format == "mavlink" and entry in link.vehicles for link in self.links)

    def link(self, name: str) -> Link | None:
        return next((link for link in self.links if link.name == name), None)

    def links_of(self, vehicle: str) -> tuple[Link, ...]:
        """The links on which a vehicle is expected."""
        entry = self.entry_of(vehicle)
        return () if entry is None else tuple(link for link in self.links if entry.name in link.vehicles)
