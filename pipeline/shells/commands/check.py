"""`relaywatch check`: a mission file, read as the worker would read it, and what it says."""

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.errors import MissionError
from pipeline.mission.model import Comparison, Condition, Link, Meanings, Mission, Plan, PlannedFlight, Timers
from pipeline.outputs import rfc3339
from pipeline.shells.files.resources import mission_path, read_mission
from pipeline.shells.terminal import say, say_json, table
from pipeline.verdicts.words import FOOT, instant

EXAMPLE: Final = """\
$ relaywatch check ingenuity
mission ingenuity (ingenuity.toml): 1 vehicle, 1 link, no fault

vehicle    scid  real time  recorded  idle  period   packets
---------  ----  ---------  --------  ----  -------  --------------------
ingenuity   168  VC 0       VC 1      -     0.1 s    flight, housekeeping"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mission", metavar="MISSION", help="a mission file, or the name of a shipped mission")
    parser.add_argument("--json", action="store_true", help="one JSON object: the mission, or its faults")


def run(arguments: argparse.Namespace) -> int:
    path = mission_path(arguments.mission)
    try:
        mission = read_mission(path)
    except MissionError as fault:
        if not arguments.json:
            raise
        say_json({"file": str(path), "faults": str(fault).splitlines()})
        return 2
    if arguments.json:
        say_json({"file": str(path), "faults": [], "mission": _plain(mission)})
    else:
        say("\n".join(_text(mission, path)))
    return 0


def _text(mission: Mission, path: Path) -> Iterator[str]:
    count = f"{_several(mission.vehicles, 'vehicle')}, {_several(mission.links, 'link')}"
    yield f"mission {mission.name} ({path.name}): {count}, no fault"
    for heads, rows in (_vehicles(mission), _meanings(mission), _links(mission), _flights(mission), _plan(mission)):
        if rows:
            yield ""
            yield table(heads, rows)
    changed = [
        (one.name, getattr(mission.timers, one.name), one.default)
        for one in dataclasses.fields(Timers)
        if getattr(mission.timers, one.name) != one.default
    ]
    yield ""
    yield table(("timer", "here", "default"), changed) if changed else "timers: all at their defaults"


Section = tuple[Sequence[str], list[Sequence[object]]]


def _vehicles(mission: Mission) -> Section:
    heads = ("vehicle", "scid", "real time", "recorded", "idle", "period", "packets")
    return heads, [
        (
            vehicle.name, vehicle.scid, _channels(vehicle.realtime_vcids) or "all", _channels(vehicle.recorded_vcids),
            _channels(vehicle.idle_vcids),
            "by frames" if vehicle.frame_period_s is None else f"{vehicle.frame_period_s:g} s",
            ", ".join(packet.name for packet in vehicle.packets) or None,
        )
        for vehicle in mission.vehicles
    ]  # fmt: skip


def _meanings(mission: Mission) -> Section:
    return ("vehicle", "what", "is told by"), [
        (vehicle.name, one.name, text)
        for vehicle in mission.vehicles
        for one in dataclasses.fields(Meanings)
        if (text := _meaning(getattr(vehicle.meanings, one.name))) is not None
    ]


def _meaning(value: str | bool | Condition | tuple[str, ...] | None) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else None
    if isinstance(value, Condition):
        return _condition(value)
    if isinstance(value, tuple):
        return ", ".join(value) or None
    return value


def _condition(condition: Condition) -> str:
    comparisons = [part for part in condition.parts if isinstance(part, Comparison)]
    compared = {(one.parameter, one.operator) for one in comparisons}
    is_list = condition.joined_by == "any" and len(comparisons) == len(condition.parts) > 1
    if is_list and compared == {(comparisons[0].parameter, "==")}:
        return f"{comparisons[0].parameter} is one of {', '.join(_constant(one) for one in comparisons)}"
    parts = [
        f"{part.parameter} {part.operator} {_constant(part)}"
        if isinstance(part, Comparison)
        else f"({_condition(part)})"
        for part in condition.parts
    ]
    return (" and " if condition.joined_by == "all" else " or ").join(parts)


def _constant(comparison: Comparison) -> str:
    value = comparison.value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _links(mission: Mission) -> Section:
    return ("link", "format", "frame", "fecf", "vehicles"), [
        (
            link.name, link.format, f"{link.frame_length} octets" if link.frame_length else "says its own length",
            _fecf(link), ", ".join(link.vehicles),
        )
        for link in mission.links
    ]  # fmt: skip


def _fecf(link: Link) -> str | None:
    if link.format == "mavlink":
        return None
    return "yes" if link.frame_error_control_field else "no"


def _flights(mission: Mission) -> Section:
    return ("vehicle", "flight", "planned for", "assigned altitude", "planned duration"), [
        (
            vehicle.name, str(flight.number), instant(flight.starts_at), _altitude(flight),
            None if flight.planned_duration_s is None else f"{flight.planned_duration_s:g} s",
        )
        for vehicle in mission.vehicles
        for flight in vehicle.flights
    ]  # fmt: skip


def _altitude(flight: PlannedFlight) -> str | None:
    metres = flight.assigned_altitude_m
    if metres is None:
        return None
    return f"{metres:.0f} m, {metres / FOOT:.0f} ft" if flight.altitude_in_feet else f"{metres:g} m"


def _plan(mission: Mission) -> Section:
    plan = mission.plan
    rows: list[tuple[int, int, tuple[str | None, ...]]] = [
        (one.starts_at, one.ends_at, ("window", one.name, one.vehicle, one.link, None)) for one in plan.windows
    ]
    for loss in plan.expected_losses:
        reason = loss.reason if loss.below_m is None else f"{loss.reason}, below {loss.below_m:g} m"
        rows.append((loss.starts_at, loss.ends_at, ("expected loss", loss.name, loss.vehicle, None, reason)))
    for vehicle, starts_at, ends_at in plan.sleeps:
        rows.append((starts_at, ends_at, ("sleep", None, vehicle, None, None)))
    return ("from", "until", "what", "name", "vehicle", "link", "reason"), [
        (instant(starts_at), instant(ends_at), *rest)
        for starts_at, ends_at, rest in sorted(rows, key=lambda row: row[:2])
    ]


def _channels(vcids: tuple[int, ...]) -> str | None:
    return f"VC {', '.join(map(str, vcids))}" if vcids else None


def _several(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _plain(value: Any) -> Any:
    """As JSON. Instants are RFC 3339, by the rule that their names end in `_at`."""
    if isinstance(value, Plan):
        sleeps = [dict(zip(("vehicle", "starts_at", "ends_at"), one, strict=True)) for one in value.sleeps]
        return {name: _plain(getattr(value, name)) for name in ("windows", "expected_losses")} | {
            "sleeps": _plain(sleeps)
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({one.name: getattr(value, one.name) for one in dataclasses.fields(value)})
    if isinstance(value, dict):
        return {str(name): rfc3339(part) if str(name).endswith("_at") else _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value
