"""The relay fell quiet: nothing was delivered, nothing was listened to, or its production stopped. While it lasts
nothing is said of the vehicle."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Final, NamedTuple

from pipeline.evidence.segments import Segment
from pipeline.evidence.views import EVER
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture, Session
from pipeline.verdicts.words import instant, seconds

TYPE: Final = "relay_outage"


class Outage(NamedTuple):
    raised_at: int
    ended_at: int | None
    starts_at: int
    sign: str


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    found = _outages(picture)
    for link in picture.home_links:
        windows = [window for window in picture.mission.plan.windows if window.link == link]
        of_link = {
            outage.raised_at: outage
            for session, of_session in found.items()
            if session.link == link
            for outage in of_session
        } | {outage.raised_at: outage for outage in _without_a_word(picture, link)}
        outages = sorted(
            outage
            for outage in of_link.values()
            if not windows or any(window.starts_at <= outage.raised_at < window.ends_at for window in windows)
        )
        if outages:
            yield _incident(picture, link, outages)


def _outages(picture: Picture) -> dict[Session, list[Outage]]:
    """The sessions with outages."""
    found = {session: outages_of(picture, session) for session in map(Session._make, sorted(picture.views.broken))}
    return {session: outages for session, outages in found.items() if outages}


def outages_of(picture: Picture, session: Session) -> list[Outage]:
    if not picture.says_listening(session):
        return []  # a receiver that never says when it listens does not fall quiet by saying nothing
    evidence = picture.evidence
    running, *stopped = [evidence.listened.of((*session, status)) for status in ("running", "interrupted", "halted")]
    reports = sorted(chain(running, *stopped))
    silent = round(picture.timers.relay_silent_seconds * SECOND)
    found = [*_by_status(running, chain(*stopped)), *_holes(picture, session, silent, reports)]
    if not picture.is_backfill(session):
        found += _without_holes([*_gaps(picture, session, silent)], found)
    return sorted(found)


def _without_a_word(picture: Picture, link: str) -> Iterator[Outage]:
    """Sessions that say nothing more, not even their end, while another link goes on: until the link's next session
    begins, or as long as the link is given up."""
    silent = round(picture.timers.relay_silent_seconds * SECOND)
    for session in map(Session._make, sorted(one for one in picture.views.going_on if one[0] == link)):
        if not picture.says_listening(session) or picture.is_backfill(session):
            continue
        following = picture.session_after(session)
        arrivals, reached = picture.evidence.earth.of(session), picture.evidence.reached.values.get(session)
        if not arrivals or reached is None:
            continue
        ended_at = None
        if following is not None:
            after = picture.evidence.earth.of(following)
            if not after or not _others_went_on(picture, link, arrivals[-1].last, after[0].first):
                continue
            ended_at = after[0].first
        elif link not in picture.given_up:
            continue
        yield Outage(
            reached + silent, ended_at, reached,
            f"nothing has been delivered since {instant(arrivals[-1].last)} (earth time), and no end of the data",
        )  # fmt: skip


def _others_went_on(picture: Picture, link: str, silent_since: int, until: int) -> bool:
    """Whether another link still said something when this one had been silent for long enough to be given up. Earth
    time."""
    given_up_at = silent_since + picture.given_up_after
    return any(
        key[0] != link and arrival.last > given_up_at and arrival.first < until
        for key, arrival in picture.evidence.earth.items()
    )


def _without_holes(gaps: Sequence[Outage], holes: Sequence[Outage]) -> list[Outage]:
    """Gaps that overlap no hole."""
    ordered = sorted(holes, key=lambda hole: hole.starts_at)
    starts = [hole.starts_at for hole in ordered]
    # The latest end of all holes up to each: one that begins before a gap ends, and ends after it begins, overlaps it.
    ends = list(accumulate((EVER if hole.ended_at is None else hole.ended_at for hole in ordered), max))
    return [
        gap
        for gap in gaps
        if not (before := bisect_right(starts, EVER if gap.ended_at is None else gap.ended_at))
        or ends[before - 1] < gap.starts_at
    ]


def _by_status(running: Sequence[Segment], stopped: Iterable[Segment]) -> Iterator[Outage]:
    for first, last, _ in sorted(stopped):
        after = next((segment.first for segment in running if segment.first >= last), None)
        yield Outage(first, after, first, f"its production status was not running from {instant(first)}")


def _holes(picture: Picture, session: Session, silent: int, reports: Sequence[Segment]) -> Iterator[Outage]:
    """Time between two listening records in which nobody says that anybody listened."""
    for (_, before, _), (after, _, _) in pairwise(reports):
        if after - before > silent and not picture.may_fill(session, after, reports[-1].last):
            yield Outage(before + silent, after, before, f"nothing was listened to for {seconds(after - before)}")


def _gaps(picture: Picture, session: Session, silent: int) -> Iterator[Outage]:
    """Earth time in which no record of the session came. Raised on the relay's clock: at the highest relay time
    before it; ended on earth's, with the first record after it."""
    arrivals = picture.evidence.earth.of(session)
    # What comes when all that the session had was delivered, its end or a straggler, was waited for by nobody.
    ended = picture.evidence.ended.values.get(session, EVER)
    reached: int | None = None
    for before, after in zip(arrivals, arrivals[1:], strict=False):
        if before.payload and before.payload[1]:
            reached = max(-before.payload[1][0][0], reached if reached is not None else -(1 << 62))
        if reached is None or reached + silent > ended:
            continue
        if not picture.may_fill(session, after.first, arrivals[-1].last):
            yield Outage(
                reached + silent,
                after.first,
                reached,
                f"nothing was delivered for {seconds(after.first - before.last)}",
            )
    if not arrivals or session in picture.evidence.ended.values:
        return
    # `ingest` knows this link and says that nothing comes.
    undelivered = picture.evidence.undelivered.of(session)
    if undelivered and undelivered[-1].last - arrivals[-1].last > silent:
        last = arrivals[-1]
        relay = max(-arrival.payload[1][0][0] for arrival in arrivals if arrival.payload and arrival.payload[1])
        yield Outage(relay + silent, None, relay, f"nothing has been delivered since {instant(last.last)} (earth time)")


def _incident(picture: Picture, link: str, outages: list[Outage]) -> Incident:
    last = outages[-1]
    return Incident(
        type=TYPE, subject=link, vehicle="", link=link, flight="", severity="warning", highest_severity="warning",
        starts_at=outages[0].starts_at,
        episodes=tuple((outage.raised_at, outage.ended_at) for outage in outages),
        close_reason="relay_restored" if last.ended_at is not None else None,
        statement=f"Relay {link} fell quiet; what the vehicle did in that time is not judged from silence.",
        known=tuple(f"Relay {link}: {outage.sign}." for outage in outages[-3:]),
        not_known=() if last.ended_at is not None else ("Whether the vehicle is still transmitting.",),
        evidence={"episodes": len(outages)},
    )  # fmt: skip
