"""How the signal went before it was lost: fell off a cliff or slid into the noise. Never why.

Near the ground, beyond 4 h_r h_v / lambda, a received level goes with 20 log of the vehicle's height: coming down from
12 m to 1 m costs 21.6 dB with nothing in the way. So what is judged is not the level but what is left of it when the
height is accounted for, against what was left a few seconds earlier."""

from math import log10
from statistics import median
from typing import Final, Literal

from pipeline.records import SECOND
from pipeline.verdicts.picture import Picture

LossShape = Literal["cliff", "slide", "unknown"]

LOOKED_AT: Final = 15 * SECOND
BEFORE: Final = 4 * SECOND
"""Levels older than this before the last good frame are what the newer ones are measured against."""
LEAST_EARLIER: Final = 4
SLIDE_DB: Final = 6.0
CLIFF_DB: Final = 3.0
LOWEST_ANTENNA_M: Final = 0.4


def loss_shape(picture: Picture, last_good_at: int) -> LossShape:
    """`unknown` where the receiver reports no levels, the vehicle no altitude, or the fall is between the two."""
    earlier: list[float] = []
    newest: list[tuple[int, float]] = []
    for _, segment in picture.evidence.levels.between(last_good_at - LOOKED_AT, last_good_at + 1):
        at = segment.first
        altitude = _altitude(picture, at)
        if altitude is None:
            continue
        left = segment.payload[0][0][0] - 20 * log10(max(altitude, LOWEST_ANTENNA_M))
        if at <= last_good_at - BEFORE:
            earlier.append(left)
        else:
            newest.append((at, left))
    if len(earlier) < LEAST_EARLIER or not newest:
        return "unknown"
    fallen = median(earlier) - max(newest)[1]
    return "slide" if fallen >= SLIDE_DB else "cliff" if fallen <= CLIFF_DB else "unknown"


def _altitude(picture: Picture, at: int) -> float | None:
    """Between the samples that are kept, in a straight line: of each phase its first ones and its last ones are."""
    before = picture.last_altitude(at)
    if before is None:
        return None
    since, altitude = before
    following = picture.earliest(picture.views.samples, at, at + LOOKED_AT)
    after = next((one for one in following if one.altitude is not None), None)
    if after is None or after.altitude is None or after.at == since:
        return altitude
    return altitude + (at - since) / (after.at - since) * (after.altitude - altitude)
