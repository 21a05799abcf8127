"""The flight ended early, on the ground: it landed by a contingency phase, or long before its planned duration."""

from typing import Final

from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.recorded_log import log_of
from pipeline.verdicts.words import instant, seconds, title

TYPE: Final = "early_landing"
EARLY_SECONDS: Final = 5.0
EARLY_SHARE: Final = 0.1
"""Of the planned duration."""


def judge(picture: Picture, flight: Flight) -> Incident | None:
    if flight.landing_at is None or flight.landing_at > (picture.watermark or 0):
        return None
    phase = _contingency(picture, flight)
    duration = _duration(picture, flight)
    is_short = _is_short(flight, duration)
    return _incident(flight, flight.landing_at, phase, duration if is_short else None) if phase or is_short else None


def _contingency(picture: Picture, flight: Flight) -> str | None:
    """The first phase of it that the mission names as one in which a flight is broken off."""
    named = picture.vehicle.meanings.contingency
    if not named:
        return None
    until = flight.landing_at if flight.last_heard_before is None else flight.last_heard_before
    live = [
        (entry.segment.first, entry.key.phase)
        for entry in picture.views.samples.reaching(flight.takeoff_at - 1, None if until is None else until - 1)
        if entry.key.phase in named and flight.takeoff_at <= entry.segment.first
    ]
    recorded = [(segment.first, key.phase) for key, segment in log_of(picture, flight) if key.phase in named]
    return next((phase for _, phase in sorted(live) or sorted(recorded)), None)


def _duration(picture: Picture, flight: Flight) -> int | None:
    """Nanoseconds from take-off to the first frame that says landed: by the relay's clock where that came live, else
    by the on-board clock. None: not known."""
    if not flight.takeoff_seen:
        return None
    if flight.landing_first_at is not None:
        return flight.landing_first_at - flight.takeoff_at
    since = flight.takeoff_spacecraft_time or 0
    landed = (s.first - since for key, s in log_of(picture, flight) if key.landed is True and s.first > since)
    return min(landed, default=None)


def _is_short(flight: Flight, duration: int | None) -> bool:
    planned = flight.planned.planned_duration_s if flight.planned else None
    if planned is None or duration is None:
        return False
    return planned - duration / SECOND > max(EARLY_SECONDS, EARLY_SHARE * planned)


def _incident(flight: Flight, landed_at: int, phase: str | None, duration: int | None) -> Incident:
    planned = flight.planned.planned_duration_s if flight.planned else None
    known = [f"Landing confirmed at {instant(landed_at)}."]
    if phase is not None:
        known.append(f"The vehicle broke off its flight (phase {phase}).")
    if duration is not None and planned is not None:
        known.append(f"Landed {seconds(duration)} after take-off; planned were {planned:g} s.")
    return Incident(
        type=TYPE, subject=flight.vehicle, vehicle=flight.vehicle, link="", flight=flight.name,
        severity="warning", highest_severity="warning", starts_at=landed_at,
        # Latched: nothing that comes later makes the landing one that was planned.
        episodes=((landed_at, None),), close_reason=None,
        statement=f"{title(flight)}: landed early.",
        known=tuple(known),
        not_known=("Why the flight ended early: frames do not say.",),
        evidence={"contingency_phase": phase, "planned_duration_s": planned},
    )  # fmt: skip
