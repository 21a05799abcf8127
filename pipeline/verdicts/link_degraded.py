"""The link gets worse in flight: at least half of the frames that were due did not come, and yet some did. A silence is
no degradation: it has a rule of its own."""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
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


class Moment(NamedTuple):
    """An instant at which the link is degraded."""

    at: int
    missing: int
    due: int


class Episode(NamedTuple):
    raised: Moment
    ended_at: int | None


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    if not flights or not picture.period:
        return
    episodes = _episodes(picture, [one for one in _moments(picture) if any(f.covers(one.at) for f in flights)])
    for flight in flights:
        own = [one for one in episodes if flight.covers(one.raised.at)]
        if own:
            yield _incident(picture, flight, own)


def _moments(picture: Picture) -> Iterator[Moment]:
    """Every instant at which a frame was due and did not come, and at least half of those due in the window before
    it did not come either."""
    period, mark = picture.period, picture.watermark or 0
    window = picture.timer(WINDOW_PERIODS, WINDOW_SECONDS)
    silence = picture.timer(SILENCE_PERIODS, SILENCE_SECONDS)
    missing: deque[int] = deque()
    quiet: deque[tuple[int, int]] = deque()
    for gap in picture.losses():
        if gap.after >= mark:
            return
        if gap.unlike_time or gap.before - gap.after - period > silence:
            quiet.append((gap.after, gap.before))
            continue
        interval = (gap.before - gap.after) / (gap.missing + 1)
        for number in range(1, gap.missing + 1):
            at = gap.after + round(number * interval)
            missing.append(at)
            while missing[0] <= at - window:
                missing.popleft()
            while quiet and quiet[0][1] <= at - window:
                quiet.popleft()
            silent = sum(min(at, last) - max(at - window, first) for first, last in quiet)
            due = round((window - silent) / period)
            if len(missing) >= MISSING_SHARE * due and len(missing) < due and due >= DUE_SHARE * window / period:
                yield Moment(at, len(missing), due)


def _episodes(picture: Picture, moments: list[Moment]) -> list[Episode]:
    found: list[Episode] = []
    for moment in moments:
        ended_at = _cleared(picture, moment.at)
        if found and (found[-1].ended_at is None or moment.at <= found[-1].ended_at):
            found[-1] = found[-1]._replace(ended_at=ended_at)
        else:
            found.append(Episode(moment, ended_at))
    return found


def _cleared(picture: Picture, after: int) -> int | None:
    """When frames came again as the resume rule asks, without another missing moment between."""
    frames, least = picture.timers.resume_frames, round(picture.timers.resume_seconds * SECOND)
    for stretch in picture.live:
        if stretch.last <= after:
            continue
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
        severity="warning", highest_severity="warning", starts_at=episodes[0].raised.at,
        episodes=tuple((one.raised.at, one.ended_at) for one in episodes),
        close_reason=None if last.ended_at is None else "resumed_in_flight",
        statement=f"{title(flight)}: at least half of the frames that were due did not arrive.",
        known=tuple(
            f"{raised.missing} of {raised.due} frames due in the {window} up to {instant(raised.at)} did not arrive."
            for raised, _ in episodes[-3:]
        ),
        not_known=("Why frames were lost: those that arrived do not say.",),
        evidence={"episodes": len(episodes)},
    )  # fmt: skip
