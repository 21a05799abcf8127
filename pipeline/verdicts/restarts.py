"""When the vehicle started again: its boot count is up, its counts and its on-board clock fell back together, or a
clock that counts from boot fell back to a time that is possible after a boot. Knows samples, clocks and counts; knows
no rule."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from pipeline.evidence.segments import Segment
from pipeline.evidence.views import CONFIRMED_BY, Clock
from pipeline.records import SECOND
from pipeline.verdicts.picture import Picture


class Restart(NamedTuple):
    at: int
    """Relay receive time of its first frame."""
    sign: str


SINCE_BOOT_WITHIN: Final = 2 * SECOND
"""A clock that counts from boot says at most so much more than the time since the last frame of the boot before."""
WRAP: Final = (1 << 32) * 1_000_000
"""MAVLink's milliseconds since boot begin anew after 49.7 days."""


class Boots(NamedTuple):
    """A clock that counts from boot, boot by boot."""

    restarts: tuple[Restart, ...]
    clock: tuple[Clock, ...]
    """The segments of `views.clock` that belong to a boot, with its number instead of a boot count. Those whose time
    is not possible were stored, or came late."""


def restarts_of(picture: Picture) -> list[Restart]:
    """Every restart that three samples confirm, in order."""
    if picture.vehicle.meanings.spacecraft_time_since_boot:
        return list(boots_of(picture).restarts)
    if len(picture.views.boots) < 2 and not picture.views.clock_without_boot:
        return []
    return picture.once(__name__, lambda: sorted([*_by_boot_count(picture), *_by_falling_back(picture)]))


def boots_of(picture: Picture) -> Boots:
    return picture.once((__name__, "boots"), lambda: _boots(picture))


def boot_at(picture: Picture, at: int) -> int:
    """Number of the boot that an instant is of, where the on-board clock counts from boot; else 0."""
    if not picture.vehicle.meanings.spacecraft_time_since_boot:
        return 0
    return bisect_right(boots_of(picture).restarts, at, key=lambda restart: restart.at)


def restarted_after(picture: Picture, after: int, until: int | None) -> int | None:
    """When the vehicle first started again in (after, until], by a clock that counts from boot."""
    if not picture.vehicle.meanings.spacecraft_time_since_boot:
        return None
    restarts = (restart.at for restart in boots_of(picture).restarts)
    return next((at for at in restarts if at > after and (until is None or at <= until)), None)


class _Boot(NamedTuple):
    last: int
    """Relay receive time of its last frame."""
    onboard: int
    """What its clock said then, unwrapped."""
    wraps: int = 0

    def with_(self, segment: Segment, wraps: int) -> "_Boot":
        negative, onboard = segment.payload[1][0][:2]
        return _Boot(-negative, onboard + wraps * WRAP, wraps) if -negative >= self.last else self


def _boots(picture: Picture) -> Boots:
    restarts: list[Restart] = []
    clock: list[Clock] = []
    boot: _Boot | None = None
    fallen: list[Segment] = []
    """A later boot as it seems, not yet confirmed."""
    for segment, _, _ in picture.views.clock:
        at, onboard = segment.payload[0][0][:2]
        if boot is None:
            boot = _Boot(segment.last, segment.payload[1][0][1])
        else:
            wraps = boot.wraps
            if onboard + wraps * WRAP < boot.onboard - SINCE_BOOT_WITHIN:
                due = boot.onboard + at - boot.last
                if abs(onboard + (wraps + 1) * WRAP - due) <= SINCE_BOOT_WITHIN:
                    wraps += 1
                elif onboard > at - boot.last + SINCE_BOOT_WITHIN and not _broken_off(picture, boot.last, at):
                    continue
                else:
                    fallen = [*_agreeing(fallen, at, onboard), segment]
                    if len({point for one in fallen for point in one.payload[0]}) < CONFIRMED_BY:
                        continue
                    first_at, first = fallen[0].payload[0][0][:2]
                    sign = f"Time since boot {first / SECOND:.1f} s after {boot.onboard / SECOND:.1f} s"
                    restarts.append(Restart(first_at, sign))
                    number = len(restarts)
                    clock += [(one, str(number), number) for one in fallen]
                    boot, fallen = _Boot(segment.last, segment.payload[1][0][1]), []
                    continue
            boot = boot.with_(segment, wraps)
            if wraps:
                segment = _unwrapped(segment, wraps)
        clock.append((segment, str(len(restarts)), len(restarts)))
    return Boots(tuple(restarts), tuple(sorted(clock)))


def _broken_off(picture: Picture, after: int, until: int) -> bool:
    """Whether a recording was broken off between two instants and began anew: how long it was is not known then."""
    reached = picture.evidence.reached.values
    stopped = picture.evidence.stopped.values
    return any(not whole and after <= reached.get(session, after - 1) <= until for session, whole in stopped.items())


def _agreeing(fallen: list[Segment], at: int, onboard: int) -> list[Segment]:
    """Those that are of one boot with a clock that says `onboard` at `at`."""
    ahead = onboard - at
    return [one for one in fallen if abs(one.payload[0][0][1] - one.first - ahead) <= SINCE_BOOT_WITHIN]


def _unwrapped(segment: Segment, wraps: int) -> Segment:
    earliest, latest, furthest = segment.payload
    added = wraps * WRAP
    return segment._replace(
        payload=(
            tuple([(at, onboard + added) for at, onboard in earliest]),
            tuple([(at, onboard + added) for at, onboard in latest]),
            tuple([(onboard - added, at) for onboard, at in furthest]),
        )
    )


def _by_boot_count(picture: Picture) -> Iterator[Restart]:
    """The first frame of each boot count that is higher than one seen before it."""
    confirmed = sorted((times[0], boot) for boot, times in picture.views.boots.items() if len(times) >= CONFIRMED_BY)
    for at, boot in confirmed:
        before = [other for since, other in confirmed if since < at]
        if before and boot > max(before):
            yield Restart(at, f"Boot count {boot} after {max(before)}")


def _by_falling_back(picture: Picture) -> Iterator[Restart]:
    """Without a boot count: the on-board clock behind where it was, at a frame before which the counts break."""
    pairs = list(_fallen(picture.views.clock_without_boot, picture.step))
    breaks = _count_breaks(picture) if pairs else []
    for before, at in pairs:
        if any(first <= at and before <= last for first, last in breaks):
            yield Restart(at, "Frame counts and on-board clock fell back together")


def _fallen(clock: Sequence[Segment], least: int) -> Iterator[tuple[int, int]]:
    """Last instant before and first instant after the on-board clock was found to be behind where it was."""
    for before, after in pairwise(clock):
        if len(after.payload[0]) < CONFIRMED_BY:
            continue
        reached = max(-point[0] for point in before.payload[2])
        start = after.payload[0][0][1]
        if start < reached and start - reached - (after.first - before.last) <= -least:
            yield before.last, after.first


def _count_breaks(picture: Picture) -> list[tuple[int, int]]:
    """Where the counts of a live channel do not agree with the time that passed."""
    found = []
    for key, runs in picture.evidence.runs.runs.items():
        link, *_, live, _ = key
        if live:
            gaps = picture.evidence.runs.gaps(key, picture.count_period(link, live, runs)).found
            found += [(gap.after, gap.before + SECOND) for gap in gaps if gap.unlike_time]
    return found
