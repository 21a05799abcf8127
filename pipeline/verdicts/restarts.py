"""When the vehicle started again: its boot count is up, or its counts and its on-board clock fell back together. Knows
samples, clocks and counts; knows no rule."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from pipeline.evidence.segments import Segment
from pipeline.evidence.views import CONFIRMED_BY
from pipeline.records import SECOND
from pipeline.verdicts.picture import Picture


class Restart(NamedTuple):
    at: int
    """Relay receive time of its first frame."""
    sign: str


def restarts_of(picture: Picture) -> list[Restart]:
    """Every restart that three samples confirm, in order."""
    if len(picture.views.boots) < 2 and not picture.views.clock_without_boot:
        return []
    return picture.remembered(
        __name__, (picture.views.stamp,), lambda: sorted([*_by_boot_count(picture), *_by_falling_back(picture)])
    )  # fmt: skip


def _by_boot_count(picture: Picture) -> Iterator[Restart]:
    """The first frame of each boot count that is higher than one seen before it."""
    confirmed = sorted((times[0], boot) for boot, times in picture.views.boots.items() if len(times) >= CONFIRMED_BY)
    for at, boot in confirmed:
        before = [other for since, other in confirmed if since < at]
        if before and boot > max(before):
            yield Restart(at, f"Boot count {boot} after {max(before)}")


def _by_falling_back(picture: Picture) -> Iterator[Restart]:
    """Without a boot count: the on-board clock behind where it was, at a frame before which the counts break."""
    least = picture.timer(20, 2.0)
    fallen = picture.fold((__name__, least), picture.views.clock_without_boot, _Fallen(None, ()), partial(_fall, least))
    breaks = _count_breaks(picture) if fallen.pairs else []
    for before, at in fallen.pairs:
        if any(first <= at and before <= last for first, last in breaks):
            yield Restart(at, "Frame counts and on-board clock fell back together")


class _Fallen(NamedTuple):
    last: Segment | None
    pairs: tuple[tuple[int, int], ...]
    """Last instant before and first instant after the on-board clock was found to be behind where it was."""


def _fall(least: int, fallen: _Fallen, after: Segment) -> _Fallen:
    before, at = fallen.last, after.first
    if before is None or len(after.payload[0]) < CONFIRMED_BY:
        return fallen._replace(last=after)
    reached = max(-point[0] for point in before.payload[2])
    start = after.payload[0][0][1]
    if start >= reached or start - reached - (at - before.last) > -least:
        return fallen._replace(last=after)
    return _Fallen(after, (*fallen.pairs, (before.last, at)))


def _count_breaks(picture: Picture) -> list[tuple[int, int]]:
    """Where the counts of a live channel do not agree with the time that passed."""
    found = []
    for key, runs in picture.evidence.runs.runs.items():
        link, *_, live, _ = key
        if live:
            gaps = picture.evidence.runs.gaps(key, picture.count_period(link, live, runs)).found
            found += [(gap.after, gap.before + SECOND) for gap in gaps if gap.unlike_time]
    return found
