"""Samples as they pass → series in time. Takes samples as the worker's exporter does; knows no clock: whoever writes
says when."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Final

from pipeline.metrics import Metric, Sample, Series
from pipeline.records import SECOND

REPEATED_AFTER: Final = 5 * SECOND
"""A value that does not change is written again after so long, as often as Prometheus asks a worker: `rate` and the
like need two samples in their window."""

Key = tuple[str, tuple[str, ...]]
"""Name of a metric, and the values of its labels."""

_MILLISECOND: Final = SECOND // 1_000


@dataclass(slots=True)
class Track:
    """One series in time. A histogram is one track: a column for each bucket, then the count, then the sum."""

    metric: Metric
    labels: tuple[str, ...]
    now: list[float] | None
    """A row as it is now; None: it is not known, and there is no series."""
    times: "array[int]" = field(default_factory=lambda: array("q"))
    """Milliseconds since 1970, ascending."""
    values: "array[float]" = field(default_factory=lambda: array("d"))
    """Row after row."""

    def write(self, at: int) -> None:
        """The value now. Where it is not known any more, one NaN: without it Prometheus would show the last value for
        five minutes more."""
        if self.now is None:
            self.end(at)
        else:
            self._add(at, self.now)

    def end(self, at: int) -> None:
        """From this instant on a reader sees no value."""
        if self.values and not isnan(self.values[-1]):
            self._add(at, [nan])

    def _add(self, at: int, row: list[float]) -> None:
        self.times.append(at // _MILLISECOND)
        self.values.extend(row)


class Timeline:
    """Tracks by metric and labels. Between two writes only the last value of each counts."""

    def __init__(self) -> None:
        self._tracks: dict[Key, Track] = {}
        self._changed: set[Key] = set()
        self._shown: dict[str, set[Key]] = {}
        self._repeated_at: int | None = None

    @property
    def tracks(self) -> list[Track]:
        """By metric, then by labels."""
        return [self._tracks[key] for key in sorted(self._tracks)]

    @property
    def samples(self) -> int:
        """How many were written."""
        return sum(len(track.values) for track in self._tracks.values())

    def bear(self, series: Iterable[Series]) -> None:
        """From now on they are there: at 0, where nothing was measured yet."""
        for metric, labels in series:
            self._of(metric, labels)

    def apply(self, samples: Iterable[Sample]) -> None:
        """Counters go up by the sample, gauges become it, histograms count it where it belongs."""
        for metric, labels, value in samples:
            row = list(self._of(metric, labels).now or [0.0])
            if metric.kind == "gauge":
                row = [value]
            elif metric.kind == "counter":
                row[0] += value
            else:
                # A bucket holds all that is at most its bound; the last one and the count hold everything.
                for column in range(bisect_left(metric.buckets, value), len(row) - 1):
                    row[column] += 1
                row[-1] += value
            self._set((metric.name, labels), row)

    def show(self, scope: str, samples: Iterable[Sample]) -> None:
        """The gauges of one link or vehicle, all of them: what was shown of it before and is not among them goes."""
        before, shown = self._shown.get(scope, set()), set()
        for metric, labels, value in samples:
            self._of(metric, labels)
            self._set((metric.name, labels), [value])
            shown.add((metric.name, labels))
        for key in before - shown:
            self._set(key, None)
        self._shown[scope] = shown

    def write(self, at: int) -> None:
        """What is true at this instant (nanoseconds), later than any before: what changed, and now and then all."""
        if self._repeated_at is None or at - self._repeated_at >= REPEATED_AFTER:
            self._repeated_at = at
            self._changed.update(self._tracks)
        for key in self._changed:
            self._tracks[key].write(at)
        self._changed.clear()

    def repeat(self, at: int, names: Collection[str]) -> None:
        """Of these metrics what is not 0, and nothing else."""
        for (name, _), track in self._tracks.items():
            if name in names and track.now and any(track.now):
                track.write(at)

    def lapse(self, at: int, keep: Collection[str] = ()) -> None:
        """What may be absent is, from this instant until the next write, but for these metrics."""
        self._repeated_at = None
        for (name, _), track in self._tracks.items():
            if track.metric.absent and name not in keep:
                track.end(at)

    def _set(self, key: Key, row: list[float] | None) -> None:
        if row != self._tracks[key].now:
            self._tracks[key].now = row
            self._changed.add(key)

    def _of(self, metric: Metric, labels: tuple[str, ...]) -> Track:
        key = metric.name, labels
        track = self._tracks.get(key)
        if track is None:
            columns = len(metric.buckets) + 3 if metric.kind == "histogram" else 1
            track = self._tracks[key] = Track(metric, labels, [0.0] * columns)
            self._changed.add(key)
        return track
