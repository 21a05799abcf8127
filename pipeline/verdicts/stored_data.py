"""Which live samples were stored on board and sent later, whatever channel they came on: they are older on board than
what their boot had reached by then, and a silence lies between. Knows samples and clocks; knows no rule.

A clock that goes back in an unbroken run of frames has stepped, and a restart begins another clock: what is sent after
either is not stored."""

from bisect import bisect_left
from collections.abc import Iterator

from pipeline.evidence.samples import SampleLine, Values
from pipeline.evidence.views import EVER
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.restarts import boot_at, boots_of, restarts_of

Boot = int | None
Reached = tuple[list[int], list[tuple[int, int]]]
"""For each stretch of an on-board clock, by its end: when it ended; its latest on-board time, and the relay receive
time at which that was reached."""


def live_samples(
    picture: Picture, line: SampleLine, since: int, after: int, until: int | None = None
) -> Iterator[Values]:  # fmt: skip
    """The samples of a line in (after, until], ascending, without those that are stored against what was reached from
    `since` on."""
    return (values for values in picture.earliest(line, after, until) if not is_stored(picture, values, since))


def is_stored(picture: Picture, values: Values, since: int) -> bool:
    """Whether a sample is older on board than what its boot had reached, from an instant on the relay's clock on."""
    if values.spacecraft_time is None:
        return False
    ends, reached = _reached(picture).get(_boot_of(picture, values), ([], []))
    before = reached[bisect_left(ends, since) : bisect_left(ends, values.at)]
    onboard, at = max(before, default=(-EVER, 0))
    if values.spacecraft_time >= onboard - picture.step:
        return False
    if any(at < restart.at <= values.at for restart in restarts_of(picture)):
        return False
    return any(at < stretch.first <= values.at for stretch in picture.live)


def _boot_of(picture: Picture, values: Values) -> Boot:
    if picture.vehicle.meanings.spacecraft_time_since_boot:
        return boot_at(picture, values.at)
    around = picture.views.samples.reaching(values.at - 1, values.at)
    boots = (one.key.boot for one in around if one.segment.last >= values.at)
    return next((boot for boot in boots if boot is not None), None)


def _reached(picture: Picture) -> dict[Boot, Reached]:
    return picture.once(__name__, lambda: dict(_by_boot(picture)))


def _by_boot(picture: Picture) -> Iterator[tuple[Boot, Reached]]:
    clock = picture.views.clock
    if picture.vehicle.meanings.spacecraft_time_since_boot:
        clock = list(boots_of(picture).clock)
    of_boots: dict[Boot, list[tuple[int, tuple[int, int]]]] = {}
    for segment, _, boot in clock:
        negative, at = segment.payload[2][0]
        of_boots.setdefault(boot, []).append((segment.last, (-negative, at)))
    for boot, stretches in of_boots.items():
        stretches.sort()
        yield boot, ([end for end, _ in stretches], [one for _, one in stretches])
