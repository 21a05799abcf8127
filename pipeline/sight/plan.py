"""What a view gives the contact plan: expected losses, as the text that a mission file takes."""

from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

import tomli_w

from pipeline.sight.request import Request
from pipeline.sight.track import SECOND, instant
from pipeline.sight.visibility import View


class Entry(NamedTuple):
    """One `[[plan.expected_losses]]`."""

    name: str
    vehicle: str
    starts_at: int
    ends_at: int
    below_m: float
    reason: str


def entries(request: Request, view: View) -> list[Entry]:
    """An entry for each time out of sight that is long enough, those that overlap made one. They begin and end as the
    request's thresholds say; one that does not end on the track lasts for as long as the vehicle stays there."""
    cut = request.thresholds
    longest = [loss for loss in view.losses if loss.seconds >= cut.shortest_s]
    joined: list[tuple[int, int, float]] = []
    for loss in longest:
        starts_at = loss.starts_at - round(cut.before_s * SECOND)
        if loss.ends_at == request.track.ends_at:
            ends_at = request.stays_until
        else:
            ends_at = loss.ends_at + round(cut.after_s * SECOND)
        below = ceil((loss.masking_altitude + cut.margin_m) * 10) / 10
        if joined and starts_at <= joined[-1][1]:
            before = joined.pop()
            starts_at, below = before[0], max(before[2], below)
        joined.append((starts_at, ends_at, below))
    return [
        Entry(
            name=request.name if len(joined) == 1 else f"{request.name} {number}",
            vehicle=request.vehicle, starts_at=starts_at, ends_at=ends_at, below_m=below,
            reason=request.reason or f"the ground between {view.relay.name} and {request.vehicle}",
        )
        for number, (starts_at, ends_at, below) in enumerate(joined, 1)
    ]  # fmt: skip


def as_toml(found: Iterable[Entry]) -> str:
    """Tables that can stand at the end of any mission file. Moments are written without quotes."""
    return "\n".join(
        "[[plan.expected_losses]]\n"
        + tomli_w.dumps({"name": one.name, "vehicle": one.vehicle})
        + f"from = {instant(one.starts_at)}\nuntil = {instant(one.ends_at)}\n"
        + tomli_w.dumps({"below_m": one.below_m, "reason": one.reason})
        for one in found
    )
