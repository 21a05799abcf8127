"""A scenario file: TOML -> Scenario, checked in full. Knows the text; does not know where it was read from."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

from pipeline.errors import MissionError
from pipeline.mission.lines import lines_of
from pipeline.mission.load import build_mission
from pipeline.mission.model import FrameFormat, Mission
from pipeline.mission.table import REQUIRED, Faults, Table, read_toml
from pipeline.simulate import scenario as said
from pipeline.simulate.merge import merge
from pipeline.simulate.scenario import NOMINAL_PROFILE, Scenario, Segment

E = TypeVar("E")

AOS_IDLE_VCID: Final = 63
SHORTEST_PERIOD_S: Final = 0.0001
MAX_EVENTS: Final = 10_000
"""Of each kind."""
MAX_SEED: Final = 2**53

_EVENTS: Final[dict[str, type[Any]]] = {
    "flights": said.Flight,
    "contacts": said.Contact,
    "playbacks": said.Playback,
    "restarts": said.Restart,
    "clock_steps": said.ClockStep,
    "stuck": said.Stuck,
    "idle_only": said.IdleOnly,
    "ghosts": said.Ghost,
    "fades": said.Fade,
    "losses": said.Loss,
    "silences": said.Silence,
    "bursts": said.Burst,
    "sessions": said.Session,
    "not_listening": said.NotListening,
    "production": said.Production,
    "held": said.Held,
    "second_paths": said.SecondPath,
    "expect": said.Expected,
    "expect_flights": said.ExpectedFlight,
    "expect_missing": said.ExpectedMissing,
}
_TABLES: Final[dict[str, type[Any]]] = {
    "radio": said.Radio,
    "counts": said.Counts,
    "receiver": said.Receiver,
    "arrival": said.Arrival,
}


def load_scenario(
    text: str, *, where: str, mission_text: Callable[[str], str], frame_format: FrameFormat | None = None
) -> Scenario:
    """The scenario in a TOML text. `mission_text` gives the text of the mission that it names; `frame_format` puts
    every link of it into another format.

    Raises MissionError with every fault found in the scenario, or in the mission as the scenario changes it.
    """
    data = read_toml(text, where=where)
    faults = Faults(where, lines_of(text))
    table = Table(data, (), faults)
    base = table.text("mission_file", "ingenuity")
    changes = table.raw("mission", {})
    if not isinstance(changes, dict):
        table.fault("mission", "is not a table of changes; name the mission with mission_file")
        changes = {}
    merged = merge(read_toml(mission_text(base), where=base), changes)
    if frame_format is not None:
        merged = in_format(merged, frame_format)
    mission = build_mission(merged, where=f"{where} (mission {base} as changed here)", lines={})
    said_here: dict[str, Any] = {
        key: tuple(_read(event, one) for one in table.tables(key, most=MAX_EVENTS)) for key, event in _EVENTS.items()
    }
    said_here |= {key: _read(kind, table.table(key)) for key, kind in _TABLES.items()}
    said_here |= {
        "name": table.name(),
        "title": table.text("title"),
        "row": table.text("row", ""),
        "seed": table.whole("seed", low=0, high=MAX_SEED),
        "starts_at": table.moment("starts_at"),
        "boot_count": table.whole("boot_count", 41, low=0, high=65_000),
        "idle_share": table.number("idle_share", 0.05, least=0.0),
        "twins": table.texts("twins", ()),
        "tolerate": table.texts("tolerate", ()),
    }
    dispositions = table.table("expect_dispositions")
    said_here["expect_dispositions"] = {key: dispositions.whole(key, low=0, high=2**31) for key in dispositions.data}
    for twin in said_here["twins"]:
        if twin not in get_args(said.Order):
            table.fault("twins", f"{twin!r} is not one of {', '.join(get_args(said.Order))}")
    table.close()
    _check(table, said_here, mission)
    if faults.found:
        raise MissionError(str(faults))
    if not data.get("flights") and not data.get("contacts"):
        said_here["flights"] = (said.Flight(profile=NOMINAL_PROFILE),)
    if not data.get("sessions"):
        said_here["sessions"] = tuple(
            said.Session(link=one.name, from_s=-120.0, until_s=600.0) for one in mission.links
        )
    return Scenario(mission=mission, mission_data=merged, **said_here)


def in_format(mission: Mapping[str, Any], frame_format: FrameFormat) -> dict[str, Any]:
    """A mission's data with every TM or AOS link in another of the two formats. Only-idle frames of AOS have a virtual
    channel of their own."""
    idle = [AOS_IDLE_VCID] if frame_format == "aos" else []
    return {
        **mission,
        "links": [{**one, "format": frame_format} for one in mission["links"]],
        "vehicles": [{**one, "idle_vcids": idle} for one in mission["vehicles"]],
    }


def _read(kind: type[E], table: Table) -> E:
    """One event, by the types of its fields."""
    values: dict[str, Any] = {}
    for one in fields(kind):  # type: ignore[arg-type]
        default: Any = REQUIRED if one.default is MISSING else one.default
        annotation: Any = one.type
        if annotation == tuple[Segment, ...]:
            values[one.name] = _profile(table, one.name, kind is said.Flight)
        elif get_origin(annotation) is Literal:
            values[one.name] = table.text(one.name, default, choices=get_args(annotation))
        elif annotation is str:
            values[one.name] = table.text(one.name, default)
        elif annotation is bool:
            values[one.name] = table.truth(one.name, default)
        elif annotation is int:
            values[one.name] = table.whole(one.name, default, low=0, high=2**53)
        elif annotation == tuple[float, ...]:
            values[one.name] = tuple(float(value) for value in table.numbers(one.name, default))
        else:
            values[one.name] = table.number(one.name, default)
    table.close()
    return kind(**values)


def _profile(table: Table, key: str, is_live: bool) -> tuple[Segment, ...]:
    """`profile = [["climb", 14.5, 12.0], ...]`: phase, seconds from take-off to its end, metres at its end."""
    rows = table.raw(key)
    if rows is None:
        return NOMINAL_PROFILE if is_live else ()
    segments: list[Segment] = []
    for position, row in enumerate(rows if isinstance(rows, list) else [rows]):
        path = (*table.path, key, position)
        is_row = isinstance(row, list) and len(row) == 3 and isinstance(row[0], str)
        if not is_row or not all(isinstance(one, int | float) for one in row[1:]):
            table.faults.add(path, f'{row!r:.40} is no part of a profile; expected ["phase", until_s, altitude_m]')
            continue
        if row[1] <= (segments[-1].until_s if segments else 0.0):
            table.faults.add(path, f"{row[1]} s is not after the end of the part before it")
        segments.append(Segment(phase=row[0], until_s=float(row[1]), altitude_m=float(row[2])))
    return tuple(segments)


def _check(table: Table, said_here: Mapping[str, Any], mission: Mission) -> None:
    vehicles = [one.name for one in mission.vehicles]
    links = [one.name for one in mission.links]
    for key in _EVENTS:
        for position, event in enumerate(said_here[key]):
            path = (key, position)
            vehicle, link = getattr(event, "vehicle", ""), getattr(event, "link", "")
            if vehicle and vehicle not in vehicles:
                table.faults.add((*path, "vehicle"), f"{vehicle!r} is no vehicle; there are {', '.join(vehicles)}")
            if link and link not in links:
                table.faults.add((*path, "link"), f"{link!r} is no link; there are {', '.join(links)}")
            since = getattr(event, "from_s", getattr(event, "after_s", None))
            until = getattr(event, "until_s", None)
            if since is not None and until is not None and until < since:
                table.faults.add((*path, "until_s"), f"{until:g} is before {since:g}")
            if (period := getattr(event, "period_s", 1.0)) < SHORTEST_PERIOD_S:
                table.faults.add((*path, "period_s"), f"{period:g} s is less than {SHORTEST_PERIOD_S:g} s")
    for position, fade in enumerate(said_here["fades"]):
        if len(fade.db) not in (1, 2):
            table.faults.add(("fades", position, "db"), "expected one figure, or one for the start and one for the end")
