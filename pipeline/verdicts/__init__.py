"""One file a type of alert. A rule is a pure function of the picture (evidence, plan, watermark) and the flights
found in it; none reads what another says."""

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

Rule = Callable[[Picture, tuple[Flight, ...]], Iterable[Incident]]

RULES: Final[dict[str, Rule]] = {
    bad_frame_burst.TYPE: bad_frame_burst.judge,
    clock_step.TYPE: clock_step.judge,
    contact_not_acquired.TYPE: contact_not_acquired.judge,
    data_silent.TYPE: data_silent.judge,
    early_landing.TYPE: early_landing.judge,
    ended_before_landing.TYPE: ended_before_landing.judge,
    link_degraded.TYPE: link_degraded.judge,
    recording_truncated.TYPE: recording_truncated.judge,
    relay_outage.TYPE: relay_outage.judge,
    source_stuck.TYPE: source_stuck.judge,
    unexpected_source.TYPE: unexpected_source.judge,
    vehicle_restart.TYPE: vehicle_restart.judge,
}


def verdict(picture: Picture) -> tuple[tuple[Flight, ...], tuple[Incident, ...]]:
    """Everything that the evidence now says: the flights, and the incidents in a fixed order."""
    flights = flights_of(picture)
    incidents = [incident for rule in RULES.values() for incident in rule(picture, flights)]
    return flights, tuple(sorted(incidents, key=lambda incident: (incident.type, incident.subject, incident.flight)))
