"""Flights that nothing new can change, and what was said of them: kept, so that a record costs the same whether its run
holds one flight or hundreds. A shortcut only: without it the same is said.

A flight is settled where everything that was looked at to judge it lies before the watermark (`Picture.reach`). It
stays so until something becomes known of an instant that was looked at, or of what has no instant on the relay's clock
(`Views.context`)."""

from typing import Any

from pipeline.evidence.views import EVER
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.new_data import standstills
from pipeline.verdicts.picture import Picture


class Settled:
    """The first flights of a vehicle, as far as they are settled, in order."""

    def __init__(self, context: tuple[Any, ...]) -> None:
        self.context = context
        """What their verdicts depend on beside what is known of single instants."""
        self.news = 0
        """The last piece of news that changed nothing of it."""
        self.flights: list[Flight] = []
        self.incidents: list[Incident] = []
        self._ends: list[tuple[int, int]] = []
        """For each flight: the latest instant that was looked at for it and for those before it, and how many
        incidents there are up to it."""

    def keep_before(self, instant: int) -> None:
        """Only flights for which nothing was looked at from this instant on."""
        while self._ends and self._ends[-1][0] >= instant:
            self._ends.pop()
            self.flights.pop()
            del self.incidents[self._ends[-1][1] if self._ends else 0 :]

    def take(self, flight: Flight, incidents: list[Incident], picture: Picture) -> bool:
        """The next flight, just judged; whether it is settled."""
        if flight.over_at is None or picture.reach > _mark(picture):
            return False
        self.flights.append(flight)
        self.incidents += incidents
        reach = max(picture.reach, self._ends[-1][0]) if self._ends else picture.reach
        self._ends.append((reach, len(self.incidents)))
        return True


def settled_of(picture: Picture) -> Settled:
    """What is still settled, now that the evidence has grown."""
    views, kept = picture.views, picture.evidence.kept
    context = (picture.mission, picture.suspect, picture.loss, views.context, standstills(picture))
    settled: Settled | None = kept.get(__name__)
    if settled is None or settled.context != context:
        settled = kept[__name__] = Settled(context)
    settled.keep_before(min(views.news.since(settled.news), _mark(picture) + 1))
    settled.news = views.news.number
    return settled


def _mark(picture: Picture) -> int:
    return -EVER if picture.watermark is None else picture.watermark
