"""What a stage measures of itself, batch by batch, and the gauges of the links or vehicles that it has. Knows states
and the clock; knows neither Faust nor how metrics are served."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline import metrics
from pipeline.errors import STATE_UNUSABLE
from pipeline.measures.share import RecentShare, after_batch
from pipeline.metrics import ORIGINS, Sample, Series, births
from pipeline.records import SECOND
from pipeline.shells.worker.folding import Folded
from pipeline.shells.worker.lives import Lives, Place
from pipeline.shells.worker.logs import Sparing
from pipeline.shells.worker.stages import Incoming
from pipeline.shells.worker.versions import Owner

logger = logging.getLogger(__name__)

SHOW_EVERY_SECONDS: Final = 1.0
MOST_SHOWN: Final = 100
"""States that are set aside: all of them are in the log."""
_MOST_OF_THE_TIME: Final = 0.05
"""Share of the time that goes into gauges at most: those of a long flight with thousands of gaps take longer."""


class Display(Protocol):
    """Where samples go: the exporter."""

    def bear(self, series: Iterable[Series]) -> None: ...

    def apply(self, samples: Iterable[Sample]) -> None: ...

    def show(self, scope: str, samples: Iterable[Sample]) -> None: ...


@dataclass(slots=True)
class Meter:
    """Of one stage."""

    lives: Lives
    display: Display
    clock: Callable[[], float] = time.monotonic
    names: list[str] = field(default_factory=list)
    """The links or vehicles of the partitions that are assigned."""
    watermarks: dict[str, int] = field(default_factory=dict)
    """Link → that of its live data, nanoseconds, as it was shown last."""
    shares: dict[int, RecentShare] = field(default_factory=dict)
    """Source partition → of the newest records that this process took, how many were rejected."""
    said: Sparing = field(default_factory=lambda: Sparing(logger))
    _moved: set[Place] = field(default_factory=set)
    _born: set[str] = field(default_factory=set)
    _show_at: float = 0.0

    def assigned(self, partitions: Collection[int]) -> None:
        """State has been read back: everything of these partitions is there, as the state says, and nothing else."""
        self.withdrawn()
        self.names = self.lives.stage.names(partitions)
        for name in self.names:
            self.display.bear(one for one in births(self.lives.stage.subject, name) if one.metric.kind != "gauge")
            for origin in ORIGINS:
                self._show((name, origin))
        self._show_unusable()
        self._show_set_aside()

    def withdrawn(self) -> None:
        """The partitions are another's: what is shown of them goes. Counters stay: they say what was done here."""
        for name in self.names:
            for origin in ORIGINS:
                self.display.show(self._scope((name, origin)), ())
        self.display.show(self._unusable_scope, ())
        if self.lives.stage.sets_aside:
            self.display.apply(Sample(metrics.RUNS_SET_ASIDE, (origin,), 0) for origin in ORIGINS)
        self.shares.clear()
        self.names = []
        self.watermarks.clear()
        self._moved.clear()

    def taken(self, records: int, new: Sequence[Incoming], folded: Folded, moved: set[Place], seconds: float) -> None:
        """A batch of so many records, these of them new, is written and let go, `seconds` after it came."""
        if records:
            self._count(records, new, folded, seconds)
            self._show_set_aside()
        for origin, fault in folded.rejected:
            self.said.warning("%s rejected (%s): %s", origin, fault.reason, fault)
        self._moved |= moved
        self.show_what_moved()

    def show_what_moved(self) -> None:
        """At most every SHOW_EVERY_SECONDS, and the less often the longer it takes."""
        self.said.flush()
        began = self.clock()
        if began < self._show_at:
            return
        self._show_unusable()
        for place in self._moved:
            if place[0] in self.names:
                self._show(place)
        self._moved.clear()
        took = self.clock() - began
        self._show_at = began + max(SHOW_EVERY_SECONDS, took / _MOST_OF_THE_TIME)

    def runs_ended(self, owners: Iterable[Owner]) -> None:
        """The state of finished runs was dropped: another run may be the newest now."""
        self._moved |= {(owner.name, origin) for owner in owners for origin in ORIGINS}
        self.show_what_moved()

    def _count(self, records: int, new: Sequence[Incoming], folded: Folded, seconds: float) -> None:
        stage, now = self.lives.stage.name, time.time_ns()
        self.shares = after_batch(
            self.shares, (one.origin.partition for one in new),
            (origin.partition for origin, fault in folded.rejected if fault.reason != STATE_UNUSABLE),
            now // SECOND,
        )  # fmt: skip
        share = max((one.share for one in self.shares.values()), default=0)
        delivered = [one.published for one in folded.outgoing if one.published is not None]
        self.display.apply(folded.samples)
        self.display.apply([
            Sample(metrics.TAKEN, (stage,), records - len(folded.rejected) - folded.passed_over - folded.repeated),
            Sample(metrics.REPEATED, (stage,), folded.repeated),
            Sample(metrics.REJECTED_RATIO, (stage,), share),
            Sample(metrics.BATCH, (stage,), records),
            Sample(metrics.PROCESSING, (stage,), seconds),
            Sample(metrics.PROGRESS, (stage,), now / SECOND),
            *(Sample(metrics.DELIVERY, (origin,), (now - published) / SECOND) for origin, published in delivered),
        ])  # fmt: skip

    def _show_set_aside(self) -> None:
        if self.lives.stage.sets_aside:
            found = [one for aside in self.lives.versions.aside.values() for one in aside.runs.values()]
            set_aside = Counter(one.origin for one in found if one.is_set_aside)
            self.display.apply(Sample(metrics.RUNS_SET_ASIDE, (origin,), set_aside[origin]) for origin in ORIGINS)

    def _show(self, place: Place) -> None:
        try:
            samples = list(self._gauges(place))
        except Exception:
            # What is shown never stops what is said. Whoever needs a state that cannot be read stops for it.
            logger.exception("no metrics of %s (%s)", *place)
            samples = []
        self._bear_systems(samples)
        self.display.show(self._scope(place), samples)
        for metric, labels, value in samples:
            if metric is metrics.WATERMARK and place[1] == "live" and value:
                self.watermarks[labels[0]] = round(value * 1e6) * 1000

    def _bear_systems(self, samples: Iterable[Sample]) -> None:
        """Counters of vehicles that the mission does not name: MAVLink systems, once they are heard."""
        for name in {one.labels[0] for one in samples if one.metric.of == "vehicle"} - self._born - {*self.names}:
            self._born.add(name)
            self.display.bear(one for one in births("vehicle", name) if one.metric.kind != "gauge")

    def _gauges(self, place: Place) -> Iterator[Sample]:
        """What the state says; 0 where it says nothing of a gauge that is never absent."""
        name, origin = place
        known = {(one.metric.name, one.labels): one for one in self.lives.gauges(place)}
        for metric, labels in births(self.lives.stage.subject, name):
            if metric.kind == "gauge" and labels[metric.labels.index("origin")] == origin:
                yield known.pop((metric.name, labels), Sample(metric, labels, 0))
        yield from known.values()

    def _show_unusable(self) -> None:
        stage, owners = self.lives.stage.name, sorted(self.lives.versions.unusable)[:MOST_SHOWN]
        samples = [Sample(metrics.STATE_UNUSABLE, (stage, owner.name, owner.run), 1) for owner in owners]
        self.display.show(self._unusable_scope, samples)

    @property
    def _unusable_scope(self) -> str:
        return f"{self.lives.stage.name} unusable"

    def _scope(self, place: Place) -> str:
        return "/".join((self.lives.stage.name, *place))
