"""The evidence arranged as it is asked for at every record. Derived: it follows the maps of the evidence change by
change, and made anew from them it is the same. Never stored, never joined; knows no rule."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from pipeline.evidence.pauses import Pauses
from pipeline.evidence.runs import REPEATED_WITHIN
from pipeline.evidence.samples import Entry, SampleKey, SampleLine
from pipeline.evidence.segments import Key, Segment, SegmentMap, smallest

CONFIRMED_BY: Final = 3
"""So many instants of a boot count are kept: fewer prove nothing."""

EVER: Final = 1 << 62
"""Later than every instant."""

Clock = tuple[Segment, str, int | None]
"""A segment of `clock`, its boot count as text and as it is."""


class Views:
    """Each `follow_…` is told what changed in the map of that name."""

    def __init__(self, gap: int) -> None:
        self.samples, self.flying, self.ground, self.landed, self.down = (SampleLine() for _ in range(5))
        """The live samples: all; those in flight; those on the ground; those with the landed flag; those that show the
        vehicle on the ground in one way or the other."""
        self.recorded = SampleLine()
        self._kinds: dict[Key, tuple[SampleKey, str, tuple[SampleLine, ...]]] = {}
        """Key of live samples → the same with names, and as text, and the lines it belongs to."""
        self.in_conflict: set[int] = set()
        """Instants whose samples do not count."""
        self.boots: dict[int, tuple[int, ...]] = {}
        """Boot count of live samples → the earliest instants at which it was said."""
        self.pauses = Pauses()
        self.heard = SegmentMap(gap)
        """Whether of the live channels only → stretches of frames, whatever link they came by."""
        self.running = SegmentMap(0)
        """(link,), or () for any → when a receiver listened with production running."""
        self.reporting: set[Key] = set()
        """Sessions (link, start) that have listening records."""
        self.unreported: set[Key] = set()
        """Sessions that have none."""
        self.sessions: list[tuple[str, int]] = []
        """(link, start) of every session, sorted."""
        self.latest: dict[str, tuple[str, int]] = {}
        """Link → its latest session."""
        self.earth = -EVER
        """The latest earth receive time."""
        self.over: set[Key] = set()
        """Sessions of which the end is known."""
        self.going_on: set[Key] = set()
        """The other sessions."""
        self.broken: set[Key] = set()
        """Sessions that have, or had, more than one stretch of listening or of arrivals, a production that did not run,
        or of which nothing was delivered: nearly none."""
        self.clock: list[Clock] = []
        """Sorted."""
        self.clock_without_boot: list[Segment] = []
        """Sorted, those of samples that report no boot count."""
        self._offsets: dict[int | None, tuple[int, int]] = {}
        """Boot count → the least and the greatest that on-board time was ahead of relay time at an end of a segment."""
        self.widest = 0
        """The greatest difference between the two."""
        self._clock_points: tuple[Segment | None, set[tuple[int, int]]] = None, set()
        """The segment of `clock` that came last, and the points of it."""
        self._onboard: dict[tuple[int | None, int], set[int]] = defaultdict(set)
        """(boot count, on-board time) → instants at which a kept sample said so."""
        self.standing: set[tuple[int | None, int]] = set()
        """Those of them with instants that no two reports of one frame have."""

    def _kind_of(self, key: Key) -> tuple[SampleKey, str, tuple[SampleLine, ...]]:
        named = SampleKey(*key)
        lines = {
            self.flying: named.state == "flight",
            self.ground: named.state == "ground",
            self.landed: named.landed is True,
            self.down: named.landed is True or named.state == "ground",
        }
        return named, str(named), (self.samples, *(line for line, belongs in lines.items() if belongs))

    def show(self, entry: Entry) -> None:
        """A later entry than all that are there, of samples that are derived themselves."""
        for line in self._kind_of(entry.key)[2]:
            line.append(entry)

    def follow_samples(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        if key not in self._kinds:
            self._kinds[key] = self._kind_of(key)
        named, text, lines = self._kinds[key]
        entry = Entry(named, text, come)
        for line in lines:
            line.replace(gone, entry)
        if named.boot is not None:
            known = self.boots.get(named.boot, ())
            if len(known) < CONFIRMED_BY or come.first < known[-1]:
                times = smallest((at,) for at in (*known, *(point[0] for point in come.payload[0])))
                self.boots[named.boot] = tuple(at for (at,) in times)[:CONFIRMED_BY]

    def follow_recorded(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        named = SampleKey(*key)
        self.recorded.replace(gone, Entry(named, str(named), come))

    def follow_set_aside(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.in_conflict.add(come.first)
        for line in (self.samples, self.recorded):
            line.forget_conflicts()

    def follow_heard(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        _, live = key
        self.heard.add(False, *come)
        if live:
            self.heard.add(True, *come)

    def follow_receiving(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.running.add((), come.first, come.last)

    def follow_listened(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        link, starts_at, status = key
        session = link, starts_at
        if status != "running" or (not gone and session in self.reporting):
            self.broken.add(session)
        self.reporting.add(session)
        self.unreported.discard(session)
        if status == "running":
            self.running.add((), come.first, come.last)
            self.running.add((link,), come.first, come.last)

    def follow_earth(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.earth = max(self.earth, come.last)
        place = bisect_left(self.sessions, key)
        if self.sessions[place : place + 1] == [key]:
            if not gone:
                self.broken.add(key)
        else:
            self.sessions.insert(place, key)
            self.latest[key[0]] = max(key, self.latest.get(key[0], key))
            if key not in self.reporting:
                self.unreported.add(key)
            if key not in self.over:
                self.going_on.add(key)

    def follow_end(self, key: Key) -> None:
        self.over.add(key)
        self.going_on.discard(key)

    def follow_undelivered(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.earth = max(self.earth, come.last)
        self.broken.add(key)

    def follow_clock(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        boot, _ = key
        _replace(self.clock, [(segment, str(boot), boot) for segment in gone], (come, str(boot), boot))
        if boot is None:
            _replace(self.clock_without_boot, gone, come)
        ahead = come.payload[0][0][1] - come.first, come.payload[1][0][1] - come.last
        least, most = self._offsets.get(boot, ahead)
        self._offsets[boot] = least, most = min(least, *ahead), max(most, *ahead)
        self.widest = max(self.widest, most - least)
        goes_on = len(gone) == 1 and gone[0] is self._clock_points[0]
        before = self._clock_points[1] if goes_on else {point for segment in gone for point in points_of(segment)}
        after = points_of(come)
        self._clock_points = come, after
        for at, onboard in before - after:
            times = self._onboard[boot, onboard]
            times.discard(at)
            if len(times) < 2 or max(times) - min(times) <= REPEATED_WITHIN:
                self.standing.discard((boot, onboard))
            if not times:
                del self._onboard[boot, onboard]
        for at, onboard in after - before:
            times = self._onboard[boot, onboard]
            times.add(at)
            if len(times) > 1 and max(times) - min(times) > REPEATED_WITHIN:
                self.standing.add((boot, onboard))

    def said_at(self, boot: int | None, onboard: int) -> set[int]:
        """The instants of the kept samples with that on-board time."""
        return self._onboard[boot, onboard]


def _replace(ordered: list[Any], gone: Sequence[Any], come: Any) -> None:
    for one in gone:
        del ordered[bisect_left(ordered, one)]
    insort(ordered, come)


def points_of(segment: Segment) -> set[tuple[int, int]]:
    """(relay receive time, on-board time) of the kept samples of a segment of `clock`."""
    earliest, latest, furthest = segment.payload
    return {*earliest, *((-at, onboard) for at, onboard in latest), *((at, -onboard) for onboard, at in furthest)}
