"""The evidence arranged as it is asked for at every record. Derived: it follows the maps of the evidence change by
change, and made anew from them it is the same. Never stored, never joined; knows no rule."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from pipeline.evidence.pauses import Pauses
from pipeline.evidence.samples import Entry, SampleKey, SampleLine
from pipeline.evidence.segments import Key, Segment, SegmentMap, smallest

CONFIRMED_BY: Final = 3
"""So many instants of a boot count are kept: fewer prove nothing."""

EVER: Final = 1 << 62
"""Later than every instant."""

_NEWS_KEPT: Final = 64

Clock = tuple[Segment, str, int | None]
"""A segment of `clock`, its boot count as text and as it is."""


class News:
    """From which instant on something is new since it was last looked at. Exact for what was looked at lately; for the
    rest it may say an earlier instant."""

    __slots__ = ("_instants", "_numbers", "number")

    def __init__(self) -> None:
        self.number = 0
        """Of the last piece of news."""
        self._numbers: list[int] = []
        self._instants: list[int] = []
        """Ascending: pieces of news after which none came of an earlier instant."""

    def add(self, at: int) -> None:
        self.number += 1
        while self._instants and self._instants[-1] >= at:
            self._instants.pop()
            self._numbers.pop()
        self._instants.append(at)
        self._numbers.append(self.number)
        if len(self._numbers) > _NEWS_KEPT:
            del self._numbers[0], self._instants[1]

    def since(self, number: int) -> int:
        """The earliest instant of which something is new since the news of this number; later than EVER: none."""
        place = bisect_right(self._numbers, number)
        return self._instants[place] if place < len(self._instants) else EVER + 1


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
        self.stamp = 0
        """Another one whenever something changed of what the vehicle sent, or whether its sessions are over: not by a
        receiver that only listens on."""
        self.context = 0
        """Another one whenever something changed that says at no instant of the relay's clock what it changes: what was
        played back, which session is over or was delivered later, which flight follows on the on-board clock."""
        self.news = News()
        """Of which instants on the relay's clock something new became known."""
        self.played_back_at = -EVER
        """Relay receive time of the latest sample that was played back."""
        self.stirred: set[Key] = set()
        """Sessions of which something is new; whoever looks at them takes them out."""
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
        """Those of them with more than one instant."""

    def touch(self, at: int) -> None:
        """Something is new of what the vehicle sent at this instant, or later."""
        self.stamp += 1
        self.news.add(at)

    def change_context(self) -> None:
        self.stamp += 1
        self.context += 1

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
        self.touch(self._samples_since(gone, come))
        self._follow_departures(named, gone, come)
        entry = Entry(named, text, come)
        for line in lines:
            line.replace(gone, entry)
        if named.boot is not None:
            known = self.boots.get(named.boot, ())
            if len(known) < CONFIRMED_BY or come.first < known[-1]:
                times = smallest((at,) for at in (*known, *(point[0] for point in come.payload[0])))
                self.boots[named.boot] = tuple(at for (at,) in times)[:CONFIRMED_BY]

    def _samples_since(self, gone: Sequence[Segment], come: Segment) -> int:
        """From when on the kept samples are others: where the last segment only goes on, from the first of those that
        made room for others."""
        goes_on = len(gone) == 1 and gone[0] is self.samples.entries[-1].segment
        if not goes_on or gone[0].payload[0] != come.payload[0]:
            return come.first
        _, latest, highest, _ = gone[0].payload
        others = {*highest} ^ {*come.payload[2]}
        return int(min((-latest[-1][0], *(at for _, at in others))))

    def _follow_departures(self, key: SampleKey, gone: Sequence[Segment], come: Segment) -> None:
        """Which samples in flight come first after which ones on the ground stays as it is where a segment goes on
        that is the last of its kind, and nothing of the other kind lies beyond."""
        if key.state not in ("flight", "ground"):
            return
        own, other = (self.flying, self.ground) if key.state == "flight" else (self.ground, self.flying)
        goes_on = len(gone) == 1 and gone[0] is own.entries[-1].segment and gone[0].payload[0] == come.payload[0]
        since = come.payload[0][-1][0] if key.state == "flight" else gone[0].last if gone else 0
        if not goes_on or other.reach >= since:
            self.change_context()

    def follow_recorded(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.change_context()
        named = SampleKey(*key)
        self.recorded.replace(gone, Entry(named, str(named), come))
        self.played_back_at = max((self.played_back_at, *(at for _, at, *_ in come.payload[1])))

    def follow_set_aside(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.change_context()
        self.in_conflict.add(come.first)
        for line in (self.samples, self.recorded):
            line.forget_conflicts()

    def follow_heard(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        _, live = key
        self.touch(_since(gone, come))
        self.heard.add(False, *come)
        if live:
            self.heard.add(True, *come)

    def follow_receiving(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.news.add(_since(gone, come))
        self.running.add((), come.first, come.last)

    def follow_telemetry(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.touch(_since(gone, come))

    def follow_listened(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        link, starts_at, status = key
        self.reporting.add((link, starts_at))
        if (link, starts_at) in self.unreported:
            self.unreported.remove((link, starts_at))
            self.change_context()  # what is known of its listening may end earlier than its frames
        if status == "running":
            self.news.add(_since(gone, come))
            self.running.add((), come.first, come.last)
            self.running.add((link,), come.first, come.last)

    def follow_earth(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        if not gone or gone[0].payload[0][:1] != come.payload[0][:1]:
            self.change_context()  # a session is new, or it began otherwise
        place = bisect_left(self.sessions, key)
        if self.sessions[place : place + 1] != [key]:
            self.sessions.insert(place, key)
            self.latest[key[0]] = max(key, self.latest.get(key[0], key))
            if key not in self.reporting:
                self.unreported.add(key)

    def follow_clock(self, key: Key, gone: Sequence[Segment], come: Segment) -> None:
        self.stamp += 1
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
            if len(times) < 2:
                self.standing.discard((boot, onboard))
            if not times:
                del self._onboard[boot, onboard]
        for at, onboard in after - before:
            times = self._onboard[boot, onboard]
            times.add(at)
            if len(times) > 1:
                self.standing.add((boot, onboard))

    def said_at(self, boot: int | None, onboard: int) -> set[int]:
        """The instants of the kept samples with that on-board time."""
        return self._onboard[boot, onboard]


def _since(gone: Sequence[Segment], come: Segment) -> int:
    """From when on a stretch of time is another one: where it only goes on, from the end that it had."""
    goes_on = len(gone) == 1 and gone[0].first == come.first and gone[0].payload == come.payload
    return gone[0].last if goes_on else come.first


def _replace(ordered: list[Any], gone: Sequence[Any], come: Any) -> None:
    for one in gone:
        del ordered[bisect_left(ordered, one)]
    insort(ordered, come)


def points_of(segment: Segment) -> set[tuple[int, int]]:
    """(relay receive time, on-board time) of the kept samples of a segment of `clock`."""
    earliest, latest, furthest = segment.payload
    return {*earliest, *((-at, onboard) for at, onboard in latest), *((at, -onboard) for onboard, at in furthest)}
