"""When the vehicle started again: its boot count is up, or its counts and its on-board clock fell back together. Knows
samples, clocks and counts; knows no rule."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.records import SECOND
from pipeline.verdicts.picture import Picture

CONFIRMED_BY: Final = 3


class Restart(NamedTuple):
    at: int
    """Relay receive time of its first frame."""
    sign: str


def restarts_of(picture: Picture) -> list[Restart]:
    """Every restart that three samples confirm, in order."""
    return sorted([*_by_boot_count(picture), *_by_falling_back(picture)])


def _by_boot_count(picture: Picture) -> Iterator[Restart]:
    """The first frame of each boot count that is higher than one seen before it."""
    boots: dict[int, list[int]] = {}
    for key, segment in picture.samples:
        if key.boot is not None:
            boots.setdefault(key.boot, []).extend(point[0] for point in segment.payload[0])
    confirmed = {boot: min(times) for boot, times in boots.items() if len(set(times)) >= CONFIRMED_BY}
    for boot, at in confirmed.items():
        before = [other for other, since in confirmed.items() if since < at]
        if before and boot > max(before):
            yield Restart(at, f"Boot count {boot} after {max(before)}")


def _by_falling_back(picture: Picture) -> Iterator[Restart]:
    """Without a boot count: the on-board clock behind where it was, at a frame before which the counts break."""
    clocks = sorted((segment.first, segment) for key, segment in picture.evidence.clock.items() if key[0] is None)
    if len(clocks) < 2:
        return
    least = picture.timer(20, 2.0)
    breaks = _count_breaks(picture)
    for (_, before), (at, after) in zip(clocks, clocks[1:], strict=False):
        reached = max(-point[0] for point in before.payload[2])
        start = after.payload[0][0][1]
        elapsed = at - before.last
        if start >= reached or start - reached - elapsed > -least or len(after.payload[0]) < CONFIRMED_BY:
            continue
        if any(first <= at and before.last <= last for first, last in breaks):
            yield Restart(at, "Frame counts and on-board clock fell back together")


def _count_breaks(picture: Picture) -> list[tuple[int, int]]:
    """Where the counts of a live channel do not agree with the time that passed."""
    found = []
    for key, runs in picture.evidence.runs.runs.items():
        link, *_, live, _ = key
        if live:
            gaps = picture.evidence.runs.gaps(key, picture.count_period(link, live, runs)).found
            found += [(gap.after, gap.before + SECOND) for gap in gaps if gap.unlike_time]
    return found
