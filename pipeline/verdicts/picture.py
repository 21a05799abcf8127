"""What the evidence shows, in the words the rules use: silences, listening, watermark, samples. Derived, never
stored; knows no rule."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Final, NamedTuple, get_args

from pipeline.evidence.runs import Run, period_of
from pipeline.evidence.segments import Key, Points, Segment, SegmentMap, fuse
from pipeline.evidence.summary import Evidence
from pipeline.mission.model import FlightState, Mission, Vehicle
from pipeline.records import SECOND, ProductionStatus

BACKFILL_AGE: Final = 60 * SECOND
"""A session whose first record is older than this on the relay's clock than on earth's was delivered later."""


UNDELIVERED_FOR: Final = 20 * SECOND
"""So long a record of which only the sequence number is known may still be on its way."""


class Values(NamedTuple):
    """One sample. None where the vehicle does not report it."""

    at: int
    """Relay receive time; of played back samples, on-board time."""
    spacecraft_time: int | None
    altitude: float | None
    climb_rate: float | None


class SampleKey(NamedTuple):
    boot: int | None
    phase: str | None
    state: FlightState | None
    landed: bool | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames with no gap above *suspect* between them, whatever link they came by."""

    first: int
    last: int
    earliest: tuple[int, ...]
    """Relay receive times of its first frames."""


class Session(NamedTuple):
    link: str
    starts_at: int


class Picture:
    def __init__(self, evidence: Evidence, vehicle: Vehicle, mission: Mission) -> None:
        self.evidence = evidence
        self.vehicle = vehicle
        self.mission = mission
        self.timers = mission.timers

    @cached_property
    def links(self) -> tuple[str, ...]:
        """The links that have said anything yet."""
        spoke = {key[0] for key in (*self.evidence.earth.segments, *self.evidence.undelivered.segments)}
        return tuple(link.name for link in self.mission.links_of(self.vehicle.name) if link.name in spoke)

    @cached_property
    def home_links(self) -> tuple[str, ...]:
        """The links whose own alerts this vehicle's verdict speaks for: those that name it first."""
        own = {link.name for link in self.mission.links if link.vehicles[0] == self.vehicle.name}
        return tuple(link for link in self.links if link in own)

    # -- timers ------------------------------------------------------------------------------------------------

    @cached_property
    def period(self) -> float:
        """Nominal interval of the fastest real-time channel, nanoseconds; 0 where neither plan nor frames say."""
        if self.vehicle.frame_period_s is not None:
            return self.vehicle.frame_period_s * SECOND
        live = [period_of(row) for key, row in self.evidence.runs.runs.items() if key[4]]
        return min((period for period in live if period), default=0.0)

    def count_period(self, link: str, live: bool, runs: list[Run]) -> float | None:
        """Interval by which time tells how many frames of a channel are missing, nanoseconds; None where it does not:
        MAVLink messages come in bursts with pauses in which a count of 8 bits would go round."""
        managed = self.mission.link(link)
        if self.vehicle.frame_period_s is None and managed is not None and managed.format == "mavlink":
            return None
        return self.period or None if live else period_of(runs)

    def timer(self, periods: float, seconds: float) -> int:
        return round(max(periods * self.period, seconds * SECOND))

    @cached_property
    def final_before(self) -> int:
        """What ended before this instant is final: late data no longer amend it."""
        return (self.watermark or 0) - round(self.timers.late_days * 86_400 * SECOND)

    @cached_property
    def suspect(self) -> int:
        return self.timer(self.timers.suspect_periods, self.timers.suspect_seconds)

    @cached_property
    def loss(self) -> int:
        return self.timer(self.timers.loss_periods, self.timers.loss_seconds)

    # -- sessions and listening --------------------------------------------------------------------------------

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        return tuple(sorted(Session(*key) for key in self.evidence.earth.segments))

    def is_backfill(self, session: Session) -> bool:
        """Delivered later as a whole: its first record was old when it came."""
        segments = self.evidence.earth.of(session)
        first = segments[0].payload[0] if segments and segments[0].payload else ()
        return bool(first) and first[0][0] - first[0][1] > BACKFILL_AGE

    def is_over(self, session: Session) -> bool:
        return session in self.evidence.ended.values or session in self.evidence.stopped.values

    def may_fill(self, session: Session, since: int, newest: int) -> bool:
        """Whether records of the session that are still on their way may tell of the time just before `since`: some
        sequence number below the highest has not come. `newest`: the session's latest instant on the same clock."""
        records = self.evidence.records.of(session)
        is_whole = len(records) == 1 and records[0].first == 0
        return not is_whole and not self.is_over(session) and newest - since <= UNDELIVERED_FOR

    def running(self, link: str | None = None) -> list[tuple[int, int]]:
        """Intervals in which a receiver (of that link, or of any) listened with production running."""
        return fuse(
            (
                (segment.first, segment.last)
                for key, segment in self.evidence.listened.items()
                if key[2] == "running" and (link is None or key[0] == link)
            ),
            0,
        )

    def says_listening(self, session: Session) -> bool:
        """Whether its receiver writes listening records. A file that holds nothing but a vehicle's messages has none:
        then nothing is known of the time between two of them, and nothing can be said of the receiver."""
        return any(self.evidence.listened.of((*session, status)) for status in get_args(ProductionStatus))

    def watermark_of(self, link: str) -> int | None:
        """The relay receive time up to which this link's receiver is known to have listened: the end of its last
        listening record; where a session has none, its last frame."""
        marks = [interval[1] for interval in self.running(link)[-1:]]
        marks += [
            self.evidence.reached.values[session]
            for session in self.sessions
            if session.link == link and session in self.evidence.reached.values and not self.says_listening(session)
        ]
        return max(marks, default=None)

    @cached_property
    def watermark(self) -> int | None:
        """The least of the links still in session: a link in outage freezes it. Where all sessions are over, the
        highest: nobody owes anything."""
        marks = {link: self.watermark_of(link) for link in self.links}
        known = [mark for mark in marks.values() if mark is not None]
        if not known:
            return None
        latest = {session.link: session for session in self.sessions}
        waiting = [
            mark
            for link, mark in marks.items()
            if mark is not None and link in latest and not self.is_over(latest[link])
        ]
        return min(waiting) if waiting else max(known)

    @cached_property
    def _listening(self) -> tuple[list[int], list[int]]:
        mark = self.watermark
        intervals = [] if mark is None else [(a, min(b, mark)) for a, b in self.running() if a < mark]
        return [a for a, _ in intervals], [b for _, b in intervals]

    def listened_reaches(self, since: int, amount: int) -> int | None:
        """The instant at which the time listened since `since` reaches `amount`; None: not by the watermark."""
        starts, ends = self._listening
        for place in range(max(0, bisect_right(starts, since) - 1), len(starts)):
            start = max(starts[place], since)
            if ends[place] - start >= amount:
                return start + amount
            amount -= max(0, ends[place] - start)
        return None

    def listened_between(self, starts_at: int, ends_at: int) -> int:
        """Nanoseconds of [starts_at, ends_at) for which a relay is known to have listened."""
        starts, ends = self._listening
        place = max(0, bisect_right(starts, starts_at) - 1)
        total = 0
        while place < len(starts) and starts[place] < ends_at:
            total += max(0, min(ends[place], ends_at) - max(starts[place], starts_at))
            place += 1
        return total

    def owed_between(self, starts_at: int, ends_at: int) -> bool:
        """Whether a receiver says that it heard frames in (starts_at, ends_at] that have not been delivered,
        though its session goes on."""
        return any(
            end > starts_at and start < ends_at and not self.is_over(Session(link, session))
            for link, session, start, end in self.evidence.owed.values
        )

    # -- frames ------------------------------------------------------------------------------------------------

    def _stretches(self, keep: Callable[[Any], bool]) -> list[Stretch]:
        joined = SegmentMap(self.suspect)
        for key, segment in self.evidence.heard.items():
            if keep(key):
                joined.add((), *segment)
        return [Stretch(s.first, s.last, tuple(at for (at,) in s.payload[0])) for s in joined.of(())]

    @cached_property
    def heard(self) -> list[Stretch]:
        """Good frames of the vehicle on any expected channel."""
        return self._stretches(lambda key: True)

    @cached_property
    def live(self) -> list[Stretch]:
        """Good frames of its real-time channels."""
        return self._stretches(lambda key: key[1])

    @property
    def last_live_frame(self) -> int | None:
        """Relay receive time of the last good frame of a real-time channel."""
        rows = (row for key, row in self.evidence.heard.segments.items() if key[1])
        return max((row[-1].last for row in rows), default=None)

    def plays_back(self, received_at: int | None) -> bool:
        """Whether more of a log may follow whose last sample came at `received_at`: it may not be the log's last."""
        going_on = any(not self.is_over(session) for session in self.sessions)
        return received_at is not None and going_on and received_at + self.suspect > (self.watermark or 0)

    def holds_from(self, stretch: Stretch) -> int | None:
        """The resume rule: the later of its fifth frame and its first + 1 s; None where it is too short."""
        least = round(self.timers.resume_seconds * SECOND)
        frames = self.timers.resume_frames
        if len(stretch.earliest) < frames or stretch.last - stretch.first < least:
            return None
        return max(stretch.earliest[frames - 1], stretch.first + least)

    @cached_property
    def fastest_channel(self) -> Key | None:
        """The real-time channel (scid, vcid, live, modulus) of which most frames came; None before the first one."""
        live = {key: row for key, row in self.evidence.together.runs.items() if key[2]}
        return (
            max(live, key=lambda key: (sum(run.frames for run in live[key]), key))
            if len(live) > 1
            else min(live, default=None)
        )

    # -- samples -----------------------------------------------------------------------------------------------

    @cached_property
    def _in_conflict(self) -> frozenset[int]:
        return frozenset(segment.first for _, segment in self.evidence.set_aside.items())

    def _agreed(self, points: Points, negative: bool = False) -> Iterator[Values]:
        for at, *rest in points:
            at = -at if negative else at
            if at not in self._in_conflict:
                yield Values(at, *rest)

    @cached_property
    def samples(self) -> list[tuple[SampleKey, Segment]]:
        """The live samples' segments, by their beginning."""
        return sorted(((SampleKey(*key), segment) for key, segment in self.evidence.samples.items()), key=_by_beginning)

    @cached_property
    def boots(self) -> frozenset[int]:
        """Every boot count that live samples reported."""
        return frozenset(key[0] for key in self.evidence.samples.segments if key[0] is not None)

    @cached_property
    def recorded(self) -> list[tuple[SampleKey, Segment]]:
        """The played back samples' segments, by on-board time."""
        return sorted(
            ((SampleKey(*key), segment) for key, segment in self.evidence.recorded.items()), key=_by_beginning
        )

    @cached_property
    def _ends(self) -> list[tuple[SampleKey, Segment, tuple[Values, ...]]]:
        """The live samples that are kept of each segment: its first ones and its last ones."""
        return [
            (key, segment, (*self._agreed(segment.payload[0]), *self._agreed(segment.payload[1], negative=True)))
            for key, segment in self.samples
        ]

    @cached_property
    def _firsts(self) -> list[int]:
        return [segment.first for _, segment, _ in self._ends]

    @cached_property
    def _reaches(self) -> list[int]:
        """The latest instant of all segments up to each: where to begin to look for what comes after an instant."""
        return list(accumulate((segment.last for _, segment, _ in self._ends), max))

    def earliest(self, keep: Callable[[SampleKey], bool], after: int, until: int | None = None) -> list[Values]:
        """The first live samples of the kept kinds in (after, until], ascending."""
        found: dict[Values, None] = {}  # a dictionary keeps its order, where a set's depends on the process
        start = bisect_right(self._reaches, after)
        end = None if until is None else bisect_right(self._firsts, until)
        for key, segment, ends in self._ends[start:end]:
            if segment.last > after and keep(key):
                for values in ends:
                    if values.at > after and (until is None or values.at <= until):
                        found[values] = None
        return sorted(found, key=lambda values: values.at)

    def last_sample(self, at: int) -> tuple[SampleKey, Values] | None:
        """The latest live sample not after `at`."""
        best: tuple[SampleKey, Values] | None = None
        for place in range(bisect_right(self._firsts, at) - 1, -1, -1):
            if best is not None and self._reaches[place] < best[1].at:
                break
            key, segment, ends = self._ends[place]
            if best is None or segment.last >= best[1].at:
                for values in ends:
                    if values.at <= at and (best is None or values.at >= best[1].at):
                        best = key, values
        return best

    def newest_sample(self, keep: Callable[[SampleKey, Values], bool]) -> tuple[SampleKey, Values] | None:
        """The latest live sample of the kept kind; of equal ones any. Looks at the end of each row only."""
        found = [
            (SampleKey(*key), values)
            for key, row in self.evidence.samples.segments.items()
            for values in self._agreed(row[-1].payload[1], negative=True)
            if keep(SampleKey(*key), values)
        ]
        return max(found, key=lambda one: one[1].at, default=None)

    def highest(self, starts_at: int, ends_at: int | None) -> tuple[float, int] | None:
        """(metres, instant) of the highest altitude among live samples that begin in the interval."""
        found = [
            (-negative, at)
            for _, segment in self.samples
            if segment.last >= starts_at and (ends_at is None or segment.first <= ends_at)
            for negative, at in segment.payload[2]
            if at >= starts_at and (ends_at is None or at <= ends_at) and at not in self._in_conflict
        ]
        return max(found, key=lambda pair: (pair[0], -pair[1]), default=None)


def _by_beginning(item: tuple[SampleKey, Segment]) -> tuple[int, int, str]:
    return item[1].first, item[1].last, str(item[0])


def landed_rule(times: Iterable[int], frames: int, least: int) -> int | None:
    """The earlier of the `frames`-th instant and the first one at least `least` after the first; None: not met."""
    ordered = sorted(times)
    if not ordered:
        return None
    met = [at for at in ordered if at - ordered[0] >= least][:1]
    if len(ordered) >= frames:
        met.append(ordered[frames - 1])
    return min(met, default=None)
