"""The vehicle started again: its boot count is up, or its counts and its on-board clock fell back together."""

from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.outputs import Severity
from pipeline.verdicts.flights import Flight, flight_at
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.restarts import Restart, restarts_of
from pipeline.verdicts.words import instant, title

TYPE: Final = "vehicle_restart"


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    known = tuple(restart for restart in restarts_of(picture) if restart.at <= (picture.watermark or 0))
    if known:
        yield from _incidents(picture, flights, known)


def _incidents(picture: Picture, flights: Sequence[Flight], known: Sequence[Restart]) -> Iterator[Incident]:
    by_flight: dict[str, list[Restart]] = {}
    for restart in known:
        # A restart that shows itself while an outage is open is part of that outage's story.
        if not any(
            any(s.last_good_at < restart.at and s.raised_at <= restart.at
                and (s.ended_at is None or restart.at <= s.ended_at) for s in flight.silences)
            for flight in flights
        ):  # fmt: skip
            covering = flight_at(flights, restart.at)
            by_flight.setdefault("" if covering is None else covering.name, []).append(restart)
    for name, restarts in by_flight.items():
        flight = next((flight for flight in flights if flight.name == name), None)
        # Who has a boot count is not meant to start again; a drone is switched off and on between two flights.
        is_usual = flight is None and picture.vehicle.meanings.spacecraft_time_since_boot
        severity: Severity = "warning" if is_usual else "critical"
        where = f"{title(flight)}: the" if flight else "The"
        yield Incident(
            type=TYPE, subject=picture.vehicle.name, vehicle=picture.vehicle.name, link="", flight=name,
            severity=severity, highest_severity=severity, starts_at=restarts[0].at,
            # Latched: nothing that a vehicle sends undoes a restart, so only the last episode stays open.
            episodes=tuple((restart.at, None if restart is restarts[-1] else restart.at) for restart in restarts),
            close_reason=None,
            statement=f"{where} vehicle restarted{' in flight' if flight else ''}.",
            known=tuple(f"{restart.sign}; first frame after it at {instant(restart.at)}." for restart in restarts),
            not_known=("Why the vehicle restarted: frames do not say.",),
            evidence={"restarts": len(restarts)},
        )  # fmt: skip
