"""What MAVLink messages say of the vehicle. `read` gives the words of one message; `learn` reads them together with
the last words of the others, in the order of time, since a message carries a few values and never all of them. Knows
no frame and no link; where a field stands in a payload is pymavlink's.

A state has an age. A word that the vehicle is landed (disarmed, on_ground) counts from the message that brought it,
and is contradicted by movement received after it. After a silence only what was received after it counts.
"""

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from statistics import median
from types import ModuleType
from typing import Any, Final, NamedTuple

from pipeline.frames.mavlink import Message

Value = float | str | bool
Word = int | float | str | bool | None

SECOND: Final = 1_000_000_000

STALE: Final = 10 * SECOND
"""A value heard longer ago on the relay's clock is not read together with a new one. HEARTBEAT and position come
once a second or more often."""

SILENCE: Final = 3 * SECOND
BUNCH: Final = SECOND
USUAL_PAUSES: Final = 4
LONGEST_SILENCE: Final = 120 * SECOND
"""Nothing for SILENCE is a silence, and where pauses of more than BUNCH are usual, nothing for so many of them."""
PAUSES_ASKED: Final = 5
PAUSES_KEPT: Final = 32

ARMING_SEEN: Final = 3 * SECOND
"""Between the last HEARTBEAT that says disarmed and the first that says armed: then the vehicle still stood where it
armed when the next altitude came, at most REFERENCE_WAIT later."""
REFERENCE_WAIT: Final = 2 * SECOND

MOVED_METRES: Final = 1.0
MOVED_WITHIN: Final = 3 * SECOND
MOVING_RATE: Final = 0.5
"""Movement: the altitude changes by more than MOVED_METRES within MOVED_WITHIN, or the climb rate is above MOVING_RATE
and the altitude agrees with it."""
_AGREES: Final = 0.5
"""Share of what the rate predicts that the altitude changes at least."""

RESTART_MILLISECONDS: Final = 5_000
"""The time since boot falls back by more: another boot, and nothing known of the last one holds."""
WRAP_MILLISECONDS: Final = 1 << 32

IN_AIR_METRES: Final = 1.0
"""For the word of the phase only; a mission's conditions have numbers of their own."""

LANDED_STATES: Final = ("unknown", "on_ground", "in_air", "takeoff", "landing")
"""MAV_LANDED_STATE, in MAVLink's words."""
ERROR_SEVERITY: Final = 3
"""MAV_SEVERITY_ERROR; a lower number is worse."""
MODE_UNKNOWN: Final = ""

PARAMETERS: Final = frozenset(
    {
        "armed",
        "phase",
        "landed_state",
        "relative_altitude",
        "altitude_above_arming",
        "highest_above_arming",
        "climb_rate",
        "time_boot",
    }
)
"""What a mission file can name. Metres, metres a second upwards, seconds since boot."""


class Reading(NamedTuple):
    """What one message says, in our names and units; None where it does not say. Values that are no number are left
    out."""

    message: str
    armed: bool | None = None
    vehicle_type: int | None = None
    """MAV_TYPE, of a HEARTBEAT."""
    autopilot: int | None = None
    """MAV_AUTOPILOT, of a HEARTBEAT."""
    mode: str | None = None
    """The flight mode, in the autopilot's word."""
    landed_state: str | None = None
    time_boot_ms: int | None = None
    altitude: float | None = None
    """Metres above the datum of this message."""
    climb_rate: float | None = None
    """Metres a second, upwards."""
    latitude: float | None = None
    longitude: float | None = None
    """Degrees."""
    height: float | None = None
    """Metres above mean sea level."""
    east: float | None = None
    north: float | None = None
    """Metres from the datum of the local frame."""
    course: float | None = None
    """Degrees from north, clockwise, over ground."""
    speed: float | None = None
    """Metres a second over ground."""
    text: str | None = None


ALTITUDE_SOURCES: Final = ("GLOBAL_POSITION_INT", "ALTITUDE", "LOCAL_POSITION_NED", "VFR_HUD", "HIGH_LATENCY2")
"""The first of them that is there says how high the vehicle is."""
_ABOVE_SEA: Final = frozenset(("VFR_HUD", "HIGH_LATENCY2"))
"""These count from mean sea level: without the altitude at which the vehicle armed they do not say how high it is."""
RATE_SOURCES: Final = ("VFR_HUD", "LOCAL_POSITION_NED", "GLOBAL_POSITION_INT")
"""GLOBAL_POSITION_INT last: old ArduPilot sends its vz upwards."""

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "HEARTBEAT": ("armed", "vehicle_type", "autopilot", "mode"),
    "EXTENDED_SYS_STATE": ("landed_state",),
    "SYSTEM_TIME": ("time_boot_ms",),
    "ATTITUDE": ("time_boot_ms",),
    "GLOBAL_POSITION_INT": (
        "time_boot_ms", "altitude", "climb_rate", "latitude", "longitude", "height", "course", "speed",
    ),
    "LOCAL_POSITION_NED": ("time_boot_ms", "altitude", "climb_rate", "east", "north", "course", "speed"),
    "ALTITUDE": ("altitude",),
    "VFR_HUD": ("altitude", "climb_rate"),
    "HIGH_LATENCY2": ("altitude", "latitude", "longitude", "height", "course", "speed"),
    "STATUSTEXT": ("text",),
}  # fmt: skip
"""The messages that are read, and what of a Reading each can say."""


def words_of(reading: Reading) -> tuple[Word, ...]:
    """What it says, in the order of FIELDS."""
    return tuple([getattr(reading, name) for name in FIELDS[reading.message]])


_TEXTS: Final = frozenset(("mode", "landed_state", "text"))


def fits(message: str, words: Sequence[Word]) -> bool:
    """Whether these are words that a message of that name can have."""
    names = FIELDS.get(message)
    return names is not None and len(names) == len(words) and all(map(_fits, names, words))


def _fits(name: str, word: Word) -> bool:
    if name == "armed":
        return isinstance(word, bool)
    if name in _TEXTS:
        return isinstance(word, str)
    if name in ("vehicle_type", "autopilot", "time_boot_ms"):
        return isinstance(word, int) and not isinstance(word, bool)
    return word is None or (isinstance(word, int | float) and not isinstance(word, bool))


def reading_of(message: str, words: Iterable[Word]) -> Reading:
    """The inverse of `words_of`."""
    return Reading(message, **dict(zip(FIELDS[message], words, strict=True)))  # type: ignore[arg-type]


def read(message: Message) -> Reading | None:
    """What the message says; None where it says nothing that has a meaning here."""
    fields = _fields(message)
    if fields is None:
        return None
    name = _wanted()[message.message_id]
    if name == "HEARTBEAT":
        armed = bool(fields["base_mode"] & _definitions().MAV_MODE_FLAG_SAFETY_ARMED)
        kind, autopilot = fields["type"], fields["autopilot"]
        mode = mode_of(autopilot, kind, fields["custom_mode"])
        return Reading(name, armed=armed, vehicle_type=kind, autopilot=autopilot, mode=mode)
    if name == "EXTENDED_SYS_STATE":
        state = fields["landed_state"]
        return Reading(name, landed_state=LANDED_STATES[state] if state < len(LANDED_STATES) else "unknown")
    if name == "SYSTEM_TIME" or name == "ATTITUDE":
        return Reading(name, time_boot_ms=fields["time_boot_ms"])
    if name == "STATUSTEXT":
        if fields["severity"] > ERROR_SEVERITY:
            return None
        text = fields["text"].split(b"\x00")[0].decode("utf-8", "replace")
        text = "".join(one if one.isprintable() else " " for one in text).strip()
        return Reading(name, text=text) if text else None
    if name == "ALTITUDE":
        return Reading(name, altitude=_finite(fields["altitude_relative"]))
    if name == "VFR_HUD":
        return Reading(name, altitude=_finite(fields["alt"]), climb_rate=_finite(fields["climb"]))
    if name == "LOCAL_POSITION_NED":
        down, sinking = _finite(fields["z"]), _finite(fields["vz"])
        course, speed = _over_ground(_finite(fields["vx"]), _finite(fields["vy"]))
        return Reading(
            name, time_boot_ms=fields["time_boot_ms"], altitude=None if down is None else -down,
            climb_rate=None if sinking is None else -sinking, east=_finite(fields["y"]), north=_finite(fields["x"]),
            course=course, speed=speed,
        )  # fmt: skip
    if name == "HIGH_LATENCY2":
        latitude, longitude = _degrees(fields["latitude"], fields["longitude"])
        return Reading(
            name, altitude=float(fields["altitude"]), latitude=latitude, longitude=longitude,
            height=float(fields["altitude"]), course=fields["heading"] * 2.0, speed=fields["groundspeed"] / 5,
        )  # fmt: skip
    latitude, longitude = _degrees(fields["lat"], fields["lon"])
    course, speed = _over_ground(fields["vx"] / 100, fields["vy"] / 100)
    return Reading(
        name, time_boot_ms=fields["time_boot_ms"], altitude=fields["relative_alt"] / 1000,
        climb_rate=-fields["vz"] / 100, latitude=latitude, longitude=longitude,
        height=None if latitude is None else fields["alt"] / 1000, course=course, speed=speed,
    )  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _degrees(latitude: int, longitude: int) -> tuple[float, float] | tuple[None, None]:
    """0, 0 is what an autopilot without a position sends."""
    if (latitude, longitude) == (0, 0) or abs(latitude) > 900_000_000 or abs(longitude) > 1_800_000_000:
        return None, None
    return latitude / 1e7, longitude / 1e7


def _over_ground(north: float | None, east: float | None) -> tuple[float | None, float | None]:
    """Course and speed; a vehicle that stands has no course."""
    if north is None or east is None:
        return None, None
    speed = math.hypot(north, east)
    course = round(math.degrees(math.atan2(east, north)) % 360, 1) if speed > MOVING_RATE else None
    return course, round(speed, 2)


def is_autopilot(vehicle_type: int, autopilot: int) -> bool:
    """Whether a component with this HEARTBEAT flies, drives or dives its system."""
    return autopilot != _definitions().MAV_AUTOPILOT_INVALID and vehicle_type not in _no_vehicles()


def flies(vehicle_type: int) -> bool:
    return vehicle_type not in _on_the_surface()


@cache
def _no_vehicles() -> frozenset[int]:
    names = (
        "ANTENNA_TRACKER", "GCS", "ONBOARD_CONTROLLER", "GIMBAL", "ADSB", "CAMERA", "CHARGING_STATION", "FLARM",
        "SERVO", "ODID", "BATTERY", "PARACHUTE", "LOG", "OSD", "IMU", "GPS", "WINCH", "ILLUMINATOR", "GRIPPER",
    )  # fmt: skip
    return frozenset(_types(names))


@cache
def _on_the_surface() -> frozenset[int]:
    return frozenset(_types(("GROUND_ROVER", "SURFACE_BOAT", "SUBMARINE", "GROUND_QUADRUPED")))


def _types(names: tuple[str, ...]) -> list[int]:
    found = [getattr(_definitions(), f"MAV_TYPE_{name}", None) for name in names]
    return [number for number in found if number is not None]


@cache
def type_name(vehicle_type: int) -> str:
    """quadrotor, ground_rover, …: MAVLink's word, or its number."""
    known = _definitions().enums["MAV_TYPE"].get(vehicle_type)
    return f"type {vehicle_type}" if known is None else str(known.name).removeprefix("MAV_TYPE_").lower()


@cache
def autopilot_name(autopilot: int) -> str:
    known = _definitions().enums["MAV_AUTOPILOT"].get(autopilot)
    return f"autopilot {autopilot}" if known is None else str(known.name).removeprefix("MAV_AUTOPILOT_").lower()


@cache
def mode_of(autopilot: int, vehicle_type: int, custom_mode: int) -> str:
    """The flight mode in the autopilot's own word; its number where there is none."""
    definitions = _definitions()
    name = None
    if autopilot == definitions.MAV_AUTOPILOT_ARDUPILOTMEGA:
        name = definitions.enums.get(_ardupilot_modes(vehicle_type), {}).get(custom_mode)
        name = None if name is None else str(name.name).split("_MODE_")[-1]
    elif autopilot == definitions.MAV_AUTOPILOT_PX4:
        name = _PX4_MODES.get(custom_mode >> 16 & 0xFF)
        if name == "AUTO":
            name = f"AUTO_{_PX4_AUTO.get(custom_mode >> 24, 'MODE')}"
    return f"mode {custom_mode}" if name is None else name


_PX4_MODES: Final = {
    1: "MANUAL", 2: "ALTCTL", 3: "POSCTL", 4: "AUTO", 5: "ACRO", 6: "OFFBOARD", 7: "STABILIZED", 8: "RATTITUDE",
}  # fmt: skip
_PX4_AUTO: Final = {
    1: "READY", 2: "TAKEOFF", 3: "LOITER", 4: "MISSION", 5: "RTL", 6: "LAND", 8: "FOLLOW_TARGET", 9: "PRECLAND",
}  # fmt: skip


def _ardupilot_modes(vehicle_type: int) -> str:
    name = type_name(vehicle_type)
    if name in ("fixed_wing", "airship") or name.startswith("vtol"):
        return "PLANE_MODE"
    if name in ("ground_rover", "surface_boat"):
        return "ROVER_MODE"
    return "SUB_MODE" if name == "submarine" else "COPTER_MODE"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoard:
    """What was last heard of one component, and since when it has been in the air. Times are relay receive times."""

    newest: int | None = None
    pauses: tuple[int, ...] = ()
    """The last pauses of more than BUNCH."""
    armed: bool | None = None
    armed_at: int = 0
    landed_state: str = "unknown"
    landed_state_at: int = 0
    vehicle_type: int = 0
    time_boot_ms: int | None = None
    altitudes: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """Message → the altitude it said last, and when."""
    rates: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    at_arming: Mapping[str, float] = field(default_factory=dict)
    """Message → its altitude where the vehicle armed; none where its arming was not heard."""
    reference_until: int | None = None
    """The first altitude up to here becomes the one at arming: arming moves the home that altitudes count from, where
    they do not count from the sea."""
    highest_above_arming: float | None = None
    recent: tuple[tuple[int, float], ...] = ()
    """(instant, altitude) of the last MOVED_WITHIN, by the message in use."""
    landed_at: int | None = None
    """When the newest word that it is landed came."""
    is_contradicted: bool = False
    """It has moved since."""

    def usual_silence(self) -> int:
        if len(self.pauses) < PAUSES_ASKED:
            return SILENCE
        return min(max(SILENCE, round(USUAL_PAUSES * median(self.pauses))), LONGEST_SILENCE)


class Learnt(NamedTuple):
    known: OnBoard
    values: dict[str, Value]
    """By their names in PARAMETERS; those not known are left out."""
    is_landed_word: bool
    """The message itself says that the vehicle is disarmed or on the ground."""
    contradicts_until: int | None
    """Words before this instant that the vehicle is landed are contradicted; None: none are."""


def learn(known: OnBoard, reading: Reading, at: int) -> Learnt:
    """What is known after a reading received at `at`, not before the one before it."""
    known = _after_silence(known, at)
    booted, now_booted = known.time_boot_ms, reading.time_boot_ms
    if booted is not None and now_booted is not None:
        back = booted - now_booted
        if RESTART_MILLISECONDS < back < WRAP_MILLISECONDS - 2 * RESTART_MILLISECONDS:
            known = OnBoard(newest=known.newest, pauses=known.pauses, vehicle_type=known.vehicle_type)
    if now_booted is not None:
        known = replace(known, time_boot_ms=now_booted)
    if reading.vehicle_type is not None:
        known = replace(known, vehicle_type=reading.vehicle_type)
    if reading.armed is not None:
        known = _merge_armed(known, reading.armed, at)
    if reading.landed_state is not None:
        known = replace(known, landed_state=reading.landed_state, landed_state_at=at)
    is_landed = reading.armed is False or reading.landed_state == "on_ground"
    if is_landed:
        known = replace(known, landed_at=at, is_contradicted=False)
    contradicts_until = None
    if reading.climb_rate is not None:
        known = replace(known, rates={**known.rates, reading.message: (reading.climb_rate, at)})
    if reading.altitude is not None:
        known, contradicts_until = _merge_altitude(known, reading, at)
    known = replace(known, newest=at)
    return Learnt(known, _values(known, reading, at), is_landed, contradicts_until)


def _after_silence(known: OnBoard, at: int) -> OnBoard:
    """What still counts at `at`: after a silence how things stood before it does not."""
    if known.newest is None or at - known.newest <= BUNCH:
        return known
    pause = at - known.newest
    silence = known.usual_silence()
    pauses = (*known.pauses, pause)[-PAUSES_KEPT:]
    if pause <= silence:
        return replace(known, pauses=pauses)
    return replace(
        known, pauses=pauses, armed=None, landed_state="unknown", recent=(), rates={}, altitudes={},
        reference_until=None, landed_at=None, is_contradicted=False,
    )  # fmt: skip


def _merge_armed(known: OnBoard, armed: bool, at: int) -> OnBoard:
    if armed and known.armed is False:
        # The last altitude on the ground, unless the vehicle was heard to arm and says a better one at once.
        just_now = at - known.armed_at <= ARMING_SEEN
        at_arming = {source: altitude for source, (altitude, _) in known.altitudes.items()}
        until = at + REFERENCE_WAIT if just_now else None
        known = replace(known, at_arming=at_arming, reference_until=until, highest_above_arming=None)
    return replace(known, armed=armed, armed_at=at)


def _source(altitudes: Mapping[str, tuple[float, int]], sources: tuple[str, ...], at: int) -> str | None:
    """The first message that said something lately."""
    return next((one for one in sources if one in altitudes and at - altitudes[one][1] <= STALE), None)


def _merge_altitude(known: OnBoard, reading: Reading, at: int) -> tuple[OnBoard, int | None]:
    source, altitude = reading.message, reading.altitude
    assert altitude is not None
    if _source(known.altitudes, ALTITUDE_SOURCES, at) != source:
        known = replace(known, recent=known.recent if source not in known.altitudes else ())
    known = replace(known, altitudes={**known.altitudes, source: (altitude, at)})
    if known.reference_until is not None and at <= known.reference_until and source not in _ABOVE_SEA:
        known = replace(known, at_arming={**known.at_arming, source: altitude})
    if known.reference_until is not None and _source(known.altitudes, ALTITUDE_SOURCES, at) == source:
        known = replace(known, reference_until=None)
    if _source(known.altitudes, ALTITUDE_SOURCES, at) != source:
        return known, None
    above = _above_arming(known, source)
    if known.armed and above is not None:
        highest = above if known.highest_above_arming is None else max(above, known.highest_above_arming)
        known = replace(known, highest_above_arming=highest)
    recent = (*(one for one in known.recent if at - one[0] <= MOVED_WITHIN), (at, altitude))
    known = replace(known, recent=recent)
    until = _moved_since(known, at, altitude)
    if until is not None and known.landed_at is not None and known.landed_at <= until:
        landed_state = "unknown" if known.landed_state == "on_ground" else known.landed_state
        known = replace(known, is_contradicted=True, landed_state=landed_state)
    return known, until


def _moved_since(known: OnBoard, at: int, altitude: float) -> int | None:
    """Before which instant a word that the vehicle is landed is contradicted by this altitude; None: it is not."""
    moved = [since for since, before in known.recent if abs(altitude - before) > MOVED_METRES]
    rate_of = _source(known.rates, RATE_SOURCES, at)
    if rate_of is not None and len(known.recent) > 1:
        rate, rate_at = known.rates[rate_of]
        since, before = known.recent[-2]
        change = rate * (at - since) / SECOND
        if abs(rate) > MOVING_RATE and at - rate_at <= MOVED_WITHIN and (altitude - before) / change >= _AGREES:
            moved.append(min(at, rate_at))
    return max(moved, default=None)


def _above_arming(known: OnBoard, source: str) -> float | None:
    """Metres above the place where it armed; where its arming was not heard, above its home."""
    altitude, _ = known.altitudes[source]
    reference = known.at_arming.get(source)
    if reference is None:
        return None if source in _ABOVE_SEA else altitude
    return altitude - reference


def _values(known: OnBoard, reading: Reading, at: int) -> dict[str, Value]:
    armed = known.armed if at - known.armed_at <= STALE else None
    landed_state = known.landed_state if at - known.landed_state_at <= STALE else "unknown"
    values: dict[str, Value] = {"landed_state": landed_state}
    if armed is not None:
        values["armed"] = armed
    if reading.time_boot_ms is not None:
        # Never carried on: it would seem to stand still.
        values["time_boot"] = reading.time_boot_ms / 1000
    source = _source(known.altitudes, ALTITUDE_SOURCES, at)
    above = None if source is None else _above_arming(known, source)
    if source is not None and above is not None:
        values["altitude_above_arming"] = round(above, 3)
        if source == reading.message:
            altitude = known.altitudes[source][0]
            values["relative_altitude"] = round(above, 3) if source in _ABOVE_SEA else altitude
    rate_of = _source(known.rates, RATE_SOURCES, at)
    if rate_of is not None and (rate_of == reading.message or source == reading.message):
        values["climb_rate"] = known.rates[rate_of][0]
    if armed and known.highest_above_arming is not None:
        values["highest_above_arming"] = round(known.highest_above_arming, 3)
    phase = _phase(armed, landed_state, above, known)
    if phase is not None:
        values["phase"] = phase
    return values


def _phase(armed: bool | None, landed_state: str, above: float | None, known: OnBoard) -> str | None:
    """One word: disarmed, disarmed_in_air, MAVLink's landed state where the vehicle says one, armed (not yet risen),
    in_air, near_ground (has risen)."""
    if armed is False:
        return "disarmed_in_air" if known.is_contradicted else "disarmed"
    if landed_state != "unknown":
        return landed_state
    if armed is None:
        return None
    if above is not None and above > IN_AIR_METRES:
        return "in_air"
    highest = known.highest_above_arming
    if highest is None:
        return "armed" if above is None else "near_ground"
    return "near_ground" if highest > IN_AIR_METRES else "armed"


def _fields(message: Message) -> dict[str, Any] | None:
    if message.message_id not in _wanted():
        return None
    definition = _definitions().mavlink_map[message.message_id]
    # v2 leaves out zeros at the end, and a newer or older definition has more or fewer fields there.
    octets = definition.unpacker.size
    payload = message.payload[:octets].ljust(octets, b"\x00")
    return dict(zip(definition.ordered_fieldnames, definition.unpacker.unpack(payload), strict=False))


@cache
def _wanted() -> dict[int, str]:
    definitions = _definitions()
    return {getattr(definitions, f"MAVLINK_MSG_ID_{name}"): name for name in FIELDS}


@cache
def _definitions() -> ModuleType:
    return importlib.import_module("pymavlink.dialects.v20.all")
