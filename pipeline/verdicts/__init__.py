"""One file a type of alert. A rule is a pure function of the picture (evidence, plan, watermark) and of a flight found
in it, or of all flights; none reads what another says."""

from collections.abc import Callable, Iterable
from typing import Final

from pipeline.verdicts import (
    bad_frame_burst,
    clock_step,
    contact_not_acquired,
    data_silent,
    early_landing,
    ended_before_landing,
    link_degraded,
    recording_truncated,
    relay_outage,
    source_stuck,
    unexpected_source,
    vehicle_restart,
)
from pipeline.verdicts.finished import Finished
from pipeline.verdicts.flights import Flight, flights_of
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture

FlightRule = Callable[[Picture, Flight], Incident | None]
VehicleRule = Callable[[Picture, tuple[Flight, ...]], Iterable[Incident]]

FLIGHT_RULES: Final[dict[str, FlightRule]] = {
    data_silent.TYPE: data_silent.judge,
    early_landing.TYPE: early_landing.judge,
    ended_before_landing.TYPE: ended_before_landing.judge,
    source_stuck.TYPE: source_stuck.judge,
}
"""What is said of one flight by itself."""

VEHICLE_RULES: Final[dict[str, VehicleRule]] = {
    bad_frame_burst.TYPE: bad_frame_burst.judge,
    clock_step.TYPE: clock_step.judge,
    contact_not_acquired.TYPE: contact_not_acquired.judge,
    link_degraded.TYPE: link_degraded.judge,
    recording_truncated.TYPE: recording_truncated.judge,
    relay_outage.TYPE: relay_outage.judge,
    unexpected_source.TYPE: unexpected_source.judge,
    vehicle_restart.TYPE: vehicle_restart.judge,
}
"""What is said of a vehicle or of a link, or needs all flights together."""

RULES: Final[tuple[str, ...]] = tuple(sorted((*FLIGHT_RULES, *VEHICLE_RULES)))
"""The types of alert."""


def verdict(
    picture: Picture, finished: Finished | None = None
) -> tuple[tuple[Flight, ...], tuple[Incident, ...]]:  # fmt: skip
    """Everything that the evidence now says: the flights, and the incidents in a fixed order. `finished`: what was kept
    of the first flights."""
    finished = Finished() if finished is None else finished
    flights = flights_of(picture, finished.flights)
    incidents = finished.incidents
    is_finished = True
    for flight in flights[len(finished.flights) :]:
        found = [one for rule in FLIGHT_RULES.values() if (one := rule(picture, flight)) is not None]
        incidents += found
        is_finished = is_finished and finished.take(flight, found, picture)
    incidents += (incident for rule in VEHICLE_RULES.values() for incident in rule(picture, flights))
    return flights, tuple(sorted(incidents, key=lambda incident: (incident.type, incident.subject, incident.flight)))
