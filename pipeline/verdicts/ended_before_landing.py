"""The transmission ended in flight, before landing. Says what the vehicle was doing when it ended and whether the
end was expected; never why."""

from collections.abc import Iterator
from typing import Any, Final

from pipeline.evidence.samples import SampleKey, Values
from pipeline.mission.model import ExpectedLoss
from pipeline.outputs import Severity, rfc3339
from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight, Silence
from pipeline.verdicts.incident import Incident, highest
from pipeline.verdicts.loss_shape import LossShape, loss_shape
from pipeline.verdicts.new_data import last_telemetry, standing_still
from pipeline.verdicts.on_board import AGE_TOLD, last_facts, last_words
from pipeline.verdicts.outlook import outlook
from pipeline.verdicts.picture import Picture, Reported
from pipeline.verdicts.recorded_log import last_recorded
from pipeline.verdicts.words import assigned, assigned_reached, instant, metres, seconds, title

TYPE: Final = "ended_before_landing"
NEAR_GROUND_M: Final = 0.5
TOUCHDOWN_WITHIN_S: Final = 1.0
RATE_HOLDS_WITHIN: Final = 0.25
BAD_FRAMES_GO_ON: Final = 3
"""Bad receptions in the second half of the silence that show a signal which cannot be decoded."""

_SHAPES: Final[dict[LossShape, tuple[str, ...]]] = {
    "cliff": ("The signal was as strong as the height explains until it was lost (loss shape: cliff).",),
    "slide": ("The signal weakened before it was lost, more than the height explains (loss shape: slide).",),
}


def judge(picture: Picture, flight: Flight) -> Incident | None:
    if not flight.silences:
        return None
    return _incident(picture, flight)


def _is_confirmed(picture: Picture, silence: Silence) -> bool:
    at = picture.listened_reaches(silence.last_good_at, round(picture.timers.confirm_seconds * SECOND))
    return at is not None and at <= (picture.watermark or 0) and (silence.ended_at is None or at <= silence.ended_at)


def _incident(picture: Picture, flight: Flight) -> Incident:
    first, last = flight.silences[0], flight.silences[-1]
    reports = [picture.last_reported(silence.last_good_at) for silence in flight.silences]
    judged = [_severity(picture, flight, s, at) for s, at in zip(flight.silences, reports, strict=True)]
    top = picture.highest(flight.takeoff_at, flight.last_heard_before)
    shape = loss_shape(picture, last.last_good_at)
    known, inferred, not_known = _words(picture, flight, last, reports[-1], top[0] if top else None)
    return Incident(
        type=TYPE, subject=flight.vehicle, vehicle=flight.vehicle, link=_link_of(picture, last.last_good_at),
        flight=flight.name, severity=judged[-1][0], highest_severity=highest(*(one for _, one in judged)),
        starts_at=first.last_good_at,
        episodes=tuple((silence.raised_at, silence.ended_at) for silence in flight.silences),
        close_reason=last.close_reason, confirmed=_is_confirmed(picture, last),
        statement=_statement(picture, flight, reports[-1], top[0] if top else None),
        known=known, inferred=(*inferred, *_SHAPES.get(shape, ())), not_known=not_known,
        what_next=tuple(outlook(picture, flight, last)),
        evidence=_facts(picture, flight, last, reports[-1], top, shape),
    )  # fmt: skip


def _severity(picture: Picture, flight: Flight, silence: Silence, reported: Reported) -> tuple[Severity, Severity]:
    """(now, highest so far). From the real-time frames up to the last good one, and the plan; never from
    recorded frames."""
    entry = expected_loss(picture, flight, silence, reported)
    if entry is not None:
        still_open = silence.ended_at is None or silence.ended_at > entry.ends_at
        if still_open and (picture.watermark or 0) >= entry.ends_at:
            return "warning", "warning"
        return "notice", "notice"
    if _touchdown_was_near(reported) or _landed_not_confirmed(flight, silence) or _undecodable(picture, silence):
        return "warning", "warning"
    return "critical", "critical"


def expected_loss(picture: Picture, flight: Flight, silence: Silence, reported: Reported) -> ExpectedLoss | None:
    """The plan's entry that predicts this loss."""
    altitude = reported.altitude
    for entry in picture.mission.plan.expected_losses:
        if entry.vehicle != flight.vehicle or not entry.starts_at <= silence.last_good_at <= entry.ends_at:
            continue
        if entry.below_m is None or (altitude is not None and altitude <= entry.below_m):
            return entry
    return None


def _touchdown_was_near(reported: Reported) -> bool:
    altitude, rate = reported.altitude, reported.climb_rate
    if altitude is None or rate is None:
        return False
    return altitude < NEAR_GROUND_M and rate < 0 and altitude <= -rate * TOUCHDOWN_WITHIN_S


def _landed_not_confirmed(flight: Flight, silence: Silence) -> bool:
    return flight.landing_first_at is not None and flight.landing_first_at <= silence.last_good_at


def _undecodable(picture: Picture, silence: Silence) -> bool:
    middle = (silence.last_good_at + silence.raised_at) // 2
    bad = sum(picture.evidence.bins.count(link, middle, silence.raised_at)[1] for link in picture.links)
    return bad >= BAD_FRAMES_GO_ON


def _link_of(picture: Picture, last_good_at: int) -> str:
    """The link by which the last good frame came."""
    return min(
        (key[0] for key, segment in picture.evidence.heard.items() if segment.last == last_good_at),
        default=picture.links[0],
    )


def _doing(picture: Picture, reported: Reported) -> str:
    phase = reported.phase
    if phase is None:
        return "in flight"
    if phase in picture.vehicle.meanings.descending:
        return "during the planned landing"
    return f"in flight (phase {phase})"


def _statement(picture: Picture, flight: Flight, reported: Reported, top: float | None) -> str:
    reached = assigned_reached(flight, top)
    height = ""
    if reached is not None:
        height = f" {'reached' if reached else 'did not reach'} its assigned maximum altitude of {assigned(flight)};"
    elif top is not None:
        height = f" reached {metres(top)};"
    unseen = "" if flight.takeoff_seen else " (the take-off was not seen)"
    return f"{title(flight)}{unseen}:{height} {_doing(picture, reported)} communications ended early, before landing."


def _predicted_touchdown(reported: Reported) -> tuple[int, int] | None:
    """(earliest, latest): by the last reported rate, give or take a part of it."""
    altitude, at, rate = reported.altitude, reported.altitude_at, reported.climb_rate
    if altitude is None or at is None or rate is None or rate >= -0.05:
        return None
    span = max(0.0, altitude) / -rate * SECOND
    return at + round(span / (1 + RATE_HOLDS_WITHIN)), at + round(span / (1 - RATE_HOLDS_WITHIN))


Words = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def _words(picture: Picture, flight: Flight, silence: Silence, reported: Reported, top: float | None) -> Words:
    known = [_begin(flight)]
    reached = assigned_reached(flight, top)
    if top is not None:
        against = f"; the assigned maximum altitude of {assigned(flight)} was {'' if reached else 'not '}reached"
        known.append(f"Highest reported altitude {metres(top)}{against if reached is not None else ''}.")
    known.append(f"Last good frame at {instant(silence.last_good_at)}{_reported(reported, silence.last_good_at)}.")
    known.extend(last_words(picture, silence.last_good_at))
    known.extend(_nothing_new(picture, silence))
    known.append(f"A relay listened and heard nothing good for {seconds(silence.raised_at - silence.last_good_at)}.")
    if missing := picture.undelivered_between(silence.last_good_at, silence.raised_at):
        frames = "1 frame" if missing == 1 else f"{missing:,} frames"
        known.append(f"{frames} that a receiver heard about that time did not come.")
    if _undecodable(picture, silence):
        known.append("A signal was present in that time, and could not be decoded.")
    if (entry := expected_loss(picture, flight, silence, reported)) is not None:
        known.append(
            f"The plan expected a loss: {entry.reason} (entry {entry.name!r}, until {instant(entry.ends_at)})."
        )
    known.extend(_afterwards(picture, flight, silence))
    inferred = []
    if (touchdown := _predicted_touchdown(reported)) is not None:
        inferred.append(
            f"Touchdown between {instant(touchdown[0])} and {instant(touchdown[1])}, from the last reported altitude, "
            f"if the last reported rate held within {RATE_HOLDS_WITHIN:.0%}."
        )
    not_known = []
    if silence.close_reason in ("contact_restored", "landing_seen_in_late_data"):
        not_known.append("When and how the vehicle touched down: the landing itself was not seen live.")
    elif flight.landing_at is None:
        not_known.append("Whether and how the vehicle touched down: no landing was seen.")
    not_known.extend(_given_up(picture, silence))
    not_known.append("Why communications ended: frames do not say.")
    return tuple(known), tuple(inferred), tuple(not_known)


def _begin(flight: Flight) -> str:
    if flight.takeoff_seen:
        return f"Take-off at {instant(flight.takeoff_at)}."
    return f"The take-off was not seen; the vehicle was first heard in flight at {instant(flight.takeoff_at)}."


def _given_up(picture: Picture, silence: Silence) -> Iterator[str]:
    """What a link may have heard that is waited for no longer."""
    for link in sorted(picture.given_up):
        mark = picture.marks[link]
        if mark is None or mark < silence.raised_at:
            since = "" if mark is None else f" after {instant(mark)}"
            yield f"What {link} may have heard{since}: it has said nothing since, not even that its data ended."


def _reported(reported: Reported, last_good_at: int) -> str:
    """Each value with its age, where that is not of the last seconds; once, where it is that of all."""
    values = [
        (reported.altitude_at, "" if reported.altitude is None else f"altitude {metres(reported.altitude)}"),
        (reported.climb_rate_at, "" if reported.climb_rate is None else f"climb rate {reported.climb_rate:+.1f} m/s"),
        (reported.told_at, "" if reported.phase is None else f"phase {reported.phase}"),
    ]
    told = [(_age(at, last_good_at), text) for at, text in values if text]
    ages = {age for age, _ in told}
    if len(ages) > 1:
        told = [("", f"{text}{age}") for age, text in told]
        ages = {""}
    return (
        f"; last reported{ages.pop()}{':' if told[0][0] else ''} {', '.join(text for _, text in told)}" if told else ""
    )


def _age(told_at: int | None, at: int) -> str:
    return f" {seconds(at - told_at)} before" if told_at is not None and at - told_at > AGE_TOLD else ""


def _nothing_new(picture: Picture, silence: Silence) -> Iterator[str]:
    """Whether the frames before the silence had anything to say."""
    telemetry = last_telemetry(picture, silence.last_good_at)
    if telemetry is not None and silence.last_good_at - telemetry > picture.suspect:
        yield f"Last telemetry at {instant(telemetry)}; the frames after it carried only idle data."
    stood = standing_still(picture, silence.last_good_at)
    if stood is not None and silence.last_good_at - stood.since > picture.suspect:
        yield f"Last new data at {instant(stood.since)}; in the frames after it the on-board clock stood still."


def _afterwards(picture: Picture, flight: Flight, silence: Silence) -> Iterator[str]:
    if silence.alive_at is not None:
        later = seconds(silence.alive_at - silence.last_good_at)
        yield f"Next good frame at {instant(silence.alive_at)}, {later} later."
    if silence.close_reason == "contact_restored" and silence.alive_at is not None:
        heard = picture.last_reported(silence.ended_at or silence.alive_at)
        if heard.state == "ground" and (heard.told_at or 0) > silence.last_good_at:
            yield f"When contact was restored the vehicle was on the ground (phase {heard.phase})."
    if silence.restarted_at is not None:
        yield f"The vehicle had restarted when it was heard again (boot count up at {instant(silence.restarted_at)})."
    last = last_recorded(picture, flight)
    if last is not None and not picture.plays_back(last[1].spacecraft_time):
        altitude = "" if last[1].altitude is None else f" at {metres(last[1].altitude)}"
        landed = ", with the landed flag" if last[0].landed else ", without a landed flag"
        yield f"The recorded log of this flight ends {last_after(flight, last)} after take-off{altitude}{landed}."


def last_after(flight: Flight, sample: tuple[SampleKey, Values]) -> str:
    return seconds(sample[1].at - (flight.takeoff_spacecraft_time or 0))


def _facts(
    picture: Picture,
    flight: Flight,
    silence: Silence,
    reported: Reported,
    top: tuple[float, int] | None,
    shape: LossShape,
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "last_good_frame_at": rfc3339(silence.last_good_at),
        "loss_limit_s": picture.limits(silence.last_good_at).loss / SECOND,
        "highest_altitude_m": top[0] if top else None,
        "episodes": len(flight.silences),
        "loss_shape": shape,
    }
    facts |= {
        "last_phase": reported.phase,
        "last_altitude_m": reported.altitude,
        "last_climb_rate_m_s": reported.climb_rate,
    }
    if missing := picture.undelivered_between(silence.last_good_at, silence.raised_at):
        facts["undelivered_frames"] = missing
    if picture.given_up:
        facts["given_up_links"] = sorted(picture.given_up)
    facts |= last_facts(picture, silence.last_good_at)
    if silence.alive_at is not None:
        facts["vehicle_alive"] = rfc3339(silence.alive_at)
    if silence.restarted_at is not None:
        facts["restarted"] = True
    if (entry := expected_loss(picture, flight, silence, reported)) is not None:
        facts["expected_by_plan"] = entry.name
    return facts
