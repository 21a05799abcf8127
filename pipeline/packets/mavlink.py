"""What MAVLink messages say of the vehicle. A message carries a few values and never all of them (HEARTBEAT: armed;
GLOBAL_POSITION_INT: altitude), so each is read together with the last ones of the others. Knows no frame and no link;
where a field stands in a payload is pymavlink's.
"""

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any, Final

from pipeline.frames.mavlink import Message

Value = float | str | bool

SECOND: Final = 1_000_000_000

STALE: Final = 10 * SECOND
"""A value heard longer ago on the relay's clock is not read together with a new one. HEARTBEAT and position come
once a second or more often."""

ARMING_SEEN: Final = 3 * SECOND
"""Between the last HEARTBEAT that says disarmed and the first that says armed: then the vehicle still stood where it
armed when the next altitude came, at most REFERENCE_WAIT later."""
REFERENCE_WAIT: Final = 2 * SECOND

RESTART_MILLISECONDS: Final = 5_000
"""The time since boot falls back by more: another boot, and nothing known of the last one holds."""

IN_AIR_METRES: Final = 1.0
"""For the word of the phase only; a mission's conditions have numbers of their own."""

LANDED_STATES: Final = ("unknown", "on_ground", "in_air", "takeoff", "landing")
"""MAV_LANDED_STATE, in MAVLink's words."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoard:
    """What was last heard of one vehicle, and since when it has been in the air. Times are relay receive times."""

    newest: int | None = None
    armed: bool | None = None
    armed_at: int = 0
    landed_state: str = "unknown"
    landed_state_at: int = 0
    relative_altitude: float | None = None
    climb_rate: float | None = None
    altitude_at: int = 0
    time_boot_ms: int | None = None
    altitude_at_arming: float | None = None
    """Relative altitude where the vehicle armed; None where its arming was not heard."""
    reference_until: int | None = None
    """The first altitude up to here becomes the one at arming: arming moves the home that altitudes count from."""
    highest_above_arming: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "OnBoard":
        return cls(**body)


def learn(known: OnBoard, message: Message, at: int) -> tuple[OnBoard, dict[str, Value] | None]:
    """What is known after `message`, received at `at`, and the vehicle's values at that moment by their names in
    PARAMETERS (those not known are left out). None where the message says nothing that is a parameter here.

    A message older than one heard before says only what it carries itself, and changes nothing of what is known.
    """
    said = _read(message)
    if said is None:
        return known, None
    if known.newest is not None and at < known.newest:
        alone = _merge(OnBoard(), said, at)
        return known, _values(alone, said, at)
    booted, now_booted = known.time_boot_ms, said.get("time_boot_ms")
    if booted is not None and now_booted is not None and now_booted < booted - RESTART_MILLISECONDS:
        known = OnBoard()
    known = _merge(known, said, at)
    return known, _values(known, said, at)


def _read(message: Message) -> dict[str, Any] | None:
    """The fields that matter here, in our names and units."""
    fields = _fields(message)
    if fields is None:
        return None
    name = _wanted()[message.message_id]
    if name == "HEARTBEAT":
        # A camera, a gimbal or a companion computer of the vehicle has a HEARTBEAT too and is never armed.
        if fields["autopilot"] == _definitions().MAV_AUTOPILOT_INVALID:
            return None
        return {"armed": bool(fields["base_mode"] & _definitions().MAV_MODE_FLAG_SAFETY_ARMED)}
    if name == "EXTENDED_SYS_STATE":
        state = fields["landed_state"]
        return {"landed_state": LANDED_STATES[state] if state < len(LANDED_STATES) else "unknown"}
    if name == "SYSTEM_TIME":
        return {"time_boot_ms": fields["time_boot_ms"]}
    return {
        "time_boot_ms": fields["time_boot_ms"],
        "relative_altitude": fields["relative_alt"] / 1000,
        "climb_rate": -fields["vz"] / 100,
    }


def _merge(known: OnBoard, said: Mapping[str, Any], at: int) -> OnBoard:
    known = replace(known, newest=at)
    if "time_boot_ms" in said:
        known = replace(known, time_boot_ms=said["time_boot_ms"])
    if "landed_state" in said:
        known = replace(known, landed_state=said["landed_state"], landed_state_at=at)
    if "armed" in said:
        known = _merge_armed(known, said["armed"], at)
    if "relative_altitude" in said:
        known = _merge_altitude(known, said["relative_altitude"], said["climb_rate"], at)
    return known


def _merge_armed(known: OnBoard, armed: bool, at: int) -> OnBoard:
    if armed and known.armed is False:
        # The last altitude on the ground, unless the vehicle was heard to arm and says a better one at once.
        just_now = at - known.armed_at <= ARMING_SEEN
        until = at + REFERENCE_WAIT if just_now else None
        known = replace(
            known, altitude_at_arming=known.relative_altitude, reference_until=until, highest_above_arming=None
        )
    return replace(known, armed=armed, armed_at=at)


def _merge_altitude(known: OnBoard, relative_altitude: float, climb_rate: float, at: int) -> OnBoard:
    known = replace(known, relative_altitude=relative_altitude, climb_rate=climb_rate, altitude_at=at)
    if known.reference_until is not None:
        if at <= known.reference_until:
            known = replace(known, altitude_at_arming=relative_altitude)
        known = replace(known, reference_until=None)
    if known.armed and known.altitude_at_arming is not None:
        above = relative_altitude - known.altitude_at_arming
        highest = above if known.highest_above_arming is None else max(above, known.highest_above_arming)
        known = replace(known, highest_above_arming=highest)
    return known


def _values(known: OnBoard, said: Mapping[str, Any], at: int) -> dict[str, Value]:
    armed = known.armed if at - known.armed_at <= STALE else None
    landed_state = known.landed_state if at - known.landed_state_at <= STALE else "unknown"
    values: dict[str, Value] = {"landed_state": landed_state}
    if armed is not None:
        values["armed"] = armed
    if "time_boot_ms" in said:
        # Never carried on: it would seem to stand still.
        values["time_boot"] = said["time_boot_ms"] / 1000
    above = None
    if known.relative_altitude is not None and known.climb_rate is not None and at - known.altitude_at <= STALE:
        values["relative_altitude"] = known.relative_altitude
        values["climb_rate"] = known.climb_rate
        if known.altitude_at_arming is not None:
            above = values["altitude_above_arming"] = round(known.relative_altitude - known.altitude_at_arming, 3)
    if armed and known.highest_above_arming is not None:
        values["highest_above_arming"] = round(known.highest_above_arming, 3)
    phase = _phase(armed, landed_state, above, known.highest_above_arming)
    if phase is not None:
        values["phase"] = phase
    return values


def _phase(armed: bool | None, landed_state: str, above: float | None, highest: float | None) -> str | None:
    """One word: disarmed, on_ground (the vehicle says so), armed (not yet risen), in_air, near_ground (has risen)."""
    if armed is None:
        return None if landed_state == "unknown" else landed_state
    if not armed:
        return "disarmed"
    if landed_state == "on_ground":
        return "on_ground"
    if above is not None and above > IN_AIR_METRES:
        return "in_air"
    return "near_ground" if highest is not None and highest > IN_AIR_METRES else "armed"


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
    names = ("HEARTBEAT", "SYSTEM_TIME", "GLOBAL_POSITION_INT", "EXTENDED_SYS_STATE")
    return {getattr(definitions, f"MAVLINK_MSG_ID_{name}"): name for name in names}


@cache
def _definitions() -> ModuleType:
    return importlib.import_module("pymavlink.dialects.v20.all")
