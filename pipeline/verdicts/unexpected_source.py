"""Somebody else is on the link: good frames of a spacecraft, or on a virtual channel, that the mission does not expect
there. They are counted, and nothing that they carry is taken for the vehicle's."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.evidence.segments import Segment
from pipeline.frames.mavlink import may_be_vehicle
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.words import instant

TYPE: Final = "unexpected_source"
SEEN_FRAMES: Final = 3
SEEN_NANOSECONDS: Final = SECOND


class Source(NamedTuple):
    first: int
    raised_at: int
    name: str
    """Of a spacecraft that nobody expects; or of a virtual channel, where its spacecraft is expected."""


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    if not picture.evidence.out_of_scope.segments:
        return
    for link in picture.home_links:
        sources = sorted(source for source in _sources(picture, link) if source.raised_at <= (picture.watermark or 0))
        if sources:
            yield _incident(link, sources)


def _sources(picture: Picture, link: str) -> Iterator[Source]:
    managed = picture.mission.link(link)
    if managed is None:
        return
    expected = {picture.mission.vehicle(name).scid for name in managed.vehicles}
    heard: dict[str, list[Segment]] = {}
    for (of, scid, vcid), segments in picture.evidence.out_of_scope.segments.items():
        # A ground station and a ground modem are on every MAVLink link.
        if of == link and (managed.format != "mavlink" or may_be_vehicle(scid)):
            channel = f", virtual channel {vcid}" if scid in expected else ""
            heard.setdefault(f"Spacecraft {scid}{channel}", []).extend(segments)
    for name, segments in heard.items():
        raised_at = _seen(segments)
        if raised_at is not None:
            yield Source(min(segment.first for segment in segments), raised_at, name)


def _seen(segments: list[Segment]) -> int | None:
    """When there was more of it than a lucky frame of noise: its third frame, or 1 s of frames without a silence. None:
    there was not."""
    times = sorted(at for segment in segments for (at,) in segment.payload[0])
    long = [s.first + SEEN_NANOSECONDS for s in segments if s.last - s.first >= SEEN_NANOSECONDS]
    return min([*times[SEEN_FRAMES - 1 :][:1], *long], default=None)


def _incident(link: str, sources: list[Source]) -> Incident:
    return Incident(
        type=TYPE, subject=link, vehicle="", link=link, flight="", severity="info", highest_severity="info",
        starts_at=sources[0].first,
        # Latched: that it was there does not become untrue when it is gone.
        episodes=((min(source.raised_at for source in sources), None),), close_reason=None,
        statement=f"Link {link}: frames of a source that the mission does not expect; they count for no vehicle.",
        known=tuple(f"{source.name}: first good frame at {instant(source.first)}." for source in sources),
        not_known=("Who sends them.",),
        evidence={"sources": [source.name for source in sources]},
    )  # fmt: skip
