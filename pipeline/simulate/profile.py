"""Where the vehicle is and in which phase, at each moment of a flight."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.simulate.scenario import Segment

GROUND_PHASES = ("preflight", "landed")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    phase: str
    altitude_m: float
    climb_rate: float
    """Metres a second, upwards positive."""

    @property
    def on_ground(self) -> bool:
        return self.phase in GROUND_PHASES


def state_at(profile: Sequence[Segment], seconds: float) -> State:
    """The state `seconds` after take-off. A phase begins at the end of the one before it; the last one never ends."""
    if seconds < 0:
        return State(phase="preflight", altitude_m=0.0, climb_rate=0.0)
    starts_s = altitude = 0.0
    for segment in profile:
        span = segment.until_s - starts_s
        if seconds < segment.until_s or segment is profile[-1]:
            rate = (segment.altitude_m - altitude) / span
            return State(
                phase=segment.phase,
                altitude_m=altitude + rate * (min(seconds, segment.until_s) - starts_s),
                climb_rate=rate,
            )
        starts_s, altitude = segment.until_s, segment.altitude_m
    return State(phase="landed", altitude_m=0.0, climb_rate=0.0)
