"""Where the vehicle is at each moment: given, or reckoned from a flight profile and a ground track. Straight lines
between the points."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

SECOND = 1_000_000_000


def instant(at: int) -> str:
    """2023-04-26T12:00:24.50Z, as a mission file takes it: to the hundredth."""
    hundredths = round(at / (SECOND // 100))
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=hundredths // 100)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{hundredths % 100:02}Z"


class TrackPoint(NamedTuple):
    at: int
    """Nanoseconds since 1970-01-01T00:00:00Z, on the relay's receive clock."""
    x: float
    y: float
    altitude: float
    """Metres above the place of take-off, as the vehicle reports it."""


@dataclass(frozen=True, slots=True)
class Track:
    points: tuple[TrackPoint, ...]
    """At least one, by ascending time. The first is the place of take-off."""

    @property
    def starts_at(self) -> int:
        return self.points[0].at

    @property
    def ends_at(self) -> int:
        return self.points[-1].at

    def at(self, moment: int) -> TrackPoint:
        """Before the first point as there, after the last as there."""
        after_start = [one.at - self.starts_at for one in self.points]
        x, y, altitude = (
            float(np.interp(moment - self.starts_at, after_start, [one[place] for one in self.points]))
            for place in (1, 2, 3)
        )
        return TrackPoint(moment, x, y, altitude)


def from_profile(
    starts_at: int, profile: Sequence[tuple[float, float]], ground: Sequence[tuple[float, float, float]]
) -> Track:
    """A flight that takes off at `starts_at` from altitude 0: (seconds after take-off, metres) at the end of each part
    of its profile, and (seconds after take-off, x, y) along its way."""
    moments = sorted({0.0, *(seconds for seconds, _ in profile), *(seconds for seconds, _, _ in ground)})
    climbed, heights = [0.0, *(one[0] for one in profile)], [0.0, *(one[1] for one in profile)]
    along, xs, ys = zip(*ground)
    return Track(
        tuple(
            TrackPoint(
                starts_at + round(seconds * SECOND),
                float(np.interp(seconds, along, xs)),
                float(np.interp(seconds, along, ys)),
                float(np.interp(seconds, climbed, heights)),
            )
            for seconds in moments
        )
    )
