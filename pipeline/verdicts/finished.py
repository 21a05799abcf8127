"""Flights that nothing new can change, and what was said of them: kept, so that a record costs the same whether its run
holds one flight or hundreds. The one memory between evidence and verdict: thrown away, the same is said.

A flight is finished where all that its verdict looks at lies SETTLES before the watermark. It stays so until something
comes of an earlier instant, or of its own log, or what all flights depend on is another."""

from typing import Any, Final

from pipeline.records import SECOND
from pipeline.telemetry import Telemetry, earliest_instant
from pipeline.verdicts import early_landing
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.new_data import standstills
from pipeline.verdicts.picture import LONGEST_LOSS, Picture
from pipeline.verdicts.recorded_log import last_recorded

SETTLES: Final = LONGEST_LOSS + 60 * SECOND
"""Nothing that a rule of a flight looks at lies so long after its end."""
LATCHED: Final = frozenset((early_landing.TYPE,))
"""Types that nothing ends: what is said of them is said once and for all."""


class Finished:
    """The first flights of a vehicle, as far as they are finished, in order."""

    def __init__(self) -> None:
        self._context: tuple[Any, ...] = ()
        self.flights: list[Flight] = []
        self._incidents: list[list[Incident]] = []
        """Of each flight."""
        self._ends: list[int] = []
        """The latest instant of each flight and of those before it."""

    @property
    def incidents(self) -> list[Incident]:
        return [incident for of_flight in self._incidents for incident in of_flight]

    def forget(self, first: int = 0) -> None:
        """Keep only so many flights."""
        del self.flights[first:], self._incidents[first:], self._ends[first:]

    def learn(self, telemetry: Telemetry) -> None:
        """Forget what a record may change."""
        since = earliest_instant(telemetry)
        while self._ends and since is not None and self._ends[-1] + SETTLES >= since:
            self.forget(len(self.flights) - 1)
        onboard = [at for one in telemetry.samples if not one.live for at in one.spacecraft_times if at is not None]
        if onboard and self.flights:
            self.forget(self._of_log(min(onboard)))

    def _of_log(self, onboard: int) -> int:
        """The place of the last flight that took off before an instant on board: none before it has it in its log."""
        for place in range(len(self.flights) - 1, 0, -1):
            takeoff = self.flights[place].takeoff_spacecraft_time
            if takeoff is not None and takeoff <= onboard:
                return place
        return 0

    def look(self, picture: Picture) -> None:
        """Forget everything where what all flights depend on is another."""
        limits = picture.suspect, picture.loss, picture.timer(picture.timers.resume_frames - 1, 0)
        context = picture.evidence, picture.mission, limits, picture.given_up, standstills(picture)
        if context != self._context:
            self.forget()
            self._context = context

    def take(self, flight: Flight, incidents: list[Incident], picture: Picture) -> bool:
        """The next flight, just judged; whether it is finished."""
        end = _end_of(flight, incidents, picture)
        if end is None or end + SETTLES > (picture.watermark or 0):
            return False
        planned = flight.planned
        if planned is not None and (picture.watermark or 0) <= 2 * planned.starts_at - flight.takeoff_at:
            return False  # one that takes off nearer to the planned time would have its number
        if picture.owed_between(flight.takeoff_at, end):
            return False
        self.flights.append(flight)
        self._incidents.append(incidents)
        self._ends.append(max([end, *self._ends[-1:]]))
        return True


def _end_of(flight: Flight, incidents: list[Incident], picture: Picture) -> int | None:
    """The latest instant of all that is said of a flight; None: it is not over."""
    ends = [flight.over_at, *(one.ended_at for one in incidents if one.type not in LATCHED)]
    if flight.silences:
        ends.append(flight.silences[-1].alive_at)
    if flight.landing_at is not None:
        ends.append(flight.landing_at)
    if (last := last_recorded(picture, flight)) is not None:
        ends.append(last[1].spacecraft_time)
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None
