"""The readings of one MAVLink component, read together in the order of time: an index of samples over them. Derived:
it follows the readings, is made anew from the earliest instant of which something is new, and is never stored or
joined."""

from bisect import bisect_left
from typing import Final, NamedTuple

from pipeline.evidence.readings import Grid
from pipeline.evidence.samples import Entry, SampleKey, Values
from pipeline.evidence.segments import POINTS_KEPT, Key, Point, Segment, of_frames
from pipeline.evidence.views import EVER, Views
from pipeline.mission.model import Meanings
from pipeline.packets.mavlink import MOVED_WITHIN, MOVING_RATE, OnBoard, flies, learn, reading_of
from pipeline.packets.values import Sample, sample
from pipeline.records import SECOND

LONGEST: Final = 32
"""So many samples at most are one entry: what is made anew with the next reading does not grow with a flight."""


class Row(NamedTuple):
    """A reading, and what is known once it has come."""

    at: int
    key: Key
    point: Point
    known: OnBoard
    sample: Sample | None


class JoinedSamples:
    __slots__ = ("_gap", "_meanings", "_readings", "_rows", "_views", "new_since")

    def __init__(self, readings: Grid, meanings: Meanings, views: Views, gap: int) -> None:
        self._readings: Final = readings
        self._meanings: Final = meanings
        self._views: Final = views
        self._gap: Final = gap
        self._rows: list[Row] = []
        self.new_since = EVER
        """The earliest instant of which something is new; EVER: of none."""

    def follow(self, at: int) -> None:
        self.new_since = min(self.new_since, at)

    def refresh(self) -> None:
        """Bring the lines of `views` up to the readings."""
        if self.new_since == EVER:
            return
        rows = self._rows
        # What comes within MOVED_WITHIN decides whether a word that the vehicle is landed counts.
        since = self.new_since - MOVED_WITHIN
        start = bisect_left(rows, since, key=_at)
        known = rows[start - 1].known if start else OnBoard()
        del rows[start:]
        self.new_since = EVER
        points = sorted(
            ((point[0], key, point) for key, point in self._readings.between(since, EVER)),
            key=lambda one: (one[0], one[1], repr(one[2])),
        )
        for at, key, point in points:
            reading = reading_of(key[0], point[1:])
            learnt = learn(known, reading, at)
            known = learnt.known
            if learnt.contradicts_until is not None:
                self._contradict(at, learnt.contradicts_until)
            rows.append(Row(at, key, point, known, self._sample(learnt.values, known, is_word=learnt.is_landed_word)))
        self._show(start, since)

    def _sample(self, values: dict[str, float | str | bool], known: OnBoard, *, is_word: bool) -> Sample | None:
        found = sample(self._meanings, values)
        if found is None:
            return None
        if not flies(known.vehicle_type):
            return found._replace(state=None if found.state == "flight" else found.state, landed=None)
        if known.is_contradicted and found.state == "ground":
            found = found._replace(state=None, landed=None)
        # Only the message that says so counts as a word that it is landed: what is read from others later is no more.
        return found if is_word else found._replace(landed=None)

    def _contradict(self, at: int, until: int) -> None:
        """Words from the last MOVED_WITHIN and before `until` that the vehicle is landed do not count where it moved as
        soon as they had come. Where it stood for a while first they were true, and it took off since."""
        for place in range(len(self._rows) - 1, -1, -1):
            row = self._rows[place]
            if row.at < at - MOVED_WITHIN:
                return
            said = row.sample
            by_word = row.known.armed is False or row.known.landed_state == "on_ground"
            if row.at <= until and by_word and said is not None and self._moved_at_once(place):
                self._rows[place] = row._replace(sample=said._replace(state=None, landed=None))

    def _moved_at_once(self, place: int) -> bool:
        """Whether the altitude changed in the second after a row; where none came in it, by the next one."""
        at, recent = self._rows[place].at, self._rows[place].known.recent
        later: tuple[int, float] | None = None
        for row in self._rows[place + 1 :]:
            if row.at > at + SECOND and later is not None:
                break
            if row.known.recent and row.known.recent[-1][0] > at:
                later = row.known.recent[-1]
        if later is None or not recent:
            return later is not None or bool(recent)
        since, before = recent[-1]
        return abs(later[1] - before) > MOVING_RATE * (later[0] - since) / SECOND

    def _show(self, start: int, since: int) -> None:
        """The rows from `start` on, as entries of the lines that they belong to."""
        views, rows = self._views, self._rows
        while start and rows[start - 1].at >= since - self._gap:
            start -= 1
        since = rows[start].at if start < len(rows) else since
        # An entry ends where another begins: all that reach `since` are made anew, from their beginning.
        since = min([since, *(entry.segment.first for entry in views.samples.reaching(since - 1))])
        start = bisect_left(rows, since, key=_at)
        lines = (views.samples, views.flying, views.ground, views.landed, views.down)
        for line in lines:
            line.cut(since)
        group: list[tuple[int, Sample]] = []
        for row in rows[start:]:
            if row.sample is None:
                continue
            if group and not self._goes_on(group, row.at, row.sample):
                views.show(_entry(group))
                group = []
            group.append((row.at, row.sample))
        if group:
            views.show(_entry(group))

    def _goes_on(self, group: list[tuple[int, Sample]], at: int, said: Sample) -> bool:
        before_at, before = group[-1]
        return len(group) < LONGEST and at - before_at <= self._gap and _kind(before) == _kind(said)


def _kind(said: Sample) -> SampleKey:
    return SampleKey(said.boot_count, said.phase, said.state, said.landed)


def _entry(group: list[tuple[int, Sample]]) -> Entry:
    kept = tuple([Values(at, said.spacecraft_time, said.altitude, said.climb_rate) for at, said in group])
    key = _kind(group[0][1])
    highest = sorted((-one.altitude, one.at) for one in kept if one.altitude is not None)[:POINTS_KEPT]
    first, last = of_frames(tuple(one) for one in kept), of_frames((-one.at, *one[1:]) for one in kept)
    entry = Entry(key, str(key), Segment(kept[0].at, kept[-1].at, (first, last, tuple(highest), ())))
    entry.keep(kept)
    return entry


def _at(row: Row) -> int:
    return row.at
