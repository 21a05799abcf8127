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
from pipeline.verdicts.flights import Flight, flights_of
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.settled import settled_of

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


def verdict(picture: Picture) -> tuple[tuple[Flight, ...], tuple[Incident, ...]]:
    """Everything that the evidence now says: the flights, and the incidents in a fixed order."""
    settled = settled_of(picture)
    flights = flights_of(picture, tuple(settled.flights))
    incidents = list(settled.incidents)
    is_settled = True
    for flight in flights[len(settled.flights) :]:
        picture.reach = flight.reach
        found = [one for rule in FLIGHT_RULES.values() if (one := rule(picture, flight)) is not None]
        incidents += found
        is_settled = is_settled and settled.take(flight, found, picture)
    incidents += (incident for rule in VEHICLE_RULES.values() for incident in rule(picture, flights))
    return flights, tuple(sorted(incidents, key=lambda incident: (incident.type, incident.subject, incident.flight)))
