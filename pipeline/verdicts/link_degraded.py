"""The link gets worse in flight: at least half of the frames that were due did not come, and yet some did. A silence is
no degradation: it has a rule of its own."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from pipeline.evidence.losses import Measure, Stretch
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight, flight_at
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.words import instant, seconds, title

TYPE: Final = "link_degraded"
WINDOW_PERIODS: Final = 20
WINDOW_SECONDS: Final = 2.0
SILENCE_PERIODS: Final = 5
SILENCE_SECONDS: Final = 0.5
MISSING_SHARE: Final = 0.5
DUE_SHARE: Final = 0.5
"""Of the window: with fewer frames due in it (the rest being silence) it says nothing."""


class Episode(NamedTuple):
    raised: Stretch
    ended_at: int | None


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    channel = picture.fastest_channel
    # Where time does not tell how many frames were due, nothing can be said of the share that came.
    if not flights or channel is None or picture.count_period(picture.links[0], True, []) is None:
        return
    if not picture.evidence.together.gaps(channel, picture.period).found:
        return
    stretches = [
        one
        for one in picture.evidence.heavy_losses(channel, _measure(picture))
        if _is_listened(picture, one.first) and flight_at(flights, one.first) is not None
    ]
    own: dict[int, list[Episode]] = {}
    for episode in _episodes(picture, stretches):
        place = bisect_right(flights, episode.raised.first, key=lambda flight: flight.takeoff_at) - 1
        own.setdefault(place, []).append(episode)
    for place, episodes in own.items():
        yield _incident(picture, flights[place], episodes)


def _is_listened(picture: Picture, at: int) -> bool:
    """Whether a session in which it lies has listened up to an instant: not whether another one has."""
    return at <= (picture.watermark or 0) and any(
        segment.first <= at <= segment.last
        for session in picture.sessions
        if session.starts_at <= at
        for segment in picture.evidence.listened.of((*session, "running"))
    )


def _measure(picture: Picture) -> Measure:
    return Measure(
        period=picture.period, window=picture.timer(WINDOW_PERIODS, WINDOW_SECONDS),
        silence=picture.timer(SILENCE_PERIODS, SILENCE_SECONDS), missing_share=MISSING_SHARE, due_share=DUE_SHARE,
        apart=round(picture.timers.resume_seconds * SECOND),
    )  # fmt: skip


def _episodes(picture: Picture, stretches: list[Stretch]) -> list[Episode]:
    found: list[Episode] = []
    for stretch in stretches:
        ended_at = _cleared(picture, stretch.until)
        if found and (found[-1].ended_at is None or stretch.first <= found[-1].ended_at):
            found[-1] = found[-1]._replace(ended_at=ended_at)
        else:
            found.append(Episode(stretch, ended_at))
    return found


def _cleared(picture: Picture, after: int) -> int | None:
    """When frames came again as the resume rule asks, without another missing moment between."""
    frames, least = picture.timers.resume_frames, round(picture.timers.resume_seconds * SECOND)
    live = picture.live
    for stretch in islice(live, bisect_right(live, after, key=lambda stretch: stretch.last), None):
        holds = picture.holds_from(stretch)
        if stretch.first <= after:  # it goes on across the loss: reckoned from the frame that is due next
            first = after + round(picture.period)
            holds = max(first + least, first + round((frames - 1) * picture.period))
        if holds is not None and holds <= stretch.last:
            return holds if holds <= (picture.watermark or 0) else None
    return None


def _incident(picture: Picture, flight: Flight, episodes: list[Episode]) -> Incident:
    window = seconds(picture.timer(WINDOW_PERIODS, WINDOW_SECONDS))
    last = episodes[-1]
    return Incident(
        type=TYPE, subject=flight.vehicle, vehicle=flight.vehicle, link=picture.links[0], flight=flight.name,
        severity="warning", highest_severity="warning", starts_at=episodes[0].raised.first,
        episodes=tuple((one.raised.first, one.ended_at) for one in episodes),
        close_reason=None if last.ended_at is None else "resumed_in_flight",
        statement=f"{title(flight)}: at least half of the frames that were due did not arrive.",
        known=tuple(
            f"{raised.missing} of {raised.due} frames due in the {window} up to {instant(raised.first)} did not arrive."
            for raised, _ in episodes[-3:]
        ),
        not_known=("Why frames were lost: those that arrived do not say.",),
        evidence={"episodes": len(episodes)},
    )  # fmt: skip
