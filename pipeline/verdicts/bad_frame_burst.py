"""A burst of bad frames on a link: something is received, and half of it or more cannot be taken for frames. Says
nothing of the vehicle: good frames between them count as ever."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.evidence.bins import BIN
from pipeline.outputs import rfc3339
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.words import instant

TYPE: Final = "bad_frame_burst"
WINDOW_BINS: Final = SECOND // BIN
BAD_FRAMES: Final = 5
OVER_AFTER: Final = 5 * SECOND


class Burst(NamedTuple):
    first_bad: int
    raised_at: int
    last_bad: int
    """The end of the tenth of a second of its last bad frame."""


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    if not picture.evidence.bins.any_bad:
        return
    for link in picture.home_links:
        bursts = _bursts(picture, link)
        if bursts:
            yield _incident(picture, link, bursts)


def _bursts(picture: Picture, link: str) -> list[Burst]:
    """Crowds of bad frames with at least 5 s between them, as far as the watermark."""
    mark = picture.watermark or 0
    found: list[Burst] = []
    for crowd in picture.evidence.bins.crowds(link, WINDOW_BINS, BAD_FRAMES):
        raised_at = (crowd.since + 1) * BIN
        if raised_at > mark:
            break
        last_bad = min((crowd.last_bad + 1) * BIN, mark)
        if found and crowd.since * BIN < found[-1].last_bad + OVER_AFTER:
            found[-1] = found[-1]._replace(last_bad=max(found[-1].last_bad, last_bad))
        else:
            found.append(Burst((crowd.since + 1 - WINDOW_BINS) * BIN, raised_at, last_bad))
    return found


def _incident(picture: Picture, link: str, bursts: list[Burst]) -> Incident:
    mark = picture.watermark or 0
    ends = [burst.last_bad + OVER_AFTER for burst in bursts]
    is_over = ends[-1] <= mark
    return Incident(
        type=TYPE, subject=link, vehicle="", link=link, flight="", severity="warning", highest_severity="warning",
        starts_at=bursts[0].first_bad,
        episodes=tuple(
            (burst.raised_at, end if end <= mark else None) for burst, end in zip(bursts, ends, strict=True)
        ),
        close_reason="burst_over" if is_over else None,
        statement=f"Link {link}: a burst of bad frames; something is received that cannot be decoded.",
        known=tuple(
            f"{BAD_FRAMES} bad frames and more in 1 s, half and more of all that was received, at "
            f"{instant(burst.raised_at)}."
            for burst in bursts[-3:]
        ),
        not_known=("What made the frames bad.",),
        evidence={"episodes": len(bursts), "last_raised_at": rfc3339(bursts[-1].raised_at)},
    )  # fmt: skip
