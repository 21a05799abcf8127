"""A vehicle of a mission file: its channels, what its values mean, which flights are planned."""

from collections.abc import Mapping
from typing import Final

from pipeline.mission.conditions import read_condition
from pipeline.mission.model import SECOND, Field, FrameFormat, Meanings, Packet, PlannedFlight, Vehicle
from pipeline.mission.plan import overlaps
from pipeline.mission.table import LONGEST_SECONDS, Table

MAVLINK_PARAMETERS: Final = (
    "armed",
    "phase",
    "landed_state",
    "relative_altitude",
    "altitude_above_arming",
    "highest_above_arming",
    "climb_rate",
    "time_boot",
)
"""What `packets.mavlink` reads of messages; MAVLink has its own definitions and a mission file gives none."""

METRES_IN_A_FOOT: Final = 0.3048

MAX_FLIGHTS: Final = 2_000
"""Of one vehicle."""

_HIGHEST_SCID: Final[Mapping[FrameFormat, int]] = {"tm": 1023, "aos": 255, "mavlink": 255}
_HIGHEST_VCID: Final[Mapping[FrameFormat, int]] = {"tm": 7, "aos": 63, "mavlink": 255}


def read_vehicle(table: Table, packets: Mapping[str, Packet], formats: frozenset[FrameFormat]) -> Vehicle:
    """One of `[[vehicles]]`; `formats` are those of the links it is on."""
    known = [one for one in formats if one in _HIGHEST_SCID] or ["tm"]
    high_vcid = min(_HIGHEST_VCID[one] for one in known)
    is_mavlink = "mavlink" in formats
    name = table.name()
    scid = table.whole("scid", low=0, high=min(_HIGHEST_SCID[one] for one in known))
    realtime = table.wholes("realtime_vcids", (0,), low=0, high=high_vcid)
    recorded = table.wholes("recorded_vcids", (), low=0, high=high_vcid)
    idle = table.wholes("idle_vcids", (), low=0, high=high_vcid)
    if not realtime and not is_mavlink:
        table.fault("realtime_vcids", "a vehicle needs at least one real-time virtual channel")
    seen: set[int] = set()
    for key, vcids in (("realtime_vcids", realtime), ("recorded_vcids", recorded), ("idle_vcids", idle)):
        for vcid in vcids:
            if vcid in seen:
                table.fault(key, f"VC {vcid} is named twice; a virtual channel is real-time, recorded or idle")
            seen.add(vcid)
    own = tuple(packets[one] for one in table.texts("packets", ()) if one in packets)
    _check_packets(table, packets, is_mavlink)
    parameters: dict[str, Field | None] = dict.fromkeys(MAVLINK_PARAMETERS) if is_mavlink else {}
    parameters |= {field.name: field for packet in own for field in packet.fields}
    vehicle = Vehicle(
        name=name, scid=scid, realtime_vcids=realtime, recorded_vcids=recorded, idle_vcids=idle,
        frame_period_s=table.number("frame_period_s", None, above=0, most=LONGEST_SECONDS), packets=own,
        meanings=_meanings(table.table("meanings"), parameters, own, is_mavlink=is_mavlink),
        flights=_flights(table.tables("flights", most=MAX_FLIGHTS)),
    )  # fmt: skip
    table.close()
    return vehicle


def _check_packets(table: Table, packets: Mapping[str, Packet], is_mavlink: bool) -> None:
    apids: dict[int, str] = {}
    names = table.texts("packets", ())
    if names and is_mavlink:
        table.fault("packets", "a vehicle on a MAVLink link has MAVLink's own messages and no packet definitions")
    for position, name in enumerate(names):
        path = (*table.path, "packets", position)
        if name not in packets:
            table.faults.add(path, f"{name!r} is no packet of this mission; it has {', '.join(packets) or 'none'}")
            continue
        apid = packets[name].apid
        if apid in apids:
            table.faults.add(path, f"packet {name!r} has APID {apid}, and so has {apids[apid]!r}")
        apids[apid] = name


def _meanings(
    table: Table, parameters: Mapping[str, Field | None], packets: tuple[Packet, ...], *, is_mavlink: bool
) -> Meanings:
    def parameter(key: str, *types: str) -> str | None:
        name = table.text(key, None)
        if name is None:
            return None
        if name not in parameters:
            table.fault(key, f"{name!r} is carried by no packet of this vehicle")
            return None
        field = parameters[name]
        if field is not None and field.type not in types:
            table.fault(key, f"{name!r} is of type {field.type}; expected {' or '.join(types)}")
        return name

    numbers = ("uint", "int", "float")
    phase = parameter("phase", "enum")
    time = table.text("spacecraft_time", None)
    if time == "packet":
        if not any(packet.time_code != "none" for packet in packets):
            table.fault("spacecraft_time", "is that of the packets, and none of them has a time code")
    elif time is not None:
        parameter("spacecraft_time", *numbers)
    since_boot = table.truth("spacecraft_time_since_boot", is_mavlink)
    if is_mavlink and not since_boot:
        table.fault("spacecraft_time_since_boot", "is always true of MAVLink")
    if since_boot and not is_mavlink and time is None:
        table.fault("spacecraft_time_since_boot", "says what spacecraft_time counts from, and there is none")
    field = parameters.get(phase) if phase is not None else None
    meanings = Meanings(
        altitude=parameter("altitude", *numbers), climb_rate=parameter("climb_rate", *numbers), phase=phase,
        boot_count=parameter("boot_count", "uint", "int"), spacecraft_time=time,
        spacecraft_time_since_boot=since_boot,
        in_flight=read_condition(table, "in_flight", parameters),
        on_ground=read_condition(table, "on_ground", parameters),
        landed=read_condition(table, "landed", parameters),
        descending=_phases(table, "descending", phase, field), contingency=_phases(table, "contingency", phase, field),
    )  # fmt: skip
    table.close()
    return meanings


def _phases(table: Table, key: str, phase: str | None, field: Field | None) -> tuple[str, ...]:
    names = table.texts(key, ())
    if names and phase is None:
        table.fault(key, "names phases, and no parameter is the phase")
    for position, name in enumerate(names):
        if field is not None and name not in field.labels.values():
            path = (*table.path, key, position)
            table.faults.add(path, f"{name!r} is no phase; {field.name} is one of {', '.join(field.labels.values())}")
    return names


def _flights(tables: tuple[Table, ...]) -> tuple[PlannedFlight, ...]:
    flights = [_flight(table) for table in tables]
    numbers: set[int] = set()
    for table, flight in zip(tables, flights, strict=True):
        if flight.number in numbers:
            table.fault("number", f"flight {flight.number} is listed twice")
        numbers.add(flight.number)
    spans = [(flight.starts_at - flight.within, flight.starts_at + flight.within) for flight in flights]
    for place, before in overlaps(spans):
        number, other = flights[place].number, flights[before].number
        if number != other:
            tables[place].fault("starts_at", f"a take-off could be that of flight {other} or of flight {number}")
    return tuple(flights)


def _flight(table: Table) -> PlannedFlight:
    metres = table.number("assigned_altitude_m", None, above=0)
    feet = table.number("assigned_altitude_ft", None, above=0)
    if metres is not None and feet is not None:
        table.fault("assigned_altitude_ft", "the assigned altitude is given in metres too; give one")
    flight = PlannedFlight(
        number=table.whole("number", low=0, high=1_000_000),
        starts_at=table.moment("starts_at"),
        within=round(table.number("within_s", 3600.0, above=0, most=LONGEST_SECONDS) * SECOND),
        assigned_altitude_m=metres if feet is None else round(feet * METRES_IN_A_FOOT, 4),
        altitude_in_feet=feet is not None,
        planned_duration_s=table.number("planned_duration_s", None, above=0, most=LONGEST_SECONDS),
    )
    table.close()
    return flight
