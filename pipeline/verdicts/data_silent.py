"""Frames of a flying vehicle come and carry no telemetry: only idle data, or idle packets. The link is there; what the
vehicle does is not known."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from pipeline.evidence.segments import Segment
from pipeline.outputs import rfc3339
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.new_data import ending, frames_came_for, telemetry_of
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.words import instant, seconds, title

TYPE: Final = "data_silent"


class Episode(NamedTuple):
    last_telemetry: int
    raised_at: int
    ended_at: int | None
    close_reason: str | None


def judge(picture: Picture, flight: Flight) -> Incident | None:
    episodes = list(_episodes(picture, flight))
    return _incident(picture, flight, episodes) if episodes else None


def _episodes(picture: Picture, flight: Flight) -> Iterator[Episode]:
    telemetry = telemetry_of(picture)
    mark = picture.watermark or 0
    for place in range(bisect_left(telemetry, flight.takeoff_at, key=lambda one: one.last), len(telemetry)):
        before = telemetry[place]
        after = telemetry[place + 1] if place + 1 < len(telemetry) else None
        if not flight.covers(before.last):
            return
        loss = picture.limits(before.last).loss
        if after is not None and after.first - before.last <= loss:
            continue
        raised_at = frames_came_for(picture, before.last, loss)
        if raised_at is None or raised_at > mark or (after is not None and after.first <= raised_at):
            continue
        if not flight.covers(raised_at) or flight.silent_at(raised_at):
            continue  # whether the vehicle still flies is not known then
        if picture.owed_between(before.last, raised_at):
            continue
        back = (_again(picture, stretch) for stretch in islice(telemetry, place + 1, None))
        episode = Episode(before.last, raised_at, *ending(picture, flight, raised_at, back))
        yield episode
        if episode.ended_at is None:
            return


def _again(picture: Picture, stretch: Segment) -> int | None:
    return picture.holds_from(stretch)


def _incident(picture: Picture, flight: Flight, episodes: list[Episode]) -> Incident:
    last = episodes[-1]
    limit = seconds(picture.limits(last.last_telemetry).loss)
    return Incident(
        type=TYPE, subject=flight.vehicle, vehicle=flight.vehicle, link="", flight=flight.name,
        severity="warning", highest_severity="warning", starts_at=episodes[0].last_telemetry,
        episodes=tuple((one.raised_at, one.ended_at) for one in episodes), close_reason=last.close_reason,
        statement=f"{title(flight)}: frames came and carried no telemetry.",
        known=tuple(
            f"Last telemetry at {instant(one.last_telemetry)}; frames went on for {limit} and more with only idle data."
            for one in episodes[-3:]
        ),
        not_known=("What the vehicle did in that time: its frames do not say.",),
        evidence={"episodes": len(episodes), "last_telemetry_at": rfc3339(last.last_telemetry)},
    )  # fmt: skip
