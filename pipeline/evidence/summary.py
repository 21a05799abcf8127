"""What is known of one vehicle: the mergeable summary. Knows no rule; holds no event, no arrival and no flag.

Every field is a segment map, a map of maxima, runs of counts or bins; each joins by its own rule, so the whole
does: records may come in any order, in any grouping, and more than once.

| field         | key                              | what stands there                                     |
| heard         | link, live                       | good frames of the vehicle, idle ones too             |
| telemetry     | (none)                           | frames that carried octets of a packet                |
| samples       | boot, phase, state, landed       | values of the live channels, on the relay's clock     |
| recorded      | the same                         | values played back, on the on-board clock             |
| clock         | boot, whole seconds of on-board  | on-board time against relay time                      |
|               | minus relay time                 |                                                       |
| listened      | link, session, production status | intervals in which the receiver listened              |
| earth         | link, session                    | when records came in                                  |
| undelivered   | link, session                    | `no_delivery` records, earth time                     |
| ended         | link, session                    | `end_of_data`: its relay time                         |
| stopped       | link, session                    | the recording ended without it (1 whole, 0 cut off)   |
| reached       | link, session                    | highest relay receive time                            |
| last_sequence | link, session                    | that of the record which ended it                     |
| records       | link, session                    | sequence numbers of the records that came             |
| levels        | link                             | signal levels of listening records that heard frames  |
| reports       | link, session                    | the first listening records                           |
| owed          | link, session, start, end,       | receptions of a listening record not yet delivered    |
|               | sequence, earth receive time     |                                                       |
| bins          | link, 0.1 s                      | receptions, bad among them                            |
| runs          | link, session, scid, vcid, …     | runs of counts                                        |
| dispositions  | link, word                       | running totals of `decode`                            |
| out_of_scope  | link, scid, vcid                 | good frames of another source                         |
| set_aside     | (none)                           | instants whose values are in conflict                 |
| receiving     | link, session                    | MAVLink: good messages came, of whatever source       |
| heartbeats    | type, autopilot                  | MAVLink: HEARTBEATs of the component                  |
| readings      | message, its word                | MAVLink: what messages say, thinned to a grid         |
"""

from itertools import compress
from typing import Any, Final, NamedTuple

from pipeline.evidence.bins import BIN, CHUNK, BinMap
from pipeline.evidence.losses import HeavyLoss, Measure, Stretch
from pipeline.evidence.maxima import MaximumMap
from pipeline.evidence.on_board import JoinedSamples
from pipeline.evidence.owed import OwedMap
from pipeline.evidence.readings import Grid
from pipeline.evidence.runs import Run, RunMap, runs_in
from pipeline.evidence.segments import Key, Segment, SegmentMap, join_samples
from pipeline.evidence.stretches import clock_stretches, instants, rows_of, sample_stretches
from pipeline.evidence.views import EVER, Views
from pipeline.mission.model import Mission, Vehicle
from pipeline.packets.mavlink import Reading, is_autopilot, reading_of
from pipeline.records import SECOND
from pipeline.telemetry import ChannelFrames, Readings, Samples, Telemetry

SEGMENT_FIELDS: Final = (
    "heard", "telemetry", "samples", "recorded", "clock", "listened", "earth", "undelivered", "out_of_scope",
    "set_aside", "records", "reports", "levels", "receiving", "heartbeats",
)  # fmt: skip
TOTAL_FIELDS: Final = ("ended", "stopped", "reached", "last_sequence", "owed", "dispositions")
GRID_FIELDS: Final = ("readings",)
STORED_BY: Final = {
    "evidence": CHUNK, "sessions": CHUNK, "levels": CHUNK // 10, "runs": CHUNK // 30, "readings": CHUNK // 30,
}  # fmt: skip
"""Nanoseconds that one stored chunk of a kind spans (`stored`)."""
ENDS_SESSION: Final = frozenset(("end_of_data", "recording_ended"))
"""Kinds of record that are the last of their session."""


HEARTBEATS_NEEDED: Final = 3
"""So many of them name what a component is: one may be a lucky message of noise."""

_EVER: Final = 1 << 64
"""Nanoseconds: before and after it there is no time that a record can say."""


class OwedKey(NamedTuple):
    """The listening record that says that frames were heard: a key of `owed`, where it is stored as a plain tuple."""

    link: str
    session: int
    starts_at: int
    ends_at: int
    sequence: int = 0
    """0, as is the next, where version 0.1.0 stored it: its frames are waited for no longer."""
    earth_receive_time: int = 0


def suspect_gap(vehicle: Vehicle, mission: Mission) -> int:
    """Nanoseconds without a frame that make a silence. A constant of the mission: a join cannot depend on more."""
    timers = mission.timers
    return round(max(timers.suspect_periods * (vehicle.frame_period_s or 0.0), timers.suspect_seconds) * SECOND)


class Evidence:
    def __init__(self, vehicle: Vehicle, mission: Mission) -> None:
        self.changed: set[str] = set()
        """Names of the storage chunks that changed; whoever stores them clears it."""
        gap = suspect_gap(vehicle, mission)
        run_gap = min(gap, round(128 * vehicle.frame_period_s * SECOND)) if vehicle.frame_period_s else SECOND // 2
        silent = round(mission.timers.relay_silent_seconds * SECOND)
        self.views = Views(gap)
        views = self.views
        self.heard = SegmentMap(gap, self._touch, views.follow_heard)
        self.telemetry = SegmentMap(gap, self._touch)
        self.samples = SegmentMap(gap, self._touch, views.follow_samples, join_samples)
        self.recorded = SegmentMap(gap, self._touch, views.follow_recorded, join_samples)
        self.clock = SegmentMap(gap, self._touch, views.follow_clock)
        self.listened = SegmentMap(0, self._touch, views.follow_listened)
        self.earth = SegmentMap(silent, self._touch, views.follow_earth)
        self.undelivered = SegmentMap(silent, self._touch, views.follow_undelivered)
        self.out_of_scope = SegmentMap(gap, self._touch)
        self.set_aside = SegmentMap(0, self._touch, views.follow_set_aside)
        self.records = SegmentMap(1, follow=lambda key, gone, come: self._touch_session(key[1]))
        self.reports = SegmentMap(0, self._touch)
        self.levels = SegmentMap(0, self._touch_levels)
        self.receiving = SegmentMap(silent, self._touch, views.follow_receiving)
        self.heartbeats = SegmentMap(_EVER, self._touch)
        self.joined: JoinedSamples  # made below, of the readings that it follows
        self.readings = Grid(touch=self._touch_readings, follow=lambda at: self.joined.follow(at))
        self.joined = JoinedSamples(self.readings, vehicle.meanings, views, gap)
        self.ended = MaximumMap(_session_of, self._touch_session, views.follow_end)
        self.stopped = MaximumMap(_session_of, self._touch_session, views.follow_end)
        self.reached = MaximumMap(_session_of, self._touch_session)
        self.last_sequence = MaximumMap(_session_of, self._touch_session)
        self.owed = OwedMap(lambda key: key[2], self._touch)
        self.dispositions = MaximumMap(touch=self._touch)
        self.bins = BinMap(self._touch_bins)
        self.runs = RunMap(run_gap, self._touch_runs)
        # Derived from `runs`, so neither stored nor part of the content: what the vehicle's frames are once those that
        # two receivers heard count once, and where many of them are missing.
        self.together = RunMap(run_gap)
        """(scid, vcid, live, modulus) → runs, whatever link and session they came by."""
        self._links_of: dict[Key, set[str]] = {}
        """The same key → the links that heard the channel."""
        self._heavy_losses: dict[Key, HeavyLoss] = {}

    def _touch(self, at: int, kind: str = "evidence") -> None:
        self.changed.add(f"{kind}/{at // STORED_BY[kind]}")

    def _touch_session(self, at: int) -> None:
        self._touch(at, "sessions")

    def _touch_readings(self, at: int) -> None:
        self._touch(at, "readings")

    def _touch_levels(self, at: int) -> None:
        self._touch(at, "levels")

    def _touch_runs(self, at: int) -> None:
        self._touch(at, "runs")

    def _touch_bins(self, link: str, part: int) -> None:
        self.changed.add(f"bins/{link}/{part}")

    def absorb(self, telemetry: Telemetry) -> None:
        """Join what one record says."""
        link, session = telemetry.link, telemetry.session
        relay, earth = telemetry.relay_receive_time, telemetry.earth_receive_time
        self.records.add((link, session), telemetry.sequence, telemetry.sequence)
        if telemetry.kind == "no_delivery":
            self.undelivered.add((link, session), earth, earth)
            return
        if telemetry.kind in ENDS_SESSION:
            self.last_sequence.add((link, session), telemetry.sequence)
        if telemetry.kind == "recording_ended":
            self.stopped.add((link, session), int(telemetry.recording_whole))
            return
        self.earth.add(
            (link, session),
            earth,
            earth,
            (() if relay is None else ((earth, relay),), () if relay is None else ((-relay,),)),
        )
        if relay is not None:
            self.reached.add((link, session), relay)
        if telemetry.kind == "end_of_data" and relay is not None:
            self.ended.add((link, session), relay)
        for channel in telemetry.channels:
            self._absorb_channel(link, session, channel)
        for samples in telemetry.samples:
            self._absorb_samples(samples)
        for readings in telemetry.readings:
            self._absorb_readings(readings)
        self.joined.refresh()
        for first, last in telemetry.receiving:
            self.receiving.add((link, session), first, last)
        for stretch in instants(telemetry.told_late, self.telemetry.gap):
            self.telemetry.add((), *stretch)
        for at in telemetry.set_aside:
            self.set_aside.add((), at, at)
        for source in telemetry.out_of_scope:
            for stretch in instants(source.times, self.out_of_scope.gap):
                self.out_of_scope.add((link, source.scid, source.vcid), *stretch)
        for word, total in telemetry.dispositions.items():
            self.dispositions.add((link, word), total)
        if telemetry.late:
            self.dispositions.add((link, "late"), telemetry.late)
        self._absorb_reception(telemetry)

    def mark_of(self, link: str) -> int | None:
        """The relay receive time up to which the link's receiver is known to have listened: the end of its last
        listening record; where a session has none, its last frame. None: nothing says so."""
        listened, reached = self.views.running.of((link,)), self.reached.values
        marks = [reached[key] for key in self.views.unreported if key[0] == link and key in reached]
        if listened:
            marks.append(listened[-1].last)
        return max(marks, default=None)

    def clock_of(self, link: str) -> tuple[int, int]:
        """What `watch` judges by: how far the link's listening is known, in a session without listening records to a
        second; and the second of the earth's clock."""
        mark, listened = self.mark_of(link), self.views.running.of((link,))
        if mark is None:
            mark = -EVER
        elif not listened or mark != listened[-1].last:
            mark -= mark % SECOND
        return mark, self.views.earth // SECOND

    def is_complete(self, link: str, session: int) -> bool:
        """Whether every record of the session is here, in whatever order they came."""
        last = self.last_sequence.values.get((link, session))
        records = self.records.of((link, session))
        return last is not None and bool(records) and records[0].first == 0 and records[0].last >= last

    def _absorb_reception(self, telemetry: Telemetry) -> None:
        """What was heard, good or bad, and what the receiver says it heard."""
        link, session = telemetry.link, telemetry.session
        for number, heard, bad in telemetry.bins:
            self.bins.add(link, number, heard, bad)
        if telemetry.listened is not None:
            report = telemetry.listened
            self.listened.add((link, session, report.production_status), report.starts_at, report.ends_at)
            self.reports.add((link, session), session, session, (((report.ends_at,),),))
            if report.signal_level_dbm is not None and report.frames_heard:
                self.levels.add((link,), report.ends_at, report.ends_at, (((report.signal_level_dbm,),),))
            if report.frames_heard:
                listening = report.starts_at, report.ends_at, telemetry.sequence, telemetry.earth_receive_time
                self.owed.add((link, session, *listening), report.frames_heard)
        if telemetry.bins:
            touched = [number for number, _, _ in telemetry.bins]
            self._settle(link, min(touched) * BIN, (max(touched) + 1) * BIN)
        if telemetry.listened is not None:
            self._settle(link, telemetry.listened.starts_at, telemetry.listened.ends_at)

    def _absorb_channel(self, link: str, session: int, channel: ChannelFrames) -> None:
        times, modulus = channel.times, channel.modulus
        for stretch in instants(times, self.heard.gap):
            self.heard.add((link, channel.live), *stretch)
        carrying = times if all(channel.telemetry) else tuple(compress(times, channel.telemetry))
        for stretch in instants(carrying, self.telemetry.gap):
            self.telemetry.add((), *stretch)
        key = (link, session, channel.scid, channel.vcid, channel.live, modulus)
        for run in runs_in(times, channel.counts, modulus, self.runs.gap):
            self.add_run(key, run)

    def add_run(self, key: Key, run: Run) -> None:
        """Join a run of counts, and what the vehicle's frames are by it."""
        self.runs.add(key, key[-1], run)
        channel = key[2:]
        links = self._links_of.setdefault(channel, set())
        links.add(key[0])
        if len(links) == 1 or self.together.is_tolerant(channel):
            self.together.add(channel, key[-1], run)
            return
        self.together.tolerate(channel)
        for of_key, row in self.runs.runs.items():
            if of_key[2:] == channel:
                for known in row:
                    self.together.add(channel, key[-1], known)

    def _absorb_samples(self, samples: Samples) -> None:
        place, rows = self.samples if samples.live else self.recorded, rows_of(samples)
        for key, stretch in sample_stretches(rows, place.gap, live=samples.live):
            place.add(key, *stretch)
        if samples.live:
            for key, stretch in clock_stretches(rows, self.clock.gap):
                self.clock.add(key, *stretch)

    def _absorb_readings(self, readings: Readings) -> None:
        clock: list[tuple[int, int]] = []
        for at, message, words in zip(readings.times, readings.messages, readings.words, strict=True):
            reading = reading_of(message, words)
            self.readings.add((message, _word_of(reading)), (at, *words))
            if reading.vehicle_type is not None and reading.autopilot is not None:
                self.heartbeats.add((reading.vehicle_type, reading.autopilot), at, at, (((at,),),))
            if reading.time_boot_ms is not None:
                clock.append((at, reading.time_boot_ms * 1_000_000))
        if clock:
            clock.sort()
            times, onboard = zip(*clock, strict=True)
            nothing = (None,) * len(clock)
            for key, stretch in clock_stretches((times, onboard, nothing, nothing, nothing), self.clock.gap):
                self.clock.add(key, *stretch)

    @property
    def is_autopilot(self) -> bool:
        """Whether HEARTBEATs say that this MAVLink component flies, drives or dives its system."""
        return any(
            len(segments[0].payload[0]) >= HEARTBEATS_NEEDED and is_autopilot(*key)
            for key, segments in self.heartbeats.segments.items()
        )

    def _settle(self, link: str, since: int = -_EVER, until: int = _EVER) -> None:
        """Drop what is no longer owed in the intervals that [since, until] touches. Receptions only grow, so what is
        settled stays so, and dropping it early or late makes the same evidence."""
        # A bin is touched also by an interval that only reaches into it.
        for key in list(self.owed.reaching(since - BIN - 1, until + BIN + 1, link)):
            owed = OwedKey(*key)
            if self.bins.count(link, owed.starts_at, owed.ends_at)[0] >= self.owed.values[key]:
                self.owed.remove(key)

    def merge(self, other: "Evidence") -> None:
        """self ⊔ other, into self."""
        for name in (*SEGMENT_FIELDS, *TOTAL_FIELDS, *GRID_FIELDS, "bins"):
            getattr(self, name).merge(getattr(other, name))
        self.joined.refresh()
        for key, row in other.runs.runs.items():
            for run in row:
                self.add_run(key, run)
        for link in {key[0] for key in self.owed.values}:
            self._settle(link)

    def content(self) -> dict[str, Any]:
        """All of it in one order that does not depend on how it came to be: equal evidence, equal content."""
        whole: dict[str, Any] = {
            name: sorted((repr(key), *segment) for key, segment in getattr(self, name).items())
            for name in SEGMENT_FIELDS
        }
        for name in TOTAL_FIELDS:
            whole[name] = sorted((repr(key), value) for key, value in getattr(self, name).values.items())
        for name in GRID_FIELDS:
            whole[name] = sorted((repr(key), repr(point)) for key, point in getattr(self, name).items())
        whole["runs"] = sorted((repr(key), tuple(row)) for key, row in self.runs.runs.items())
        whole["bins"] = sorted((key, rows.tobytes()) for key, rows in self.bins.items())
        return whole

    def stretches(self, gap: int, *, live: bool) -> list[Segment]:
        """Where frames came with no more than `gap` between them, by whatever link; of the live channels only."""
        if gap == self.views.heard.gap:
            return self.views.heard.of(live)
        joined = SegmentMap(gap)
        for segment in self.views.heard.of(live):
            joined.add((), *segment)
        return joined.of(())

    def heavy_losses(self, key: Key, measure: Measure) -> list[Stretch]:
        """Where frames of one channel of `together` were missing in numbers."""
        known = self._heavy_losses.get(key)
        if known is None or known.measure != measure:
            known = self._heavy_losses[key] = HeavyLoss(measure)
        gaps = self.together.gaps(key, measure.period)
        found = known.stretches(gaps.found, gaps.unchanged)
        gaps.unchanged = len(gaps.found)
        return found


def _word_of(reading: Reading) -> str:
    """What a message says in one word: of two words in one cell of the grid neither hides the other."""
    return str(reading.landed_state if reading.armed is None else reading.armed)


def _session_of(key: Key) -> int:
    return int(key[1])
