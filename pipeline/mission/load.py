"""A mission file: TOML -> Mission, checked in full before any data moves. Knows the text; does not know where it was
read from."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, get_args

from pipeline.errors import MissionError
from pipeline.mission.definitions import read_packets
from pipeline.mission.lines import Path, lines_of
from pipeline.mission.model import FrameFormat, Link, Mission, Timers, Vehicle
from pipeline.mission.plan import read_plan
from pipeline.mission.table import LONGEST_SECONDS, Faults, Table, read_toml
from pipeline.mission.vehicles import read_vehicle

MAX_FRAME_OCTETS: Final = 2048
"""Of a TM frame (132.0-B); AOS leaves it to the project, and no link here needs more."""

MAX_CLOCK_TOLERANCE_S: Final = 3600.0
"""Clocks that differ by more say nothing of each other."""
MAX_VEHICLES: Final = 255
"""As many as a MAVLink swarm may have."""
MAX_LINKS: Final = 255

HEADER_OCTETS: Final[Mapping[FrameFormat, int]] = {"tm": 6, "aos": 8, "mavlink": 0}
"""With the AOS frame's packet pointer (M_PDU header)."""


def load_mission(text: str, *, where: str) -> Mission:
    """The mission in a TOML text. `where` names the text in messages.

    Raises MissionError with every fault found, a line each: file, line, key, what was found, what was expected.
    """
    return build_mission(read_toml(text, where=where), where=where, lines=lines_of(text))


def build_mission(data: Mapping[str, Any], *, where: str, lines: Mapping[Path, int]) -> Mission:
    """The mission in what a TOML text says. Raises MissionError as `load_mission` does."""
    faults = Faults(where, lines)
    table = Table(data, (), faults)
    name = table.name()
    packets = read_packets(table)
    vehicle_tables = table.tables("vehicles", most=MAX_VEHICLES)
    link_tables = table.tables("links", most=MAX_LINKS)
    if not vehicle_tables:
        table.fault("vehicles", "a mission needs at least one [[vehicles]]")
    if not link_tables:
        table.fault("links", "a mission needs at least one [[links]]")
    links = tuple(_link(one, [str(vehicle.data.get("name")) for vehicle in vehicle_tables]) for one in link_tables)
    formats = {name: frozenset(link.format for link in links if name in link.vehicles) for name in _all_vehicles(links)}
    vehicles = tuple(
        read_vehicle(one, packets, formats.get(str(one.data.get("name")), frozenset())) for one in vehicle_tables
    )
    _check_names(vehicle_tables, vehicles, link_tables, links)
    mission = Mission(name=name, vehicles=vehicles, links=links, timers=_timers(table.table("timers")))
    mission = replace(mission, plan=read_plan(table.table("plan"), mission))
    table.close()
    if faults.found:
        raise MissionError(str(faults))
    return mission


def _link(table: Table, vehicles: list[str]) -> Link:
    name = table.name()
    form: FrameFormat = table.text("format", choices=get_args(FrameFormat))  # type: ignore[assignment]
    heard = table.texts("vehicles")
    if not heard and table.has("vehicles"):
        table.fault("vehicles", "a link that hears no vehicle cannot speak of one")
    for position, vehicle in enumerate(heard):
        if vehicle not in vehicles:
            path = (*table.path, "vehicles", position)
            table.faults.add(path, f"{vehicle!r} is no vehicle of this mission; it has {', '.join(vehicles) or 'none'}")
    has_length = form in ("tm", "aos")
    if has_length:
        length = table.whole("frame_length", low=1, high=MAX_FRAME_OCTETS)
    else:  # a MAVLink message says its own length; of a format that nobody knows nothing is asked
        length = table.whole("frame_length", 0, low=0, high=0 if form == "mavlink" else MAX_FRAME_OCTETS)
    link = Link(
        name=name, format=form, vehicles=heard, frame_length=length,
        frame_error_control_field=table.truth("frame_error_control_field", True),
        operational_control_field=table.truth("operational_control_field", False),
        insert_zone_octets=table.whole("insert_zone_octets", 0, low=0, high=MAX_FRAME_OCTETS),
        frame_header_error_control=table.truth("frame_header_error_control", False),
        clock_tolerance_s=table.number("clock_tolerance_s", 10.0, least=0, most=MAX_CLOCK_TOLERANCE_S),
    )  # fmt: skip
    for key in ("insert_zone_octets", "frame_header_error_control"):
        if form != "aos" and table.data.get(key):
            table.fault(key, f"belongs to AOS frames, and this link has {form}")
    smallest = data_field_start(link) + 1 + data_field_tail(link)
    if has_length and length == table.data.get("frame_length") and length < smallest:
        table.fault("frame_length", f"{length} octets hold no data; with these managed parameters at least {smallest}")
    table.close()
    return link


def data_field_start(link: Link) -> int:
    """Octets of a frame before its packets."""
    return HEADER_OCTETS.get(link.format, 0) + link.insert_zone_octets + (2 if link.frame_header_error_control else 0)


def data_field_tail(link: Link) -> int:
    """Octets of a frame after its packets."""
    return (4 if link.operational_control_field else 0) + (2 if link.frame_error_control_field else 0)


def _all_vehicles(links: tuple[Link, ...]) -> set[str]:
    return {vehicle for link in links for vehicle in link.vehicles}


def _check_names(
    vehicle_tables: tuple[Table, ...], vehicles: tuple[Vehicle, ...], link_tables: tuple[Table, ...],
    links: tuple[Link, ...],
) -> None:  # fmt: skip
    for tables, names in ((vehicle_tables, [v.name for v in vehicles]), (link_tables, [one.name for one in links])):
        used: set[str] = set()
        for table, name in zip(tables, names, strict=True):
            if name in used:
                table.fault("name", f"{name!r} is used twice")
            used.add(name)
    for table, vehicle in zip(vehicle_tables, vehicles, strict=True):
        carried = [link for link in links if vehicle.name in link.vehicles]
        if not carried:
            table.fault("name", f"vehicle {vehicle.name!r} is on no link")
        for other in vehicles:
            if other.name == vehicle.name or other.scid != vehicle.scid:
                continue
            shared = [link.name for link in carried if other.name in link.vehicles]
            if shared:
                table.fault("scid", f"{vehicle.scid} is that of {other.name!r} too, on the link {shared[0]}")


def _timers(table: Table) -> Timers:
    values: dict[str, Any] = {}
    for one in fields(Timers):
        if table.has(one.name):
            values[one.name] = (
                table.whole(one.name, low=1, high=1_000_000)
                if one.type is int
                else table.number(one.name, least=0, most=LONGEST_SECONDS)
            )
        table.asked.add(one.name)
    table.close()
    timers = Timers(**values)
    if timers.loss_seconds <= timers.suspect_seconds:
        table.fault(
            "loss_seconds", f"{timers.loss_seconds:g} s is not more than suspect_seconds, {timers.suspect_seconds:g} s"
        )
    if timers.loss_periods < timers.suspect_periods:
        table.fault("loss_periods", f"{timers.loss_periods:g} is less than suspect_periods, {timers.suspect_periods:g}")
    return timers
