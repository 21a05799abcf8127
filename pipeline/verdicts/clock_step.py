"""The on-board clock jumped: from one frame to the next it went on by much more or less than the relay's clock. It is
over when the clock agrees again with what it said before. A clock that a restart set back is no step."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial, reduce
from typing import Final, NamedTuple

from pipeline.evidence.views import Clock
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight, flight_at
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.restarts import boots_of, restarts_of
from pipeline.verdicts.words import instant, title

TYPE: Final = "clock_step"
SEEN_FRAMES: Final = 3
SEEN_NANOSECONDS: Final = SECOND


class Level(NamedTuple):
    """On-board time minus relay time, of one boot: where the clock was, and where it came to by slow change."""

    boot: int | None
    settled: int
    """While the clock ran."""
    now: int
    """Also where it has stood still since."""
    onboard: int
    """What the clock said last."""

    def agrees(self, boot: int | None, offset: int, limit: int) -> bool:
        return boot == self.boot and min(abs(offset - self.settled), abs(offset - self.now)) <= limit


class Visit(NamedTuple):
    """The clock was at one level without being elsewhere."""

    level: int
    """Its place among the levels."""
    first: int
    last: int
    times: tuple[int, ...]
    """Its earliest samples' times."""
    began: int
    """On-board time minus relay time at its first sample."""
    ended: int
    """The same at its last."""

    def seen_at(self) -> int | None:
        """When it was more than a lucky frame of noise; None: it was not."""
        third = self.times[SEEN_FRAMES - 1 :][:1]
        long = [self.first + SEEN_NANOSECONDS] if self.last - self.first >= SEEN_NANOSECONDS else []
        return min([*third, *long], default=None)


class Walk(NamedTuple):
    """Along the clock's segments: where it was, one after the other."""

    levels: tuple[Level, ...]
    visits: tuple[Visit, ...]


class Step(NamedTuple):
    at: int
    by: int
    """Nanoseconds; forward is positive."""
    former: int
    """The level before it: its place among them."""
    ended_at: int | None
    flight: str


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    by_flight: dict[str, list[Step]] = {}
    for step in _steps(picture, flights):
        by_flight.setdefault(step.flight, []).append(step)
    for name, steps in by_flight.items():
        yield _incident(picture, next((one for one in flights if one.name == name), None), steps)


def _walked(picture: Picture, limit: int) -> Walk:
    """As far as the watermark and without lucky frames."""
    mark = picture.watermark or 0
    clock = picture.views.clock
    is_since_boot = picture.vehicle.meanings.spacecraft_time_since_boot
    if is_since_boot:
        clock = list(boots_of(picture).clock)
    if clock and clock[-1][0].first > mark:
        clock = clock[: bisect_right(clock, mark, key=lambda one: one[0].first)]
    levels, visits = reduce(partial(_go_on, limit, is_since_boot), clock, Walk((), ()))
    confirmed = (one for one in visits if (seen_at := one.seen_at()) is not None and seen_at <= mark)
    return Walk(levels, reduce(_joined, confirmed, ()))


def _go_on(limit: int, is_since_boot: bool, walk: Walk, clock: Clock) -> Walk:
    (first, last, (earliest, latest, furthest)), _, boot = clock
    levels, said = list(walk.levels), earliest[0][1]
    offset = said - first
    place = next((n for n in reversed(range(len(levels))) if levels[n].agrees(boot, offset, limit)), None)
    if is_since_boot:
        # Such a clock falls back in a restart alone: what is older than is due waited on the way, or was stored.
        later = [n for n, level in enumerate(levels) if level.boot == boot and offset <= level.settled + limit]
        place = min(later, key=lambda n: abs(offset - levels[n].settled), default=None)
    if place is None:
        place = len(levels)
        levels.append(Level(boot, offset, 0, said))
    elif is_since_boot:
        levels[place] = levels[place]._replace(settled=max(levels[place].settled, offset))
    elif said != levels[place].onboard:
        levels[place] = levels[place]._replace(settled=offset)
    onboard = latest[0][1]
    levels[place] = levels[place]._replace(onboard=onboard, now=onboard - last)
    times = {point[0] for point in earliest} | {-point[0] for point in latest} | {point[1] for point in furthest}
    visit = Visit(place, first, last, tuple(sorted(times)[:SEEN_FRAMES]), offset, onboard - last)
    return Walk(tuple(levels), _joined(walk.visits, visit))


def _joined(visits: tuple[Visit, ...], visit: Visit) -> tuple[Visit, ...]:
    """One more; visits of one level that follow one another are one."""
    if not visits or visits[-1].level != visit.level:
        return (*visits, visit)
    before = visits[-1]
    times = tuple(sorted({*before.times, *visit.times})[:SEEN_FRAMES])
    ended = visit.ended if visit.last >= before.last else before.ended
    return *visits[:-1], Visit(visit.level, before.first, max(before.last, visit.last), times, before.began, ended)


def _steps(picture: Picture, flights: tuple[Flight, ...]) -> list[Step]:
    limit = picture.step
    if picture.views.widest <= limit:
        return []  # what nearly every clock does: each boot has one level
    levels, visits = _walked(picture, limit)
    if len(visits) < 2:
        return []
    restarts = {restart.at for restart in restarts_of(picture)}
    steps: list[Step] = []
    before: Visit | None = None
    for visit in visits:
        if before is not None and before.last > visit.first and visit.last - visit.first > picture.suspect:
            continue  # two clocks at once are two sources, and no step
        is_back = any(one.ended_at is None and one.former == visit.level for one in steps)
        if is_back:
            steps = [_ended(one, visit) if one.former == visit.level else one for one in steps]
        elif before is not None and _is_step(picture, levels, before, visit, limit) and visit.first not in restarts:
            covering = flight_at(flights, visit.first)
            flight = "" if covering is None else covering.name
            by = visit.began - before.ended
            step = Step(visit.first, by, before.level, None, flight)
            if before.last > visit.last:  # and back, before there could be a silence
                steps.append(step._replace(ended_at=visit.last + round(picture.period)))
                continue
            if not any(one.ended_at is None and one.flight == flight for one in steps):
                steps.append(step)
        before = visit
    return steps


def _ended(step: Step, visit: Visit) -> Step:
    return step if step.ended_at is not None else step._replace(ended_at=visit.first)


def _is_step(picture: Picture, levels: Sequence[Level], before: Visit, visit: Visit, limit: int) -> bool:
    """Whether the two clocks can be compared: those of two boots cannot, nor those of two sessions, nor those on two
    sides of a time in which nobody listened, since what came after it may have waited on the way."""
    if levels[visit.level].boot != levels[before.level].boot or abs(visit.began - before.ended) <= limit:
        return False
    if visit.began < before.ended and any(before.last < one.first <= visit.first for one in picture.live):
        return False  # what is older on board after a silence was stored
    unheard = visit.first - before.last - picture.listened_between(before.last, visit.first)
    reached = picture.evidence.reached.values
    return unheard <= limit and any(
        one.starts_at <= before.last and reached.get(one, 0) >= visit.first for one in picture.sessions
    )


def _incident(picture: Picture, flight: Flight | None, steps: list[Step]) -> Incident:
    last = steps[-1]
    back_in_flight = flight is not None and last.ended_at is not None and flight.covers(last.ended_at)
    where = f"{title(flight)}: the" if flight else "The"
    return Incident(
        type=TYPE, subject=picture.vehicle.name, vehicle=picture.vehicle.name, link="", flight=last.flight,
        severity="warning", highest_severity="warning", starts_at=steps[0].at,
        episodes=tuple((step.at, step.ended_at) for step in steps),
        close_reason=None if last.ended_at is None else "resumed_in_flight" if back_in_flight else "contact_restored",
        statement=f"{where} on-board clock jumped.",
        known=tuple(
            f"On-board clock {step.by / SECOND:+.1f} s against the relay's at {instant(step.at)}"
            f"{'' if step.ended_at is None else f', as before from {instant(step.ended_at)}'}."
            for step in steps[-3:]
        ),
        not_known=("Why the clock jumped: frames do not say.",),
        evidence={"episodes": len(steps), "step_s": round(last.by / SECOND, 3)},
    )  # fmt: skip
