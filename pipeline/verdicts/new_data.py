"""Whether what the vehicle sends says anything new: telemetry, and an on-board clock that goes on. Knows frames and
clocks; knows no rule."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from pipeline.evidence.runs import REPEATED_WITHIN
from pipeline.evidence.segments import Segment
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.restarts import boot_at


class Standstill(NamedTuple):
    """The on-board clock said the same in frame after frame."""

    since: int
    """Relay receive time of the first frame that said it."""
    until: int
    """Relay receive time of the last one."""
    new_at: int | None
    """Relay receive time of the first sample after it; None: none has come."""


def telemetry_of(picture: Picture) -> list[Segment]:
    """Stretches of frames that carried telemetry."""
    return picture.evidence.telemetry.of(())


def last_telemetry(picture: Picture, at: int) -> int | None:
    """The last frame with telemetry not after `at`, to a *suspect*."""
    telemetry = telemetry_of(picture)
    place = bisect_right(telemetry, at, key=_first_of)
    return min(telemetry[place - 1].last, at) if place else None


def frames_came_for(picture: Picture, since: int, amount: int) -> int | None:
    """The instant at which good frames had come for `amount` since `since`, silences not counted; None: not yet."""
    live = picture.live
    for stretch in islice(live, bisect_left(live, since, key=_last_of), None):
        start = max(stretch.first, since)
        if stretch.last - start >= amount:
            return start + amount
        amount -= max(0, stretch.last - start)
    return None


def standstills(picture: Picture) -> list[Standstill]:
    """Every stretch in which two samples or more of the real-time channels have one on-board time, ascending."""
    if not picture.views.standing:
        return []
    return picture.once(__name__, lambda: sorted(_standstills(picture), key=lambda one: (one.since, one.until)))


def _standstills(picture: Picture) -> Iterator[Standstill]:
    for boot, onboard in picture.views.standing:
        for times in _unbroken(picture, onboard, sorted(picture.views.said_at(boot, onboard))):
            # Two receivers report one frame; a clock that stands still says the same in different ones.
            if times[-1] - times[0] > REPEATED_WITHIN:
                yield Standstill(times[0], *_until(picture, boot, onboard, times[-1]))


def _unbroken(picture: Picture, onboard: int, instants: Sequence[int]) -> Iterator[list[int]]:
    """The instants at which a clock said the same, cut where it said something else between two of them: then it did
    not stand still, it came there again. Two boots are two clocks."""
    times: list[int] = []
    for at in instants:
        if times and (
            boot_at(picture, times[-1]) != boot_at(picture, at) or _went_on(picture, onboard, times[-1], at)
        ):  # fmt: skip
            yield times
            times = []
        times.append(at)
    yield times


def _went_on(picture: Picture, onboard: int, after: int, until: int) -> bool:
    between = picture.earliest(picture.views.samples, after, until - 1)
    return any(one.spacecraft_time not in (None, onboard) for one in between)


def _until(picture: Picture, boot: int | None, onboard: int, last: int) -> tuple[int, int | None]:
    """When a clock that stood at `onboard`, as last known at `last`, did so last; and when the next sample came. Of the
    samples of one second only some are kept: then by how much the clock is behind since shows when it went on."""
    for (of, _), segment in picture.evidence.clock.items():
        if of == boot and segment.first <= last < segment.last:
            negative, at = segment.payload[2][0]
            until = min(max(last, at + negative + onboard), at)
            return until, until + round(picture.period)
    return last, min((s.first for _, s in picture.evidence.clock.items() if s.first > last), default=None)


def standing_still(picture: Picture, at: int) -> Standstill | None:
    """The standstill that lasted at `at`."""
    return next((one for one in reversed(standstills(picture)) if one.since <= at <= one.until), None)


def came_again(picture: Picture, at: int) -> int | None:
    """When the resume rule holds for frames that go on from `at`, the first of them; None: not by what is known."""
    timers = picture.timers
    least = round(max(timers.resume_seconds * SECOND, (timers.resume_frames - 1) * picture.period))
    live = picture.live
    place = bisect_right(live, at, key=_first_of) - 1
    if place < 0 or live[place].last < at + least:
        return None
    return at + least


def ending(
    picture: Picture, flight: Flight, raised_at: int, back: Iterable[int | None]
) -> tuple[int, str] | tuple[None, None]:
    """How it ended that a flight said nothing new: it says something new again, at the first of `back` (ascending), or
    the silence that followed ended. (instant, close reason)"""
    endings = [
        (silence.ended_at, str(silence.close_reason))
        for silence in flight.silences
        if silence.ended_at is not None and silence.ended_at > raised_at
    ]
    again = next((at for at in back if at is not None), None)
    if again is not None:
        endings.append((again, "resumed_in_flight" if flight.covers(again) else "contact_restored"))
    ended_at, reason = min((one for one in endings if one[0] <= (picture.watermark or 0)), default=(None, None))
    return (None, None) if ended_at is None or reason is None else (ended_at, reason)


def _first_of(stretch: Segment) -> int:
    return stretch.first


def _last_of(stretch: Segment) -> int:
    return stretch.last
