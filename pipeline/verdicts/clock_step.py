"""The on-board clock jumped: from one frame to the next it went on by much more or less than the relay's clock. It is
over when the clock agrees again with what it said before. A clock that a restart set back is no step."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.restarts import restarts_of
from pipeline.verdicts.words import instant, title

TYPE: Final = "clock_step"
STEP_PERIODS: Final = 20
STEP_SECONDS: Final = 2.0
SEEN_FRAMES: Final = 3
SEEN_NANOSECONDS: Final = SECOND


@dataclass(slots=True, kw_only=True)
class Level:
    """On-board time minus relay time, of one boot: where the clock was, and where it came to by slow change."""

    boot: int | None
    settled: int
    """While the clock ran."""
    now: int = 0
    """Also where it has stood still since."""
    onboard: int = 0
    """What the clock said last."""

    def agrees(self, boot: int | None, offset: int, limit: int) -> bool:
        return boot == self.boot and min(abs(offset - self.settled), abs(offset - self.now)) <= limit


@dataclass(slots=True, kw_only=True)
class Visit:
    """The clock was at one level without being elsewhere."""

    level: Level
    first: int
    last: int
    times: set[int] = field(default_factory=set)
    """Some of its samples' times."""

    def seen_at(self) -> int | None:
        """When it was more than a lucky frame of noise; None: it was not."""
        third = sorted(self.times)[SEEN_FRAMES - 1 :][:1]
        long = [self.first + SEEN_NANOSECONDS] if self.last - self.first >= SEEN_NANOSECONDS else []
        return min([*third, *long], default=None)


class Step(NamedTuple):
    at: int
    by: int
    """Nanoseconds; forward is positive."""
    former: Level
    ended_at: int | None
    flight: str


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    by_flight: dict[str, list[Step]] = {}
    for step in _steps(picture, flights):
        by_flight.setdefault(step.flight, []).append(step)
    for name, steps in by_flight.items():
        yield _incident(picture, next((one for one in flights if one.name == name), None), steps)


def _visits(picture: Picture, limit: int) -> list[Visit]:
    """Where the clock was, one after the other, as far as the watermark and without lucky frames."""
    mark = picture.watermark or 0
    clock = [(key[0], segment) for key, segment in picture.evidence.clock.items() if segment.first <= mark]
    levels: list[Level] = []
    visits: list[Visit] = []
    for boot, (first, last, (earliest, latest, furthest)) in sorted(clock, key=lambda one: (one[1], str(one[0]))):
        offset = earliest[0][1] - first
        level = next((one for one in reversed(levels) if one.agrees(boot, offset, limit)), None)
        if level is None:
            level = Level(boot=boot, settled=offset)
            levels.append(level)
        elif earliest[0][1] != level.onboard:
            level.settled = offset
        level.onboard = latest[0][1]
        level.now = level.onboard - last
        times = {point[0] for point in earliest} | {-point[0] for point in latest} | {point[1] for point in furthest}
        visits.append(Visit(level=level, first=first, last=last, times=times))
    confirmed = [one for one in _joined(visits) if (seen_at := one.seen_at()) is not None and seen_at <= mark]
    return _joined(confirmed)


def _joined(visits: Iterable[Visit]) -> list[Visit]:
    """Visits of one level that follow one another made one."""
    joined: list[Visit] = []
    for visit in visits:
        if joined and joined[-1].level is visit.level:
            joined[-1].last = max(joined[-1].last, visit.last)
            joined[-1].times |= visit.times
        else:
            joined.append(visit)
    return joined


def _steps(picture: Picture, flights: tuple[Flight, ...]) -> list[Step]:
    limit = picture.timer(STEP_PERIODS, STEP_SECONDS)
    visits = _visits(picture, limit)
    restarts = {restart.at for restart in restarts_of(picture)} if len(visits) > 1 else set()
    steps: list[Step] = []
    before: Visit | None = None
    for visit in visits:
        if before is not None and before.last > visit.first and visit.last - visit.first > picture.suspect:
            continue  # two clocks at once are two sources, and no step
        is_back = any(one.ended_at is None and one.former is visit.level for one in steps)
        if is_back:
            steps = [_ended(one, visit) if one.former is visit.level else one for one in steps]
        elif before is not None and _is_step(picture, before, visit, limit) and visit.first not in restarts:
            flight = next((one.name for one in flights if one.covers(visit.first)), "")
            step = Step(visit.first, visit.level.settled - before.level.settled, before.level, None, flight)
            if before.last > visit.last:  # and back, before there could be a silence
                steps.append(step._replace(ended_at=visit.last + round(picture.period)))
                continue
            if not any(one.ended_at is None and one.flight == flight for one in steps):
                steps.append(step)
        before = visit
    return steps


def _ended(step: Step, visit: Visit) -> Step:
    return step if step.ended_at is not None else step._replace(ended_at=visit.first)


def _is_step(picture: Picture, before: Visit, visit: Visit, limit: int) -> bool:
    """Whether the two clocks can be compared: those of two boots cannot, nor those of two sessions, nor those on two
    sides of a time in which nobody listened, since what came after it may have waited on the way."""
    unheard = visit.first - before.last - picture.listened_between(before.last, visit.first)
    reached = picture.evidence.reached.values
    return (
        visit.level.boot == before.level.boot
        and unheard <= limit
        and any(one.starts_at <= before.last and reached.get(one, 0) >= visit.first for one in picture.sessions)
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
        evidence={"episodes": len(steps), "step_s": last.by / SECOND},
    )  # fmt: skip
