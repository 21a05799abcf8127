"""The facts of a flight and the accounting of its frames: what the ledger keeps."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Final

from pipeline.evidence.runs import Gap, Run, gaps_of
from pipeline.outputs import rfc3339
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.recorded_log import last_recorded
from pipeline.verdicts.words import assigned_reached

SUPERSEDED: Final = {"state": "superseded", "final": False}
"""The facts of a flight that later evidence shows to be another one."""
_FOR_EVER: Final = 1 << 62


def facts_of(picture: Picture, flight: Flight) -> dict[str, Any]:
    """One flight as JSON. `state` is flying, silent, landed, over (ended without a landing seen) or incomplete;
    SUPERSEDED stands for one that is another flight by now."""
    top = picture.highest(flight.takeoff_at, flight.last_heard_before)
    planned = flight.planned
    end = flight.last_heard_before or _FOR_EVER
    totals = totals_of(picture, flight.takeoff_at, end)
    facts: dict[str, Any] = {
        "number": planned.number if planned else None,
        "state": _state(picture, flight),
        "final": flight.over_at is not None and flight.over_at < picture.final_before,
        "takeoff_at": rfc3339(flight.takeoff_at),
        "takeoff_seen": flight.takeoff_seen,
        "landing_confirmed_at": rfc3339(flight.landing_at),
        "highest_altitude_m": top[0] if top else None,
        "assigned_altitude_m": planned.assigned_altitude_m if planned else None,
        "assigned_altitude_reached": assigned_reached(flight, top[0] if top else None),
        "silences": [
            {
                "last_good_at": rfc3339(s.last_good_at),
                "raised_at": rfc3339(s.raised_at),
                "ended_at": rfc3339(s.ended_at),
            }
            for s in flight.silences
        ],
        "frames_received": totals["received"],
        "frames_missing": totals["missing"],
        "channels": channels_of(picture, flight.takeoff_at, end, live_only=True),
    }
    if (last := picture.last_sample(end)) is not None:
        reported = picture.last_reported(end)
        facts["last_live"] = {
            "at": rfc3339(last[1].at), "phase": reported.phase, "altitude_m": reported.altitude,
        }  # fmt: skip
    if (recorded := last_recorded(picture, flight)) is not None:
        facts["last_recorded"] = {
            "after_takeoff_s": (recorded[1].at - (flight.takeoff_spacecraft_time or 0)) / SECOND,
            "altitude_m": recorded[1].altitude,
            "landed": recorded[0].landed,
        }
    if facts["state"] == "incomplete":
        last_heard = picture.heard[-1].last
        listened = picture.listened_between(last_heard, picture.watermark or last_heard) / SECOND
        facts["incomplete"] = f"listened only {listened:.1f} s after the last frame"
    return facts


def _state(picture: Picture, flight: Flight) -> str:
    if flight.landing_at is not None:
        return "landed"
    if flight.over_at is not None:
        return "over"
    if flight.silences and flight.silences[-1].ended_at is None:
        return "silent"
    return "flying" if picture.views.going_on else "incomplete"


def channels_of(
    picture: Picture, starts_at: int, ends_at: int, *, live_only: bool = False
) -> dict[str, dict[str, Any]]:
    """link/scid/vcid → frames received and missing between the first and the last of a session, in an interval of the
    relay's clock, which says nothing of what was played back in it (`live_only`).

    A gap across a restart, or one that does not agree with the time that passed, is a discontinuity and no loss:
    what was sent in it is not known."""
    found: dict[str, dict[str, Any]] = {}
    for key, row in sorted(picture.evidence.runs.runs.items()):
        link, _, scid, vcid, live, modulus = key
        if live or not live_only:
            name = f"{link}/{scid}/{vcid}"
            account = _account(picture, row, modulus, live, link, starts_at, ends_at)
            if account is not None:
                found[name] = _sum(found[name], account) if name in found else account
    return found


def totals_of(picture: Picture, starts_at: int, ends_at: int) -> dict[str, Any]:
    """The vehicle's real-time frames in an interval, those that several relays heard counted once."""
    return _totals_of(picture, starts_at, ends_at)


def totals_in_contacts(picture: Picture) -> dict[str, Any]:
    """The same of all there is. From one contact to the next nobody listened: what was sent between is not missing."""
    contacts = picture.contacts
    starts = [start for start, _ in contacts]

    def is_in_contact(gap: Gap) -> bool:
        return bisect_right(starts, gap.after) == bisect_right(starts, gap.before)

    return _totals_of(picture, -_FOR_EVER, _FOR_EVER, is_in_contact)


def _any(gap: Gap) -> bool:
    return True


def _totals_of(picture: Picture, starts_at: int, ends_at: int, counts: Callable[[Gap], bool] = _any) -> dict[str, Any]:
    total = dict(_NOTHING)
    for key, row in sorted(picture.evidence.together.runs.items()):
        _, _, live, modulus = key
        if live:
            account = _account(picture, row, modulus, live, picture.links[0], starts_at, ends_at, counts)
            total = total if account is None else _sum(total, account)
    return total


_NOTHING: Final[dict[str, Any]] = {
    "received": 0, "gaps": 0, "missing": 0, "missing_at_least": 0, "ambiguous": False, "discontinuities": 0,
}  # fmt: skip


def _sum(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    return {name: a[name] or b[name] if name == "ambiguous" else a[name] + b[name] for name in a}


def _account(
    picture: Picture,
    row: list[Run],
    modulus: int,
    live: bool,
    link: str,
    starts_at: int,
    ends_at: int,
    counts: Callable[[Gap], bool] = _any,
) -> dict[str, Any] | None:
    """Of one channel; None where none of its frames lies in the interval. `counts`: the gaps that are looked at."""
    runs = [part for run in row if (part := run.within(starts_at, ends_at, modulus)) is not None]
    if not runs:
        return None
    account = dict(_NOTHING)
    account["received"] = sum(run.frames for run in runs)
    for gap in filter(counts, gaps_of(runs, modulus, picture.count_period(link, live, runs))):
        if gap.unlike_time or restarted_between(picture, gap.after, gap.before):
            account["discontinuities"] += 1
        elif gap.missing:
            account["gaps"] += 1
            account["missing"] += gap.missing
            account["missing_at_least"] += gap.missing_at_least
            account["ambiguous"] |= gap.ambiguous
    return account


def restarted_between(picture: Picture, starts_at: int, ends_at: int) -> bool:
    """Whether the boot count was another after the gap than before it."""
    if len(picture.views.boots) < 2:  # a long flight can have thousands of gaps, and hardly any a restart
        return False
    before = picture.last_sample(starts_at)
    samples = picture.views.samples
    after = next(picture.earliest(samples, ends_at - 1, ends_at + SECOND, lambda key: key.boot is not None), None)
    if before is None or before[0].boot is None or after is None:
        return False
    around = samples.reaching(after.at - 1, after.at)
    return before[0].boot not in {entry.key.boot for entry in around if entry.segment.last >= after.at}


def channels_of_all(picture: Picture) -> dict[str, dict[str, Any]]:
    """Every channel, of all the time that is known."""
    return channels_of(picture, -_FOR_EVER, _FOR_EVER)


def accounting_of(picture: Picture) -> dict[str, Any]:
    """Every frame of the links this vehicle speaks for, by disposition; and every channel of the vehicle."""
    own = {link.name for link in picture.mission.links if link.vehicles[0] == picture.vehicle.name}
    links: dict[str, dict[str, int]] = {}
    arrival: dict[str, dict[str, int]] = {}
    for (link, word), total in sorted(picture.evidence.dispositions.values.items()):
        if link in own:
            # Which of two copies is called the duplicate, and which frame late, depends on the order of arrival.
            place = arrival if word in ("duplicate", "late") else links
            place.setdefault(link, {})[word] = total
    lost = {link: total for link in own if (total := picture.lost_after_receiver(link))}
    return {
        "channels": channels_of_all(picture),
        "links": links,
        "lost_after_receiver": lost,
        "arrival": arrival,
    }
