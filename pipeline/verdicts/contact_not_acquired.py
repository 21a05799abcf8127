"""A contact window opened, a relay listened, and nothing of the vehicle was acquired."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.mission.model import Window
from pipeline.outputs import Severity
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident, highest
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.words import instant, seconds

TYPE: Final = "contact_not_acquired"
CRITICAL_AFTER: Final = 2
"""Windows missed one after the other."""


class Missed(NamedTuple):
    window: Window
    raised_at: int
    """When a relay had listened in it for long enough."""


class Episode(NamedTuple):
    missed: list[Missed]
    ended_at: int | None

    @property
    def severity(self) -> Severity:
        return "critical" if len(self.missed) >= CRITICAL_AFTER else "warning"


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    episodes = _episodes(picture)
    if not episodes:
        return
    last = episodes[-1]
    known = [
        f"In window {one.window.name!r} from {instant(one.window.starts_at)} a relay listened for "
        f"{seconds(_acquire(picture, one.window))} and acquired nothing."
        for one in last.missed[-5:]
    ]
    if len(last.missed) > len(known):
        known.insert(0, f"{len(last.missed)} windows were missed one after the other; the last of them:")
    if last.ended_at is not None:
        known.append(f"Contact was acquired again at {instant(last.ended_at)}.")
    name = picture.vehicle.name
    yield Incident(
        type=TYPE, subject=name, vehicle=name, link=last.missed[-1].window.link, flight="", severity=last.severity,
        highest_severity=highest(*(one.severity for one in episodes)),
        starts_at=episodes[0].missed[0].window.starts_at,
        episodes=tuple((one.missed[0].raised_at, one.ended_at) for one in episodes),
        close_reason=None if last.ended_at is None else "contact_acquired",
        statement=f"{name}: contact was not acquired in {_windows(last)}.",
        known=tuple(known),
        not_known=() if last.ended_at is not None else ("Whether the vehicle transmitted at another time.",),
        evidence={"windows": [one.window.name for one in last.missed], "episodes": len(episodes)},
    )  # fmt: skip


def _windows(episode: Episode) -> str:
    names = [repr(one.window.name) for one in episode.missed]
    return f"window {names[0]}" if len(names) == 1 else f"{len(names)} windows, {names[0]} to {names[-1]}"


def _acquire(picture: Picture, window: Window) -> int:
    return min(round(picture.timers.acquire_seconds * SECOND), window.ends_at - window.starts_at)


def _episodes(picture: Picture) -> list[Episode]:
    # No window that begins after the watermark can have been listened through.
    begun = [
        one for one in picture.mission.plan.windows
        if one.vehicle == picture.vehicle.name and one.starts_at <= (picture.watermark or 0)
    ]  # fmt: skip
    found: list[Episode] = []
    for window in sorted(begun, key=lambda one: (one.starts_at, one.link)):
        raised_at = _raised(picture, window)
        if raised_at is None:
            continue
        missed = Missed(window, raised_at)
        if found and (found[-1].ended_at is None or raised_at < found[-1].ended_at):
            found[-1].missed.append(missed)
        else:
            found.append(Episode([missed], _acquired_after(picture, raised_at)))
    return found


def _raised(picture: Picture, window: Window) -> int | None:
    """When a relay had listened in the window for long enough; None: it has not, or there was contact by then."""
    at = picture.listened_reaches(window.starts_at, _acquire(picture, window), window.ends_at)
    return None if at is None or at > window.ends_at or _is_acquired(picture, window, at) else at


def _is_acquired(picture: Picture, window: Window, by: int) -> bool:
    """Whether the vehicle was in contact at some moment of the window before its time was up."""
    heard = picture.heard
    for place in range(bisect_left(heard, window.starts_at, key=lambda stretch: stretch.last), len(heard)):
        if heard[place].first > by:
            break
        holds_from = picture.holds_from(heard[place])
        if holds_from is not None and holds_from <= by:
            return True
    return False


def _acquired_after(picture: Picture, at: int) -> int | None:
    heard = picture.heard
    for place in range(bisect_right(heard, at, key=lambda stretch: stretch.last), len(heard)):
        holds_from = picture.holds_from(heard[place])
        if holds_from is not None and holds_from > at:
            return holds_from if holds_from <= (picture.watermark or 0) else None
    return None
