"""A view as a picture: the ground between relay and vehicle at one moment, and the altitude over the whole track beside
the masking altitude. One self-contained SVG; no script, no font and no picture of elsewhere.

The colours are Okabe and Ito's, told apart by people who see colours otherwise; lines differ in their dashes too.
"""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Final

import numpy as np

from pipeline.sight.axes import INK, Panel, Point, Scale, text
from pipeline.sight.ray import Profile, fresnel_radius, profile_between
from pipeline.sight.request import Request
from pipeline.sight.terrain import Terrain
from pipeline.sight.track import SECOND, instant
from pipeline.sight.visibility import Sample, View, ground_of

WIDTH: Final = 1000
HEIGHT: Final = 790
LEFT: Final = 90
RIGHT: Final = 970
BLUE: Final = "#0072b2"
VERMILLION: Final = "#d55e00"
SKY: Final = "#56b4e9"
EARTH: Final = "#b8a88a"
SHADE: Final = "#cccccc"
LIGHT_SPEED_M: Final = 299_792_458.0
FRESNEL_SHARE: Final = 0.6
"""Of the first zone: what must be free for a way as good as free space."""

DASHES: Final = {"line": "", "dashed": "9 5", "dotted": "2 4"}

Key = tuple[str, str, str]
"""Kind of sign, colour, words."""


def draw(terrain: Terrain, request: Request, view: View, sample: Sample) -> str:
    """The SVG. `sample` is the moment whose profile is drawn."""
    profile = profile_between(terrain, (view.relay.x, view.relay.y), (sample.point.x, sample.point.y))
    takeoff = ground_of(terrain, request.track.points[0])
    sight = sample.sight.replace("_", " ")
    after = (sample.at - request.track.starts_at) / SECOND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="DejaVu Sans, Verdana, sans-serif" role="img">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(LEFT, 32, f"{request.name}: {request.vehicle} seen from {view.relay.name}", size=19, weight="bold"),
        text(LEFT, 55, f"At {instant(sample.at)}, {after:g} s after the track's start: {sight}{_by(sample)}"),
        *_profile(request, view, sample, profile, takeoff),
        *_over_time(request, view, sample),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _by(sample: Sample) -> str:
    at = f"; at {sample.point.altitude:.1f} m"
    if sample.sight == "unknown":
        return f"{at}, and the ground between has cells without data"
    return f"{at}, and seen from {sample.masking_altitude:.1f} m up"


def _profile(request: Request, view: View, sample: Sample, profile: Profile, takeoff: float) -> list[str]:
    ground = [(float(x), float(y)) for x, y in zip(profile.distances, profile.ground - takeoff)]
    length = max(profile.length, 1.0)
    antenna = view.antenna - takeoff
    stands_at = sample.point.altitude if not isfinite(sample.ground) else max(sample.point.altitude, sample.ground)
    top = stands_at + request.antenna_m
    needed = sample.masking_altitude + request.antenna_m
    hidden: Key = ("dotted", BLUE, "way to the vehicle, hidden")
    way: Key = hidden if sample.sight == "out_of_sight" else ("line", BLUE, "way to the vehicle")
    panel = Panel(
        Scale(-0.02 * length, 1.04 * length, LEFT, RIGHT),
        _heights([y for _, y in ground] + [antenna, top, needed], 400, 115),
    )
    panel.axes(f"Distance from {view.relay.name} (m)", "Height above take-off (m)")
    if request.frequency_mhz is not None:
        panel.polygon(_zone(profile.length, antenna, top, request.frequency_mhz), SKY, opacity=0.3, name="fresnel")
    panel.area(ground, panel.up.low, EARTH, name="ground")
    panel.line(ground, INK, width=1.2)
    if sample.masked_by is not None and isfinite(needed):
        panel.line([(0, antenna), (profile.length, needed)], VERMILLION, dashes=DASHES["dashed"], name="mask")
    panel.line([(0, antenna), (profile.length, top)], BLUE, dashes=DASHES[way[0]], name="ray")
    panel.line([(0, antenna - view.relay.antenna_m), (0, antenna)], INK, width=3)
    panel.line([(profile.length, ground[-1][1]), (profile.length, top)], INK, width=1.2)
    panel.dot(0, antenna, INK, name="relay")
    panel.words(0, antenna, view.relay.name, right_of=True, raised=14)
    ends = [(top, f"{request.vehicle} {sample.point.altitude:.1f} m")]
    if sample.masked_by is not None and isfinite(needed):
        panel.dot(profile.length, needed, VERMILLION, hollow=True)
        ends.append((needed, f"masking altitude {sample.masking_altitude:.1f} m"))
    panel.dot(profile.length, top, BLUE, name="vehicle")
    ends.sort(reverse=True)
    are_close = abs(panel.up(ends[0][0]) - panel.up(ends[-1][0])) < 30
    for place, (height, words) in enumerate(ends):  # words stand above a dot, but for a lower one close to another
        panel.words(profile.length, height, words, right_of=False, raised=-18 if place and are_close else 12)
    keys: list[Key] = [("area", EARTH, "ground"), way]
    if sample.masked_by is not None:
        keys.append(("dashed", VERMILLION, "edge of the shadow"))
    if request.frequency_mhz is not None:
        keys.append(("area", SKY, f"60 % of the first Fresnel zone, {request.frequency_mhz:g} MHz"))
    return [*_legend(keys, 98), *panel.drawn("profile")]


def _over_time(request: Request, view: View, sample: Sample) -> list[str]:
    start, end = request.track.starts_at, request.track.ends_at

    def row(values: Iterable[float]) -> list[Point]:
        return [((one.at - start) / SECOND, value) for one, value in zip(view.samples, values)]

    altitude = row(
        max(one.point.altitude, one.ground) if isfinite(one.ground) else one.point.altitude for one in view.samples
    )
    needed = row(one.masking_altitude for one in view.samples)
    ground = row(one.ground for one in view.samples)
    panel = Panel(
        Scale(0.0, (end - start) / SECOND, LEFT, RIGHT),
        _heights([y for points in (altitude, needed, ground) for _, y in points], 730, 520),
    )
    for loss in view.losses:
        panel.band((loss.starts_at - start) / SECOND, (loss.ends_at - start) / SECOND, SHADE, name="out-of-sight")
    panel.axes(f"Seconds after {instant(start)}", "Altitude above take-off (m)")
    panel.area(ground, panel.up.low, EARTH, name="ground")
    panel.line(needed, VERMILLION, dashes=DASHES["dashed"], name="masking-altitude")
    panel.line(altitude, BLUE, name="altitude")
    panel.line([((sample.at - start) / SECOND, y) for y in (panel.up.low, panel.up.high)], INK, width=1.2, dashes="2 3")
    keys: list[Key] = [
        ("line", BLUE, f"altitude of {request.vehicle}"),
        ("dashed", VERMILLION, "masking altitude: in sight above it"),
        ("area", SHADE, "out of sight"),
        ("area", EARTH, "ground below"),
    ]
    return [*_legend(keys, 503), *panel.drawn("over-time")]


def _heights(values: Sequence[float], bottom: float, top: float) -> Scale:
    """Room for all values that there are, with a little above and below."""
    known = [value for value in values if isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    span = max(high - low, 2.0)
    return Scale(low - 0.12 * span, low + 1.2 * span, bottom, top)


def _zone(length: float, antenna: float, top: float, frequency_mhz: float) -> list[Point]:
    distances = np.linspace(0, length, 201)
    radius = FRESNEL_SHARE * fresnel_radius(distances, LIGHT_SPEED_M / (frequency_mhz * 1e6))
    middle = np.linspace(antenna, top, 201)
    upper = [(float(x), float(y)) for x, y in zip(distances, middle + radius)]
    lower = [(float(x), float(y)) for x, y in zip(distances, middle - radius)]
    return upper + lower[::-1]


def _legend(keys: Sequence[Key], y: float) -> list[str]:
    parts: list[str] = []
    x = float(LEFT)
    for kind, colour, words in keys:
        if kind == "area":
            parts.append(f'<rect x="{x:.1f}" y="{y - 10}" width="26" height="12" fill="{colour}" fill-opacity="0.7"/>')
        else:
            pattern = DASHES[kind]
            parts.append(
                f'<line x1="{x:.1f}" y1="{y - 4}" x2="{x + 28:.1f}" y2="{y - 4}" stroke="{colour}" stroke-width="2.5" '
                f'stroke-dasharray="{pattern}"/>'
            )
        parts.append(text(x + 34, y, words, size=12))
        x += 34 + 6.9 * len(words) + 22
    return parts
