"""What is asked: relays, a vehicle's track, a terrain file, and how the plan's entries are cut. TOML, checked in full.
Knows the text; does not know where it or the terrain was read from.

    name = "behind the hill"       # of the entries in the plan
    vehicle = "ingenuity"
    terrain = "hill.asc"           # beside this file
    stays_until = 2023-04-26T12:05:00Z    # where the track ends; without it the end of the track

    [[relays]]                     # the first is where the relay stands, the others where it could
    name = "rover-a"
    x = 0.0
    y = 200.0
    antenna_m = 1.0                # above the ground it stands on

    [flight]                       # or [[track]] with at, x, y, altitude_m
    starts_at = 2023-04-26T12:00:00Z
    profile = [["climb", 14.5, 10.0], ["descent", 29.0, 0.0]]     # phase, seconds to its end, metres then
    ground_track = [[0.0, 40.0, 200.0], [24.0, 340.0, 200.0]]     # seconds, x, y
"""

from dataclasses import dataclass, field, fields
from typing import Any, Final

from pipeline.errors import SightError
from pipeline.mission.lines import lines_of
from pipeline.mission.table import Faults, Table, read_toml
from pipeline.sight.ray import Relay
from pipeline.sight.track import SECOND, Track, TrackPoint, from_profile

MAX_RELAYS: Final = 100
MAX_TRACK_POINTS: Final = 100_000
FURTHEST: Final = 1e8
"""Metres of a coordinate or a height."""
LONGEST: Final = 1e7
"""Seconds, four months: of a track, or what a threshold adds to it."""
EARLIEST: Final = (1900 - 1970) * 31_556_952 * SECOND
LATEST: Final = (2900 - 1970) * 31_556_952 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How a time out of sight becomes an entry of the plan."""

    before_s: float = 2.0
    """It begins so long before: the last good frame comes before the edge of the shadow."""
    after_s: float = 2.0
    """It ends so long after the vehicle is in sight again: frames must be heard and counted first."""
    margin_m: float = 0.5
    """`below_m` is so much above the masking altitude: the error of the terrain and of what the vehicle reports."""
    shortest_s: float = 3.0
    """A shorter time out of sight gives no entry: nothing is raised for it."""
    step_s: float = 0.25
    """The track is looked at so often; what hides it for less may be missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    name: str
    vehicle: str
    terrain: str
    reason: str
    """Empty: named after what hides the vehicle."""
    relays: tuple[Relay, ...]
    track: Track
    stays_until: int
    """The vehicle stays where the track ends until then; nanoseconds since 1970."""
    antenna_m: float = 0.0
    """Of the vehicle, above what it reports as its altitude."""
    frequency_mhz: float | None = None
    """For the Fresnel zone in the drawing."""
    thresholds: Thresholds = field(default_factory=Thresholds)

    def relay(self, name: str) -> Relay:
        """Raises SightError where none has that name."""
        for relay in self.relays:
            if relay.name == name:
                return relay
        raise SightError(f"{name!r} is no relay here; there are {', '.join(one.name for one in self.relays)}")


def load_request(text: str, *, where: str) -> Request:
    """Raises SightError with every fault, a line each: file, line, key, what was found, what was expected."""
    data = read_toml(text, where=where, error=SightError)
    faults = Faults(where, lines_of(text))
    table = Table(data, (), faults)
    track = _track(table)
    stays_until = table.moment("stays_until", track.ends_at)
    if not faults.found and stays_until < track.ends_at:
        table.fault("stays_until", "is before the end of the track")
    if not EARLIEST <= track.starts_at <= max(stays_until, track.ends_at) <= LATEST:
        table.fault("", "the track does not lie between the years 1900 and 2900")
    said: dict[str, Any] = {
        "name": table.text("name"),
        "vehicle": table.name("vehicle"),
        "terrain": table.text("terrain"),
        "reason": table.text("reason", ""),
        "antenna_m": _metres(table, "antenna_m", 0.0),
        "frequency_mhz": table.number("frequency_mhz", None, above=0.0),
        "relays": _relays(table),
        "track": track,
        "stays_until": stays_until,
        "thresholds": _thresholds(table.table("thresholds")),
    }
    table.close()
    if faults.found:
        raise SightError(str(faults))
    return Request(**said)


def _relays(table: Table) -> tuple[Relay, ...]:
    relays: list[Relay] = []
    for one in table.tables("relays", most=MAX_RELAYS):
        relay = Relay(
            name=one.name(), x=_metres(one, "x"), y=_metres(one, "y"), antenna_m=_metres(one, "antenna_m", least=0.0)
        )
        if relay.name in [other.name for other in relays]:
            one.fault("name", f"{relay.name!r} is used twice")
        relays.append(relay)
        one.close()
    if not relays:
        table.fault("relays", "expected at least one [[relays]] with name, x, y and antenna_m")
    return tuple(relays)


def _thresholds(table: Table) -> Thresholds:
    values = {
        one.name: table.number(one.name, one.default, least=0.0) for one in fields(Thresholds) if one.name != "step_s"
    }
    values["step_s"] = table.number("step_s", Thresholds().step_s, least=0.01)
    for key, value in values.items():
        if value > LONGEST:
            table.fault(key, f"{value:g} is more than {LONGEST:g}")
    table.close()
    return Thresholds(**values)


def _metres(table: Table, key: str, default: float | None = None, *, least: float = -FURTHEST) -> float:
    """Required where there is no default; then at least 0."""
    value = table.number(key, least=least) if default is None else table.number(key, default, least=0.0)
    if abs(value) > FURTHEST:
        table.fault(key, f"{value:g} is more than {FURTHEST:g} m")
    return value


def _track(table: Table) -> Track:
    """By `[flight]` or by `[[track]]`; with faults something that can be read on."""
    points: list[TrackPoint] = []
    for one in table.tables("track", most=MAX_TRACK_POINTS):
        point = TrackPoint(one.moment("at"), _metres(one, "x"), _metres(one, "y"), _metres(one, "altitude_m"))
        if points and point.at <= points[-1].at:
            one.fault("at", "is not after the point before it")
        points.append(point)
        one.close()
    if table.has("flight"):
        if points:
            table.fault("track", "stands beside [flight]; give one of them")
        return _flight(table.table("flight"))
    if len(points) < 2:
        table.fault("track", "expected a [flight], or at least two [[track]] with at, x, y and altitude_m")
        return Track((TrackPoint(0, 0.0, 0.0, 0.0),))
    return Track(tuple(points))


def _flight(table: Table) -> Track:
    starts_at = table.moment("starts_at")
    profile = [(row[1], row[2]) for row in _rows(table, "profile", '["phase", until_s, altitude_m]', has_word=True)]
    ground = [(row[0], row[1], row[2]) for row in _rows(table, "ground_track", "[seconds, x, y]", has_word=False)]
    table.close()
    if not profile or not ground:
        return Track((TrackPoint(0, 0.0, 0.0, 0.0),))
    return from_profile(starts_at, profile, ground)


def _rows(table: Table, key: str, shape: str, *, has_word: bool) -> list[list[Any]]:
    """Rows of three with ascending seconds: in the second place behind a word, else in the first."""
    raw = table.raw(key)
    if not isinstance(raw, list) or not raw:
        table.fault(key, f"expected rows of {shape}" if table.has(key) else "is missing")
        return []
    place, least = (1, 0.0) if has_word else (0, -1.0)
    kept: list[list[Any]] = []
    for position, row in enumerate(raw):
        path = (*table.path, key, position)
        is_row = isinstance(row, list) and len(row) == 3 and (not has_word or isinstance(row[0], str))
        numbers = row[1:] if is_row and has_word else row
        if not is_row or any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
            table.faults.add(path, f"{row!r:.40} is no {shape}")
            continue
        if not (abs(row[place]) <= LONGEST and all(abs(one) <= FURTHEST for one in numbers)):  # NaN is neither
            table.faults.add(path, f"{row!r:.60} has a number that is none of seconds or metres")
            continue
        if row[place] <= (kept[-1][place] if kept else least):
            table.faults.add(path, f"{row[place]:g} s is not after the row before it")
        kept.append(row)
    return kept
