"""What the evidence shows, in the words the rules use: silences, listening, watermark, samples. Derived, never
stored; knows no rule."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from pipeline.evidence.runs import REPEATED_WITHIN, Run, period_of
from pipeline.evidence.samples import SampleKey, SampleLine, Values
from pipeline.evidence.segments import Key, Segment, fuse, join_payloads
from pipeline.evidence.summary import Evidence, OwedKey
from pipeline.evidence.views import EVER
from pipeline.mission.model import FlightState, Mission, Vehicle
from pipeline.records import LISTENED_TO_COUNT, SECOND

BACKFILL_AGE: Final = 60 * SECOND
"""A session whose first record is older than this on the relay's clock than on earth's was delivered later."""


UNDELIVERED_FOR: Final = 20 * SECOND
"""So long a record of which only the sequence number is known may still be on its way."""


USUAL_PAUSES: Final = 4
LONGEST_LOSS: Final = 120 * SECOND
"""So many usual pauses without a frame are a loss, and at the latest so long a time."""


STEP_PERIODS: Final = 20
STEP_SECONDS: Final = 2.0


class Limits(NamedTuple):
    """Nanoseconds (SCENARIOS.md, "The usual pause")."""

    suspect: int
    loss: int
    resume: int


class Session(NamedTuple):
    link: str
    starts_at: int


T = TypeVar("T")


class Reported(NamedTuple):
    """What a vehicle last said of itself, and when it said so (relay receive time). None: never."""

    phase: str | None
    state: FlightState | None
    told_at: int | None
    """Of phase and state."""
    altitude: float | None
    altitude_at: int | None
    climb_rate: float | None
    climb_rate_at: int | None


class Picture:
    def __init__(self, evidence: Evidence, vehicle: Vehicle, mission: Mission, judged_until: int | None = None) -> None:
        """`judged_until`: the watermark that was reached while a link was given up; it does not fall when that link
        speaks again."""
        self.evidence = evidence
        self.views = evidence.views
        self.vehicle = vehicle
        self.mission = mission
        self.timers = mission.timers
        self._found: dict[Hashable, Any] = {}
        # What every rule asks for is found at once.
        self.period: Final = self._period()
        """Nominal interval of the fastest real-time channel, nanoseconds; 0 where neither plan nor frames say."""
        self.suspect: Final = self.timer(self.timers.suspect_periods, self.timers.suspect_seconds)
        self.loss: Final = self.timer(self.timers.loss_periods, self.timers.loss_seconds)
        self._usual = self._usual_pauses()
        self.links: Final = self._links()
        """The links that have said anything yet."""
        self.marks: Final = {link: evidence.mark_of(link) for link in self.links}
        """Link → the relay receive time up to which its receiver is known to have listened; None: nothing says so."""
        self.given_up: Final = self._given_up()
        """Links that have said nothing for so long, while another one went on, that they are waited for no longer."""
        self.watermark: Final = self._watermark(judged_until)
        """The least of the links still in session: a link in outage freezes it. Where all sessions are over, the
        highest: nobody owes anything."""

    def _links(self) -> tuple[str, ...]:
        spoke = {*self.views.latest, *(link for link, _ in self.evidence.undelivered.segments)}
        return tuple([link.name for link in self.mission.links_of(self.vehicle.name) if link.name in spoke])

    @cached_property
    def home_links(self) -> tuple[str, ...]:
        """The links whose own alerts this vehicle's verdict speaks for: those that name it first."""
        own = {link.name for link in self.mission.links if link.vehicles[0] == self.vehicle.name}
        return tuple(link for link in self.links if link in own)

    def once(self, name: Hashable, reckon: Callable[[], T]) -> T:
        """What `reckon` gives: several rules ask for it. A picture never changes."""
        if name not in self._found:
            self._found[name] = reckon()
        return self._found[name]  # type: ignore[no-any-return]

    # -- timers ------------------------------------------------------------------------------------------------

    def _period(self) -> float:
        if self.vehicle.frame_period_s is not None:
            return self.vehicle.frame_period_s * SECOND
        live = [totals.period for key, totals in self.evidence.runs.totals.items() if key[4]]
        return min((period for period in live if period), default=0.0)

    def count_period(self, link: str, live: bool, runs: list[Run]) -> float | None:
        """Interval by which time tells how many frames of a channel are missing, nanoseconds; None where it does not:
        MAVLink messages come in bursts with pauses in which a count of 8 bits would go round."""
        managed = self.mission.link(link)
        if managed is not None and managed.format == "mavlink":
            return None
        return self.period or None if live else period_of(runs)

    def _usual_pauses(self) -> list[int]:
        """For each bunch of live frames; empty where no pause is usual. Where the mission gives a period none is."""
        if self.vehicle.frame_period_s is not None:
            return []
        pauses = self.views.pauses
        pauses.follow(self.views.heard.of(True))
        return pauses.usual if any(pauses.usual) else []

    def limits(self, at: int) -> Limits:
        """What makes a silence that begins at an instant, by the pauses that were usual up to then."""
        place = bisect_right(self.views.heard.of(True), at, key=_first_of) - 1 if self._usual else -1
        usual = self._usual[place] if place >= 0 else 0
        loss = min(max(self.loss, USUAL_PAUSES * usual), max(self.loss, LONGEST_LOSS))
        scale = loss / self.loss
        return Limits(round(self.suspect * scale), loss, round(self.timers.resume_seconds * SECOND * scale))

    def _fused(self, stretches: list[Segment]) -> list[Segment]:
        """Stretches of frames with no gap above *suspect* between them, as it was at their ends."""
        if not self._usual:
            return stretches
        fused: list[Segment] = []
        for stretch in stretches:
            if fused and stretch.first - fused[-1].last <= self.limits(fused[-1].last).suspect:
                payload = join_payloads(fused[-1].payload, stretch.payload)
                fused[-1] = Segment(fused[-1].first, max(fused[-1].last, stretch.last), payload)
            else:
                fused.append(stretch)
        return fused

    def timer(self, periods: float, seconds: float) -> int:
        return round(max(periods * self.period, seconds * SECOND))

    @property
    def final_before(self) -> int:
        """What ended before this instant is final: late data no longer amend it."""
        return (self.watermark or 0) - round(self.timers.late_days * 86_400 * SECOND)

    # -- sessions and listening --------------------------------------------------------------------------------

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        return tuple(Session(*key) for key in self.views.sessions)

    def session_after(self, session: Session) -> Session | None:
        """The link's next one."""
        sessions = self.views.sessions
        place = bisect_right(sessions, session)
        following = [Session(*key) for key in sessions[place : place + 1] if key[0] == session.link]
        return following[0] if following else None

    @cached_property
    def contacts(self) -> tuple[tuple[int, int], ...]:
        """Intervals of the relay's clock from a session's start to the last that is known of it. Those of several
        links that overlap are one, and so are those that follow each other within *suspect*."""
        ends = {session: session.starts_at for session in self.sessions}
        known = [*self.evidence.reached.values.items()]
        known += [(key[:2], segment.last) for key, segment in self.evidence.listened.items()]
        for key, last in known:
            session = Session(*key)
            ends[session] = max(ends.get(session, session.starts_at), last)
        return tuple(fuse(((session.starts_at, last) for session, last in ends.items()), self.suspect))

    def is_backfill(self, session: Session) -> bool:
        """Delivered later as a whole: its first record was old when it came."""
        segments = self.evidence.earth.of(session)
        first = segments[0].payload[0] if segments and segments[0].payload else ()
        return bool(first) and first[0][0] - first[0][1] > BACKFILL_AGE

    @cached_property
    def backfilled(self) -> list[tuple[int, int]]:
        """When receivers listened with production running whose sessions were delivered later."""
        return [
            (stretch.first, stretch.last)
            for session in self.sessions
            if self.is_backfill(session)
            for stretch in self.evidence.listened.of((*session, "running"))
        ]

    def is_over(self, session: tuple[str, int]) -> bool:
        return session in self.views.over

    def may_fill(self, session: Session, since: int, newest: int) -> bool:
        """Whether records of the session that are still on their way may tell of the time just before `since`: some
        sequence number below the highest has not come. `newest`: the session's latest instant on the same clock."""
        if newest - since > UNDELIVERED_FOR or self.is_over(session):
            return False
        records = self.evidence.records.of(session)
        return len(records) != 1 or records[0].first != 0

    def says_listening(self, session: Session) -> bool:
        """Whether its receiver writes listening records. A file that holds nothing but a vehicle's messages has none:
        then nothing is known of the time between two of them, and nothing can be said of the receiver."""
        return session in self.views.reporting

    def _watermark(self, judged_until: int | None) -> int | None:
        known = {link: mark for link, mark in self.marks.items() if mark is not None}
        waiting = [
            mark
            for link, mark in known.items()
            if link in self._receivers and link not in self.given_up and not self.is_over(self._receivers[link])
        ]
        mark = min(waiting, default=max(known.values(), default=None))
        return mark if judged_until is None or mark is None else max(mark, judged_until)

    @cached_property
    def _receivers(self) -> dict[str, Session]:
        """Link → its latest session that is known to be a receiver's: one stray record is none."""
        found: dict[str, Session] = {}
        for link in self.links:
            of_link = (Session(*key) for key in reversed(self.views.sessions) if key[0] == link)
            session = next((one for one in of_link if self._is_receiver(one)), None)
            if session is not None:
                found[link] = session
        return found

    def _is_receiver(self, session: Session) -> bool:
        """A good frame, or some listening records."""
        reports = self.evidence.reports.of(session)
        if reports and len(reports[0].payload[0]) >= LISTENED_TO_COUNT:
            return True
        return any(key[:2] == session for key in self.evidence.runs.runs)

    def _given_up(self) -> frozenset[str]:
        """On the earth clock, against the link that spoke last: so the last one is never given up."""
        last_word = {
            link: arrivals[-1].last
            for link, session in self._receivers.items()
            if (arrivals := self.evidence.earth.of(session))
        }
        now = max(last_word.values(), default=0)
        return frozenset(
            link
            for link, at in last_word.items()
            if now - at > self.given_up_after and not self.is_over(self._receivers[link])
        )

    @property
    def given_up_after(self) -> int:
        """Nanoseconds of the earth clock."""
        return round(self.timers.given_up_minutes * 60 * SECOND)

    def listened_reaches(self, since: int, amount: int, until: int | None = None) -> int | None:
        """The instant at which the time listened since `since` reaches `amount`; None: not by the watermark, or not
        by `until`."""
        for first, last in self._listened_from(since):
            start = max(first, since)
            if last - start >= amount:
                return start + amount
            amount -= max(0, last - start)
            if until is not None and last >= until:
                break
        return None

    def listened_between(self, starts_at: int, ends_at: int) -> int:
        """Nanoseconds of [starts_at, ends_at) for which a relay is known to have listened."""
        total = 0
        for first, last in self._listened_from(starts_at):
            if first >= ends_at:
                break
            total += max(0, min(last, ends_at) - max(first, starts_at))
        return total

    def _listened_from(self, since: int) -> Iterator[tuple[int, int]]:
        """When a receiver listened with production running, up to the watermark: that in which `since` lies or that
        before it, and all later ones."""
        mark, row = self.watermark, self.views.running.of(())
        if mark is not None:
            for place in range(max(0, bisect_right(row, since, key=_first_of) - 1), len(row)):
                first, last, _ = row[place]
                if first >= mark:
                    return
                yield first, min(last, mark)

    def owed_between(self, starts_at: int, ends_at: int) -> bool:
        """Whether a receiver says that it heard frames in (starts_at, ends_at] that have not been delivered and may
        still come."""
        return any(self._may_come(owed) for owed, _ in self._owed_in(starts_at, ends_at))

    def undelivered_between(self, starts_at: int, ends_at: int) -> int:
        """How many frames receivers heard, by their own word, in listening records that reach into (starts_at, ends_at]
        and that did not come."""
        return sum(self._undelivered(owed, heard) for owed, heard in self._owed_in(starts_at, ends_at))

    def lost_after_receiver(self, link: str) -> int:
        """Frames that the link's receiver heard, that did not come and are no longer waited for."""
        return sum(
            self._undelivered(owed, heard)
            for owed, heard in self._owed()
            if owed.link == link and not self._may_come(owed)
        )

    def _owed(self) -> Iterator[tuple[OwedKey, int]]:
        """Listening records that heard more frames than came, and how many they heard."""
        return ((OwedKey(*key), heard) for key, heard in self.evidence.owed.values.items())

    def _owed_in(self, starts_at: int, ends_at: int) -> Iterator[tuple[OwedKey, int]]:
        values = self.evidence.owed.values
        return ((OwedKey(*key), values[key]) for key in self.evidence.owed.reaching(starts_at, ends_at))

    def _undelivered(self, owed: OwedKey, heard: int) -> int:
        return heard - self.evidence.bins.count(owed.link, owed.starts_at, owed.ends_at)[0]

    def _may_come(self, owed: OwedKey) -> bool:
        """A record that is still on its way may bring them: some record of the session before this one has not come,
        and not much has come since."""
        session = Session(owed.link, owed.session)
        if self.is_over(session):
            return False
        records = self.evidence.records.of(session)
        if records and records[0].first == 0 and records[0].last >= owed.sequence:
            return False
        arrivals = self.evidence.earth.of(session)
        return not arrivals or arrivals[-1].last - owed.earth_receive_time <= UNDELIVERED_FOR

    # -- frames ------------------------------------------------------------------------------------------------

    @cached_property
    def heard(self) -> list[Segment]:
        """Stretches of good frames of the vehicle on any expected channel, whatever link they came by, with no gap
        above *suspect*."""
        return self._fused(self.evidence.stretches(self.suspect, live=False))

    @cached_property
    def live(self) -> list[Segment]:
        """The same of its real-time channels only."""
        return self._fused(self.evidence.stretches(self.suspect, live=True))

    @property
    def last_live_frame(self) -> int | None:
        """Relay receive time of the last good frame of a real-time channel."""
        rows = (row for key, row in self.evidence.heard.segments.items() if key[1])
        return max((row[-1].last for row in rows), default=None)

    def plays_back(self, received_at: int | None) -> bool:
        """Whether more of a log may follow whose last sample came at `received_at`: it may not be the log's last."""
        if received_at is None or not self.views.going_on:
            return False
        return received_at + self.suspect > (self.watermark or 0)

    def holds_from(self, stretch: Segment) -> int | None:
        """The resume rule: the later of its fifth frame and its first + 1 s; None where it is too short."""
        least = self.limits(stretch.first - 1).resume
        (earliest,) = stretch.payload
        frames = self.timers.resume_frames
        if len(earliest) < frames or stretch.last - stretch.first < least:
            return None
        return int(max(earliest[frames - 1][0], stretch.first + least))

    @cached_property
    def fastest_channel(self) -> Key | None:
        """The real-time channel (scid, vcid, live, modulus) of which most frames came; None before the first one."""
        frames = {key: totals.frames for key, totals in self.evidence.together.totals.items() if key[2]}
        return max(frames, key=lambda key: (frames[key], key), default=None)

    @cached_property
    def step(self) -> int:
        """Nanoseconds: an on-board clock that is further from where it should be has stepped, or what it is read from
        was stored."""
        return self.timer(STEP_PERIODS, STEP_SECONDS)

    # -- samples -----------------------------------------------------------------------------------------------

    def earliest(
        self, line: SampleLine, after: int, until: int | None = None,
        wanted: Callable[[SampleKey], bool] | None = None,
    ) -> Iterator[Values]:  # fmt: skip
        """The first samples of a line of `views` in (after, until], ascending; only those of the wanted keys."""
        if line.reach > after:
            yield from line.samples(self.views.in_conflict, after, until, wanted)

    def last_reported(self, at: int) -> "Reported":
        """What was last reported up to an instant, each value by itself: what says nothing of one hides nothing."""
        latest, conflict = self.views.samples.latest, self.views.in_conflict

        def last(wanted: Callable[[SampleKey, Values], bool]) -> tuple[SampleKey, Values] | None:
            return latest(conflict, at, wanted)

        told = last(lambda key, values: key.phase is not None or key.state is not None)
        height = self.last_altitude(at)
        rate = last(lambda key, values: values.climb_rate is not None)
        return Reported(
            phase=told[0].phase if told else None, state=told[0].state if told else None,
            told_at=told[1].at if told else None,
            altitude=height[1] if height else None, altitude_at=height[0] if height else None,
            climb_rate=rate[1].climb_rate if rate else None, climb_rate_at=rate[1].at if rate else None,
        )  # fmt: skip

    def last_altitude(self, at: int) -> tuple[int, float] | None:
        """The last one reported up to an instant, and when (relay receive time)."""
        sample = self.views.samples.latest(
            self.views.in_conflict, at, lambda key, values: values.altitude is not None
        )  # fmt: skip
        return None if sample is None or sample[1].altitude is None else (sample[1].at, sample[1].altitude)

    def last_on_board(self, at: int) -> tuple[int | None, int | None]:
        """(boot count, on-board time) as last reported up to an instant."""
        latest, conflict = self.views.samples.latest, self.views.in_conflict
        boot = latest(conflict, at, lambda key, values: key.boot is not None)
        clock = latest(conflict, at, lambda key, values: values.spacecraft_time is not None)
        return boot[0].boot if boot else None, clock[1].spacecraft_time if clock else None

    def last_sample(self, at: int) -> tuple[SampleKey, Values] | None:
        """The latest live sample not after `at`."""
        return self.views.samples.latest(self.views.in_conflict, at)

    def newest_sample(self, keep: Callable[[SampleKey, Values], bool]) -> tuple[SampleKey, Values] | None:
        """The latest live sample of the kept kind."""
        return self.views.samples.latest(self.views.in_conflict, EVER, keep)

    def highest(self, starts_at: int, ends_at: int | None) -> tuple[float, int] | None:
        """(metres, instant) of the highest altitude among live samples that begin in the interval."""
        views = self.views
        found = [
            (-negative, at)
            for entry in views.samples.reaching(starts_at - 1, ends_at)
            for negative, at in entry.segment.payload[2]
            if at >= starts_at and (ends_at is None or at <= ends_at) and at not in views.in_conflict
        ]
        return max(found, key=lambda pair: (pair[0], -pair[1]), default=None)


def _first_of(stretch: Segment) -> int:
    return stretch.first


class Frames:
    """Counts frames by their samples. Those of one instant are of one frame; so are those of one on-board time, which
    several receivers heard. Without an on-board time two frames are further apart than two reports of one."""

    def __init__(self) -> None:
        self.count = 0
        self._last: int | None = None
        self._onboard: set[int] = set()

    def take(self, at: int, onboard: int | None) -> int:
        """One more sample, not earlier than those before; how many frames there are with it."""
        if onboard is None:
            is_new = self._last is None or at - self._last > REPEATED_WITHIN
        else:
            is_new = at != self._last and onboard not in self._onboard
            self._onboard.add(onboard)
        if is_new:
            self.count += 1
            self._last = at
        return self.count


def landed_rule(samples: Iterable[tuple[int, int | None]], frames: int, least: int) -> int | None:
    """When landing was confirmed by samples (relay receive time, on-board time) in ascending order: by the `frames`-th
    frame, or by the first instant at least `least` after the first. None: not yet."""
    first: int | None = None
    counted = Frames()
    for at, onboard in samples:
        first = at if first is None else first
        if counted.take(at, onboard) >= frames or at - first >= least:
            return at
    return None
