"""The straight way from a relay's antenna to a place: the ground below it, and how high one must be at that place to be
seen. Knows geometry alone: no diffraction, no reflection, no planet's curvature (see `terrain`)."""

from dataclasses import dataclass
from math import hypot, inf, isclose, isnan
from typing import NamedTuple

import numpy as np

from pipeline.sight.terrain import Floats, Terrain


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    name: str
    x: float
    y: float
    antenna_m: float
    """Height of its antenna above the ground it stands on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The ground below the line from a relay to a place, both ends included."""

    distances: Floats
    """Metres from the relay, ascending."""
    ground: Floats
    """Heights in the terrain's own reference; NaN: no data."""

    @property
    def length(self) -> float:
        return float(self.distances[-1])

    @property
    def is_whole(self) -> bool:
        return not bool(np.isnan(self.ground).any())


class Mask(NamedTuple):
    """What the ground hides at a place. Heights in the terrain's own reference."""

    height: float
    """An antenna there is seen at this height and above. Where parts of the ground have no data, at least this; minus
    infinity where nothing is known."""
    distance: float | None
    """Metres from the relay to what hides it; None: nothing between them does."""
    is_known: bool
    """Whether all the ground between is known."""


def profile_between(terrain: Terrain, a: tuple[float, float], b: tuple[float, float]) -> Profile:
    """The ground from `a` to `b`: where the line crosses the lines between the centres of cells, and halfway between
    those. Within four centres the ground along a line is a parabola, so no ridge is missed."""
    (ax, ay), (bx, by) = a, b
    parts = [np.array([0.0, 1.0])]
    for start, end, origin in ((ax, bx, terrain.west), (ay, by, terrain.south)):
        low, high = sorted(((start - origin) / terrain.cell, (end - origin) / terrain.cell))
        lines = np.arange(np.ceil(low), np.floor(high) + 1)
        if start != end and len(lines):
            parts.append((origin + lines * terrain.cell - start) / (end - start))
    along = np.unique(np.clip(np.concatenate(parts), 0.0, 1.0))
    along = np.sort(np.concatenate((along, (along[1:] + along[:-1]) / 2)))
    ground = terrain.heights_at(ax + along * (bx - ax), ay + along * (by - ay))
    return Profile(distances=along * hypot(bx - ax, by - ay), ground=ground)


def mask_of(profile: Profile, antenna: float) -> Mask:
    """What the ground hides at the profile's end from an antenna at its start, whose height is in the terrain's own
    reference. The end itself hides nothing that stands on it."""
    own = -inf if isnan(profile.ground[-1]) else float(profile.ground[-1])
    between, ground = profile.distances[1:-1], profile.ground[1:-1]
    if profile.length == 0 or not len(between) or np.isnan(ground).all():
        return Mask(own, None, profile.is_whole)
    needed = antenna + (ground - antenna) * (profile.length / between)
    place = int(np.nanargmax(needed))
    height = float(needed[place])
    # Ground that rises evenly up to the place hides nothing; a difference of rounding is none.
    if height <= own or isclose(height, own, abs_tol=1e-9):
        return Mask(own, None, profile.is_whole)
    return Mask(height, float(between[place]), profile.is_whole)


def fresnel_radius(distances: Floats, wavelength_m: float) -> Floats:
    """Of the first Fresnel zone at some distances from one end of a way, the last of which is its other end; metres."""
    length = distances[-1]
    if length == 0:
        return np.zeros(len(distances))
    radius: Floats = np.sqrt(np.maximum(0.0, wavelength_m * distances * (length - distances) / length))
    return radius
