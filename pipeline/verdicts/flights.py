"""Which flights the evidence shows: one walk from take-off to landing, over the silences between.

A silence in flight that reaches *loss* is an outage; how it ended decides whether the flight went on. The flight
is the frame of reference of every other rule, so it is found here, once, and only read elsewhere.
"""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from typing import Literal

from pipeline.evidence.samples import SampleKey, SampleLine, Values
from pipeline.evidence.segments import Segment
from pipeline.evidence.views import EVER
from pipeline.mission.model import PlannedFlight
from pipeline.records import SECOND
from pipeline.verdicts.picture import Picture, landed_rule
from pipeline.verdicts.restarts import restarted_after

CloseReason = Literal["resumed_in_flight", "landing_seen_in_late_data", "contact_restored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """The transmission ended in flight: nothing heard for *loss* of listened time."""

    last_good_at: int
    raised_at: int
    ended_at: int | None
    close_reason: CloseReason | None
    restarted_at: int | None = None
    """First frame of a higher boot count while it was open."""
    alive_at: int | None = None
    """First good frame of the vehicle after it, whatever that frame showed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    name: str
    vehicle: str
    planned: PlannedFlight | None
    takeoff_at: int
    boot: int | None
    takeoff_spacecraft_time: int | None
    landing_at: int | None
    """Landing confirmed by live frames (or, after a silence, by recorded ones: relay receive time of the proof)."""
    landing_first_at: int | None
    """First live frame with the landed flag."""
    over_at: int | None
    """From here on the vehicle is known not to be in this flight."""
    silences: tuple[Silence, ...]

    def covers(self, at: int) -> bool:
        return self.takeoff_at <= at and (self.over_at is None or at < self.over_at)

    @property
    def last_heard_before(self) -> int | None:
        """No frame of this flight was received from here on: it fell silent, or it is over. None: it goes on."""
        last = self.silences[-1] if self.silences else None
        if last is not None and last.close_reason != "resumed_in_flight":
            return last.last_good_at + 1
        return self.over_at

    def silent_at(self, at: int) -> bool:
        return any(s.raised_at <= at and (s.ended_at is None or at < s.ended_at) for s in self.silences)


def flights_of(picture: Picture, finished: Sequence[Flight] = ()) -> tuple[Flight, ...]:
    """Every flight with a take-off, in order. `finished`: the first of them, as far as they are known."""
    found = list(finished)
    after = finished[-1].over_at if finished else -EVER
    while after is not None:
        takeoff = _next_takeoff(picture, after)
        if takeoff is None:
            break
        flight = _flight_from(picture, *takeoff)
        found.append(flight)
        after = flight.over_at
    return tuple(found)


def flight_at(flights: Sequence[Flight], at: int) -> Flight | None:
    """The one that covers an instant: one is over before the next takes off."""
    place = bisect_right(flights, at, key=lambda flight: flight.takeoff_at)
    return flights[place - 1] if place and flights[place - 1].covers(at) else None


def _next_takeoff(picture: Picture, after: int) -> tuple[Values, SampleKey] | None:
    """An in-flight phase, in two frames or followed by another in-flight phase, after a ground phase with at most
    3 s between them for which nothing was listened or frames are owed."""
    most = round(picture.timers.relay_silent_seconds * SECOND)
    views = picture.views
    for first, second in pairwise(picture.earliest(views.flying, after)):
        before = [
            segment.last if segment.last < first.at else segment.first
            for segment in (entry.segment for entry in views.ground.reaching(after, first.at - 1))
            if segment.last > after
        ]
        if not before:
            continue
        since = max(max(before), after)
        # How long was listened until an instant after the watermark is not known yet.
        is_known = first.at <= (picture.watermark or 0)
        if is_known and first.at - since - picture.listened_between(since, first.at) > most:
            continue
        # Two frames in flight, and not one lucky frame here and another much later.
        if second.at - first.at > picture.limits(first.at).loss and _on_ground_between(picture, first.at, second.at):
            continue
        around = views.flying.reaching(first.at - 1, first.at)
        key = next(entry.key for entry in around if entry.segment.last >= first.at)
        return first, key
    return None


def _on_ground_between(picture: Picture, starts_at: int, ends_at: int) -> bool:
    return any(True for _ in picture.earliest(picture.views.ground, starts_at, ends_at))


def _flight_from(picture: Picture, takeoff: Values, key: SampleKey) -> Flight:
    timers = picture.timers
    least = round(timers.landed_seconds * SECOND)

    def confirmed(line: SampleLine) -> int | None:
        times = (values.at for values in picture.earliest(line, takeoff.at))
        return landed_rule(times, timers.landed_frames, least)

    flags = picture.vehicle.meanings.landed is not None
    landing_at = confirmed(picture.views.landed) if flags else None
    grounded_at = confirmed(picture.views.down)
    seen = [at for at in (landing_at, grounded_at) if at is not None]
    live_end = min(seen, default=None)
    silences = tuple(_silences(picture, takeoff, key, live_end))
    over_at = live_end
    last = silences[-1] if silences else None
    if last is not None and last.close_reason in ("contact_restored", "landing_seen_in_late_data"):
        # On the ground when it was heard again: that a landing lies between is known, seen it was not.
        landing_at = last.ended_at if last.close_reason == "landing_seen_in_late_data" else None
        over_at = last.ended_at if over_at is None else min(over_at, last.ended_at or over_at)
    # A flag that was heard after the flight fell silent, or in a flight after it, says nothing of when this one landed.
    heard_until = last.last_good_at if last is not None and last.close_reason != "resumed_in_flight" else over_at
    flagged = next(picture.earliest(picture.views.landed, takeoff.at, heard_until), None) if flags else None
    planned = _planned(picture, takeoff.at)
    return Flight(
        name=str(planned.number) if planned else _name(takeoff.at),
        vehicle=picture.vehicle.name,
        planned=planned,
        takeoff_at=takeoff.at,
        boot=key.boot,
        takeoff_spacecraft_time=takeoff.spacecraft_time,
        landing_at=landing_at,
        landing_first_at=flagged.at if flagged else None,
        over_at=over_at,
        silences=silences,
    )


def _planned(picture: Picture, takeoff_at: int) -> PlannedFlight | None:
    near = [flight for flight in picture.vehicle.flights if abs(flight.starts_at - takeoff_at) <= flight.within]
    return min(near, key=lambda flight: abs(flight.starts_at - takeoff_at), default=None)


@lru_cache(maxsize=1024)
def _name(takeoff_at: int) -> str:
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=takeoff_at // SECOND)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _silences(picture: Picture, takeoff: Values, key: SampleKey, live_end: int | None) -> Iterator[Silence]:
    """The outages of one flight. One ends before the next begins; the last may be open or end the flight."""
    mark = picture.watermark
    if mark is None:
        return
    heard = picture.heard
    resumed_until = takeoff.at
    for place in range(bisect_left(heard, takeoff.at, key=_last_of), len(heard)):
        last_good = heard[place].last
        if last_good < resumed_until:
            continue
        if live_end is not None and last_good >= live_end:
            return
        next_heard = heard[place + 1].first if place + 1 < len(heard) else None
        loss = picture.limits(last_good).loss
        if next_heard is not None and next_heard - last_good <= loss:
            continue
        raised_at = picture.listened_reaches(last_good, loss, next_heard)
        if raised_at is None or (next_heard is not None and next_heard <= raised_at):
            continue
        if picture.owed_between(last_good, raised_at):
            continue
        silence = _outcome(picture, takeoff, key, last_good, raised_at, next_heard)
        yield silence
        if silence.ended_at is None or silence.close_reason != "resumed_in_flight":
            return
        resumed_until = silence.ended_at


def _outcome(
    picture: Picture, takeoff: Values, key: SampleKey, last_good: int, raised_at: int, alive_at: int | None
) -> Silence:
    """How a silence ended: the earliest, by relay receive time, of the things that end one."""
    before = picture.last_sample(last_good)
    boot = before[0].boot if before else key.boot
    clock = before[1].spacecraft_time if before else None
    endings: list[tuple[int, CloseReason]] = []
    live = picture.live
    for stretch in islice(live, bisect_right(live, last_good, key=_first_of), None):
        if (ending := _ending_by(picture, stretch, boot, clock)) is not None:
            endings.append(ending)
            break  # later ones are later
    if (at := _landing_in_late_data(picture, takeoff, key, last_good)) is not None:
        endings.append((max(at, raised_at), "landing_seen_in_late_data"))
    mark = picture.watermark or 0
    ended_at, reason = min((ending for ending in endings if ending[0] <= mark), default=(None, None))
    restarts = picture.earliest(
        picture.views.samples, last_good, ended_at, lambda sample: _higher(sample.boot, boot)
    )  # fmt: skip
    restart = min(
        (at for at in (next((one.at for one in restarts), None), restarted_after(picture, last_good, ended_at)) if at),
        default=None,
    )
    return Silence(
        last_good_at=last_good, raised_at=raised_at, ended_at=ended_at, close_reason=reason, alive_at=alive_at,
        restarted_at=restart,
    )  # fmt: skip


def _higher(boot: int | None, than: int | None) -> bool:
    return boot is not None and than is not None and boot > than


def _ending_by(
    picture: Picture, stretch: Segment, boot: int | None, clock: int | None
) -> tuple[int, CloseReason] | None:
    """What an unbroken stretch of live frames shows of a flight that fell silent; None where it shows nothing."""
    holds_from = picture.holds_from(stretch)
    if holds_from is None:
        return None
    since, until, views = stretch.first - 1, stretch.last, picture.views

    def over_by(instant: int) -> int | None:
        down = next(picture.earliest(views.down, since, instant), None)
        restarted = next(picture.earliest(views.samples, since, instant, lambda key: _higher(key.boot, boot)), None)
        seen = [one.at for one in (down, restarted) if one is not None]
        if (booted := restarted_after(picture, since, instant)) is not None:
            seen.append(booted)
        return min(seen, default=None)

    if over_by(holds_from) is not None:
        return holds_from, "contact_restored"
    for values in picture.earliest(views.flying, since, until):
        if clock is None or values.spacecraft_time is None or values.spacecraft_time >= clock:
            return max(holds_from, values.at), "resumed_in_flight"
    over = over_by(until)
    return None if over is None else (max(holds_from, over), "contact_restored")


def _landing_in_late_data(picture: Picture, takeoff: Values, key: SampleKey, last_good: int) -> int | None:
    """Relay receive time at which frames that were delivered late prove this flight's landing."""
    timers = picture.timers
    least = round(timers.landed_seconds * SECOND)
    proofs: list[int] = []
    if takeoff.spacecraft_time is not None:
        clock = takeoff.spacecraft_time
        if (
            at := landed_rule(_landed_in_log(picture, takeoff.at, clock, key.boot), timers.landed_frames, least)
        ) is not None:
            proofs.append(at)
    if picture.backfilled:
        flagged = (
            values.at
            for values in picture.earliest(picture.views.landed, last_good, max(last for _, last in picture.backfilled))
            if any(first <= values.at <= last for first, last in picture.backfilled)
        )
        if (at := landed_rule(flagged, timers.landed_frames, least)) is not None:
            proofs.append(at)
    return min(proofs, default=None)


def _landed_in_log(picture: Picture, takeoff_at: int, takeoff: int, boot: int | None) -> list[int]:
    """Relay receive times of recorded samples that say landed, from take-off to the next flight on the on-board
    clock; ascending."""
    landed = [
        entry.segment
        for entry in picture.views.recorded.reaching(takeoff)
        if entry.key.landed is True and entry.key.boot == boot and entry.segment.first > takeoff
    ]
    until = next_flight_on_board(picture, takeoff_at, takeoff, boot) if landed else None
    return sorted(
        at
        for segment in landed
        if until is None or segment.first < until
        for at, onboard in segment.payload[3]
        if onboard > takeoff
    )


def next_flight_on_board(picture: Picture, takeoff_at: int, takeoff: int, boot: int | None) -> int | None:
    """On-board time at which the vehicle took off after the flight of a take-off (relay receive time, on-board time)
    in the same boot, as far as live frames show: that of the first one in flight after one on the ground."""

    def is_of_boot(key: SampleKey) -> bool:
        return key.boot == boot

    views = picture.views
    for entry in views.ground.reaching(takeoff_at):
        if entry.key.boot == boot and entry.segment.last > takeoff_at:
            for values in picture.earliest(views.flying, max(entry.segment.last, takeoff_at), None, is_of_boot):
                if values.spacecraft_time is not None and values.spacecraft_time > takeoff:
                    return values.spacecraft_time
    return None


def _first_of(stretch: Segment) -> int:
    return stretch.first


def _last_of(stretch: Segment) -> int:
    return stretch.last
