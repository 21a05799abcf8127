"""Which flights the evidence shows: one walk from take-off to landing, over the silences between.

A silence in flight that reaches *loss* is an outage; how it ended decides whether the flight went on. The flight
is the frame of reference of every other rule, so it is found here, once, and only read elsewhere.
"""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Literal, NamedTuple

from pipeline.evidence.samples import SampleKey, SampleLine, Values
from pipeline.evidence.segments import Segment
from pipeline.evidence.views import EVER
from pipeline.mission.model import PlannedFlight
from pipeline.records import SECOND
from pipeline.verdicts.picture import Frames, Picture, landed_rule
from pipeline.verdicts.restarts import restarted_after
from pipeline.verdicts.stored_data import is_stored, live_samples

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
    """Where the take-off was not seen: the first frame in flight."""
    takeoff_seen: bool
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
    """Every flight, in order. `finished`: the first of them, as far as they are known."""
    found: list[Flight] = []
    after = finished[-1].over_at if finished else -EVER
    while after is not None:
        takeoff = _next_takeoff(picture, after, found[-1] if found else finished[-1] if finished else None)
        if takeoff is None:
            break
        found.append(_flight_from(picture, takeoff))
        after = found[-1].over_at
    return *finished, *_numbered(picture, found, finished)


def _numbered(picture: Picture, flights: Sequence[Flight], finished: Sequence[Flight]) -> Iterator[Flight]:
    """Each with its place in the mission's list, where it has one: a listed flight is the one that took off nearest to
    its time."""
    taken = {flight.planned for flight in finished}
    wanted = [(flight, _planned(picture, flight.takeoff_at)) for flight in flights]
    for flight, planned in wanted:
        if planned is not None and planned not in taken:
            rivals = (other.takeoff_at for other, wants in wanted if wants == planned)
            if flight.takeoff_at == min(rivals, key=lambda at: (abs(planned.starts_at - at), at)):
                yield replace(flight, name=str(planned.number), planned=planned)
                continue
        yield flight


def flight_at(flights: Sequence[Flight], at: int) -> Flight | None:
    """The one that covers an instant: one is over before the next takes off."""
    place = bisect_right(flights, at, key=lambda flight: flight.takeoff_at)
    return flights[place - 1] if place and flights[place - 1].covers(at) else None


class Takeoff(NamedTuple):
    values: Values
    """Of the first frame in flight."""
    key: SampleKey
    is_seen: bool
    """False: the vehicle was heard in flight, and not when it took off."""


def _next_takeoff(picture: Picture, after: int, previous: Flight | None) -> Takeoff | None:
    """An in-flight phase, in two frames or followed by another in-flight phase, after a ground phase with at most
    3 s between them for which nothing was listened or frames are owed. Where there is none before it: a stretch in
    flight that meets the resume rule."""
    views = picture.views
    heard: list[Values] = []
    """Of the stretch in flight so far: a sample of each of its frames."""
    flying = (
        values
        for values in picture.earliest(views.flying, after)
        if previous is None or not _is_of_log(picture, previous, values)
    )
    for values in _of_frames(flying):
        first = heard[-1] if heard else None
        if first is not None and _is_by_itself(picture, first.at, values.at):
            heard, first = [], None
        if first is not None and _follows_ground(picture, first.at, after):
            return Takeoff(first, _key_of(picture, first), is_seen=True)
        if heard and _on_ground_between(picture, heard[-1].at, values.at):
            heard = []
        heard.append(values)
        if _is_in_flight(picture, heard):
            return Takeoff(heard[0], _key_of(picture, heard[0]), is_seen=False)
    return None


def _is_of_log(picture: Picture, flight: Flight, values: Values) -> bool:
    """Whether a sample is what was stored of a flight. Any other that is old on board may be of a clock that was set
    back: better a flight too many than one that nobody watches."""
    takeoff, onboard = flight.takeoff_spacecraft_time, values.spacecraft_time
    is_later = takeoff is not None and onboard is not None and onboard >= takeoff
    return is_later and is_stored(picture, values, flight.takeoff_at)


def _of_frames(samples: Iterable[Values]) -> Iterator[Values]:
    """The first sample of each frame."""
    frames = Frames()
    for values in samples:
        before = frames.count
        if frames.take(values.at, values.spacecraft_time) > before:
            yield values


def _is_by_itself(picture: Picture, at: int, next_at: int) -> bool:
    """Two frames in flight are asked for, and not one lucky frame here and another much later."""
    return next_at - at > picture.limits(at).loss and _on_ground_between(picture, at, next_at)


def _follows_ground(picture: Picture, at: int, after: int) -> bool:
    """Whether the vehicle was on the ground just before it was heard in flight."""
    before = [
        segment.last if segment.last < at else segment.first
        for segment in (entry.segment for entry in picture.views.ground.reaching(after, at - 1))
        if segment.last > after
    ]
    if not before:
        return False
    since = max(max(before), after)
    # How long was listened until an instant after the watermark is not known yet.
    is_known = at <= (picture.watermark or 0)
    most = round(picture.timers.relay_silent_seconds * SECOND)
    return not is_known or at - since - picture.listened_between(since, at) <= most


def _is_in_flight(picture: Picture, heard: Sequence[Values]) -> bool:
    """The resume rule, by frames that say so, as far as the watermark."""
    first, last = heard[0].at, heard[-1].at
    is_long = last - first >= picture.limits(first - 1).resume
    return len(heard) >= picture.timers.resume_frames and is_long and last <= (picture.watermark or 0)


def _key_of(picture: Picture, values: Values) -> SampleKey:
    around = picture.views.flying.reaching(values.at - 1, values.at)
    return next(entry.key for entry in around if entry.segment.last >= values.at)


def _on_ground_between(picture: Picture, starts_at: int, ends_at: int) -> bool:
    return any(True for _ in picture.earliest(picture.views.ground, starts_at, ends_at))


def _flight_from(picture: Picture, begins: Takeoff) -> Flight:
    timers = picture.timers
    takeoff, key, is_seen = begins
    least = round(timers.landed_seconds * SECOND)

    def confirmed(line: SampleLine) -> int | None:
        samples = (
            (values.at, values.spacecraft_time) for values in live_samples(picture, line, takeoff.at, takeoff.at)
        )
        return landed_rule(samples, timers.landed_frames, least)

    flags = picture.vehicle.meanings.landed is not None
    landing_at = confirmed(picture.views.landed) if flags else None
    grounded_at = confirmed(picture.views.down)
    seen = [at for at in (landing_at, grounded_at) if at is not None]
    live_end = min(seen, default=None)
    if landing_at is not None and live_end is not None and _flies_between(picture, takeoff.at, live_end, landing_at):
        landing_at = None  # that is another flight's
    silences = tuple(_silences(picture, takeoff, key, live_end))
    over_at = live_end
    last = silences[-1] if silences else None
    if last is not None and last.close_reason in ("contact_restored", "landing_seen_in_late_data"):
        # On the ground when it was heard again: that a landing lies between is known, seen it was not.
        landing_at = last.ended_at if last.close_reason == "landing_seen_in_late_data" else None
        over_at = last.ended_at if over_at is None else min(over_at, last.ended_at or over_at)
    # A flag that was heard after the flight fell silent, or in a flight after it, says nothing of when this one landed.
    heard_until = last.last_good_at if last is not None and last.close_reason != "resumed_in_flight" else over_at
    flagged = (
        next(live_samples(picture, picture.views.landed, takeoff.at, takeoff.at, heard_until), None) if flags else None
    )
    return Flight(
        name=_name(takeoff.at),
        vehicle=picture.vehicle.name,
        planned=None,
        takeoff_at=takeoff.at,
        takeoff_seen=is_seen,
        boot=key.boot,
        takeoff_spacecraft_time=takeoff.spacecraft_time,
        landing_at=landing_at,
        landing_first_at=flagged.at if flagged else None,
        over_at=over_at,
        silences=silences,
    )


def _flies_between(picture: Picture, takeoff_at: int, starts_at: int, ends_at: int) -> bool:
    return any(True for _ in live_samples(picture, picture.views.flying, takeoff_at, starts_at, ends_at))


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
    boot, clock = picture.last_on_board(last_good)
    boot = key.boot if boot is None else boot
    endings: list[tuple[int, CloseReason]] = []
    live = picture.live
    for stretch in islice(live, bisect_right(live, last_good, key=_first_of), None):
        if (ending := _ending_by(picture, takeoff.at, stretch, boot, clock)) is not None:
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
    picture: Picture, takeoff_at: int, stretch: Segment, boot: int | None, clock: int | None
) -> tuple[int, CloseReason] | None:
    """What an unbroken stretch of live frames shows of a flight that fell silent; None where it shows nothing."""
    holds_from = picture.holds_from(stretch)
    if holds_from is None:
        return None
    since, until, views = stretch.first - 1, stretch.last, picture.views

    def over_by(instant: int) -> int | None:
        """When it was first known that the flight was over."""
        down = next(live_samples(picture, views.down, takeoff_at, since, instant), None)
        restarted = next(picture.earliest(views.samples, since, instant, lambda key: _higher(key.boot, boot)), None)
        seen = [one.at for one in (down, restarted) if one is not None]
        if (booted := restarted_after(picture, since, instant)) is not None:
            seen.append(booted)
        return min(seen, default=None)

    if over_by(holds_from) is not None:
        return holds_from, "contact_restored"
    flying = (
        values.at
        for values in picture.earliest(views.flying, since, until)
        if clock is None or values.spacecraft_time is None or values.spacecraft_time >= clock
    )
    # What came first says how it ended: a flight after the landing is another one.
    again, over = next(flying, None), over_by(until)
    if again is not None and (over is None or again < over):
        return max(holds_from, again), "resumed_in_flight"
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
            (values.at, values.spacecraft_time)
            for values in picture.earliest(picture.views.landed, last_good, max(last for _, last in picture.backfilled))
            if any(first <= values.at <= last for first, last in picture.backfilled)
        )
        if (at := landed_rule(flagged, timers.landed_frames, least)) is not None:
            proofs.append(at)
    return min(proofs, default=None)


def _landed_in_log(
    picture: Picture, takeoff_at: int, takeoff: int, boot: int | None
) -> list[tuple[int, int]]:  # fmt: skip
    """Relay receive times and on-board times of recorded samples that say landed, from take-off to the next flight on
    the on-board clock; ascending."""
    landed = [
        entry.segment
        for entry in picture.views.recorded.reaching(takeoff)
        if entry.key.landed is True and entry.key.boot == boot and entry.segment.first > takeoff
    ]
    until = next_flight_on_board(picture, takeoff_at, takeoff, boot) if landed else None
    return sorted(
        (at, onboard)
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
