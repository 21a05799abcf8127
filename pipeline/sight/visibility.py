"""A relay, a track and a terrain: the masking altitude over time, and when the vehicle is out of sight. Knows geometry;
does not know what is done with it.

The masking altitude of a place is how high the vehicle must be there to be seen. Here it is reckoned as the vehicle
reports its altitude: above the place of take-off.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from math import ceil, hypot, isnan
from typing import Final, Literal

from pipeline.errors import SightError
from pipeline.sight.ray import Mask, Relay, mask_of, profile_between
from pipeline.sight.request import Request
from pipeline.sight.terrain import Terrain
from pipeline.sight.track import SECOND, TrackPoint, instant

Sight = Literal["in_sight", "out_of_sight", "unknown"]
"""Unknown: the ground that has data hides nothing, and some of it has none."""

EDGE: Final = SECOND // 100
"""So closely the moment is found at which the vehicle goes out of sight."""
MOST_SAMPLES: Final = 20_000
UNDERGROUND_M: Final = 5.0
"""A track so far below the ground is no error of the terrain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment of the track, seen from one relay."""

    point: TrackPoint
    ground: float
    """Metres above the place of take-off, as all altitudes here; NaN: no data."""
    masking_altitude: float
    """The vehicle is seen from here up. The ground's own where nothing hides it."""
    masked_by: float | None
    """Metres from the relay to what hides what is lower."""
    sight: Sight

    @property
    def at(self) -> int:
        return self.point.at


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfSight:
    starts_at: int
    ends_at: int
    returns: bool
    """Whether it is in sight again; else the track ends, or goes on over ground that is not known."""
    masking_altitude: float
    """The highest in this time."""

    @property
    def seconds(self) -> float:
        return (self.ends_at - self.starts_at) / SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The whole track, seen from one relay."""

    relay: Relay
    antenna: float
    """Height of its antenna in the terrain's own reference."""
    samples: tuple[Sample, ...]
    losses: tuple[OutOfSight, ...]

    def sees_throughout(self, starts_at: int, ends_at: int) -> bool:
        """Whether the vehicle is in sight all that time, as far as the track goes."""
        return all(one.sight == "in_sight" for one in self.samples if starts_at <= one.at <= ends_at)

    def sees_at(self, moment: int) -> bool:
        """Whether the vehicle is in sight at the sample nearest to that moment."""
        return min(self.samples, key=lambda one: abs(one.at - moment)).sight == "in_sight"

    @property
    def worst(self) -> Sample:
        """At which the vehicle is furthest below the masking altitude, or least above it."""
        return max(self.samples, key=lambda one: one.masking_altitude - one.point.altitude)


class _Eye:
    """Looks from one relay at places on a terrain."""

    def __init__(self, terrain: Terrain, request: Request, relay: Relay) -> None:
        self.terrain = terrain
        self.relay = relay
        self.antenna = terrain.height(relay.x, relay.y, f"relay {relay.name}") + relay.antenna_m
        self.takeoff_ground = ground_of(terrain, request.track.points[0])
        self.vehicle_antenna = request.antenna_m
        self.seen: dict[tuple[float, float], tuple[Mask, float]] = {}
        """A hover stays over one place."""

    def look(self, point: TrackPoint) -> Sample:
        place = (point.x, point.y)
        if place not in self.seen:
            profile = profile_between(self.terrain, (self.relay.x, self.relay.y), place)
            self.seen[place] = mask_of(profile, self.antenna), float(profile.ground[-1])
        mask, ground = self.seen[place]
        ground -= self.takeoff_ground
        lowest = mask.height - self.takeoff_ground - self.vehicle_antenna
        stands_at = point.altitude if isnan(ground) else max(point.altitude, ground)
        hidden = mask.distance is not None and stands_at < lowest
        return Sample(
            point=point,
            ground=ground,
            masking_altitude=lowest if isnan(ground) else max(lowest, ground),
            masked_by=mask.distance,
            sight="out_of_sight" if hidden else "in_sight" if mask.is_known else "unknown",
        )


def view_from(terrain: Terrain, request: Request, relay: Relay) -> View:
    """Raises SightError where a position lies outside the terrain or on cells without data, or the track under the
    ground."""
    _check_track(terrain, request)
    eye = _Eye(terrain, request, relay)
    samples = tuple(eye.look(request.track.at(moment)) for moment in _moments(request))
    return View(
        relay=relay, antenna=eye.antenna, samples=samples, losses=tuple(_losses(samples, request, eye.look)),
    )  # fmt: skip


def ground_of(terrain: Terrain, point: TrackPoint) -> float:
    """Height of the ground below a point of the track, in the terrain's own reference. Raises SightError."""
    return terrain.height(point.x, point.y, f"the track at {instant(point.at)}")


def _check_track(terrain: Terrain, request: Request) -> None:
    takeoff = ground_of(terrain, request.track.points[0])
    for point in request.track.points:
        below = ground_of(terrain, point) - takeoff - point.altitude
        if below > UNDERGROUND_M:
            raise SightError(
                f"the track at {instant(point.at)} lies {below:.1f} m below the ground of {terrain.name}; expected "
                "altitude_m in metres above the place of take-off, which is the first point"
            )


def _moments(request: Request) -> list[int]:
    """The points of the track, and every step between its ends."""
    track, step = request.track, round(request.thresholds.step_s * SECOND)
    if (track.ends_at - track.starts_at) // step > MOST_SAMPLES:
        least = ceil((track.ends_at - track.starts_at) / SECOND / MOST_SAMPLES)
        raise SightError(
            f"the track lasts {(track.ends_at - track.starts_at) / SECOND:,.0f} s: give a step_s of at least {least} "
            "under [thresholds], or a shorter track"
        )
    return sorted({*range(track.starts_at, track.ends_at, step), *(point.at for point in track.points)})


def _losses(
    samples: tuple[Sample, ...], request: Request, look: Callable[[TrackPoint], Sample]
) -> Iterator[OutOfSight]:
    """Each unbroken time out of sight, its edges found between the samples around them."""
    for hidden, group in groupby(enumerate(samples), key=lambda one: one[1].sight == "out_of_sight"):
        if not hidden:
            continue
        own = list(group)
        first, last = own[0][0], own[-1][0]
        before = samples[first - 1] if first else None
        after = samples[last + 1] if last + 1 < len(samples) else None
        yield OutOfSight(
            starts_at=_edge(before, samples[first], request, look) if before else samples[first].at,
            ends_at=_edge(samples[last], after, request, look) if after else samples[last].at,
            returns=after is not None and after.sight == "in_sight",
            masking_altitude=max(one.masking_altitude for _, one in own),
        )


def _edge(a: Sample, b: Sample, request: Request, look: Callable[[TrackPoint], Sample]) -> int:
    """The moment between two samples, one of them out of sight, at which that changes."""
    low, high = a.at, b.at
    while high - low > EDGE:
        middle = (low + high) // 2
        same = (look(request.track.at(middle)).sight == "out_of_sight") == (a.sight == "out_of_sight")
        low, high = (middle, high) if same else (low, middle)
    return (low + high) // 2


def distance_between(a: Relay, b: Relay) -> float:
    return hypot(a.x - b.x, a.y - b.y)
