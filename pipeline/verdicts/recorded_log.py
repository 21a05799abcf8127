"""What was played back of a flight: its own part of what the vehicle stored, on the on-board clock. Knows recorded
samples and flights; knows no rule."""

from collections.abc import Iterator
from typing import Final

from pipeline.evidence.samples import SampleKey, Values
from pipeline.evidence.segments import Segment
from pipeline.evidence.views import EVER
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight, next_flight_on_board
from pipeline.verdicts.picture import Picture

LOG_BREAKS_OFF: Final = 600 * SECOND
"""On the on-board clock: a recorded log that goes on after so much is another one."""


def log_of(picture: Picture, flight: Flight) -> Iterator[tuple[SampleKey, Segment]]:
    """The recorded samples' segments from take-off to the end of the log, by on-board time."""
    since = flight.takeoff_spacecraft_time
    if since is None:
        return
    reached, landed = since, False
    until = next_flight_on_board(picture, flight.takeoff_at, since, flight.boot) or EVER
    for entry in picture.views.recorded.reaching(since - 1):
        key, segment = entry.key, entry.segment
        if key.boot != flight.boot or segment.last < since:
            continue
        # The log goes on to the end of the landing; what follows is of the vehicle's next flight.
        is_of_next = segment.first >= until or (landed and key.state == "flight")
        if is_of_next or segment.first - reached > LOG_BREAKS_OFF:
            return
        landed = landed or (key.state == "ground" and segment.first > since)
        reached = max(reached, segment.last)
        yield key, segment


def last_recorded(picture: Picture, flight: Flight) -> tuple[SampleKey, Values] | None:
    """The last played back sample of this flight, by on-board time."""
    return picture.once((__name__, flight.takeoff_at), lambda: _last_recorded(picture, flight))


def _last_recorded(picture: Picture, flight: Flight) -> tuple[SampleKey, Values] | None:
    since = flight.takeoff_spacecraft_time or 0
    own = (
        (key, Values(-point[0], point[1], point[2], point[3]))
        for key, segment in log_of(picture, flight)
        for point in segment.payload[1]
        if -point[0] >= since
    )
    return max(own, key=lambda pair: pair[1].at, default=None)
