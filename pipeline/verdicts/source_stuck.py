"""Frames of a flying vehicle come with new counts and say the same over and over: its on-board clock stands still. The
link is there; what it says is old."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.outputs import rfc3339
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.new_data import came_again, ending, frames_came_for, standstills
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.words import instant, seconds, title

TYPE: Final = "source_stuck"


class Episode(NamedTuple):
    last_new: int
    raised_at: int
    ended_at: int | None
    close_reason: str | None


def judge(picture: Picture, flight: Flight) -> Incident | None:
    episodes = list(_episodes(picture, flight))
    return _incident(picture, flight, episodes) if episodes else None


def _episodes(picture: Picture, flight: Flight) -> Iterator[Episode]:
    mark = picture.watermark or 0
    for stood in standstills(picture):
        if not flight.covers(stood.since):
            continue
        raised_at = frames_came_for(picture, stood.since, picture.limits(stood.since).loss)
        if raised_at is None or raised_at > min(mark, stood.until) or picture.owed_between(stood.since, raised_at):
            continue
        if not flight.covers(raised_at) or flight.silent_at(raised_at):
            continue  # whether the vehicle still flies is not known then
        back = None if stood.new_at is None else came_again(picture, stood.new_at)
        episode = Episode(stood.since, raised_at, *ending(picture, flight, raised_at, [back]))
        yield episode
        if episode.ended_at is None:
            return


def _incident(picture: Picture, flight: Flight, episodes: list[Episode]) -> Incident:
    last = episodes[-1]
    limit = seconds(picture.limits(last.last_new).loss)
    return Incident(
        type=TYPE, subject=flight.vehicle, vehicle=flight.vehicle, link="", flight=flight.name,
        severity="warning", highest_severity="warning", starts_at=episodes[0].last_new,
        episodes=tuple((one.raised_at, one.ended_at) for one in episodes), close_reason=last.close_reason,
        statement=f"{title(flight)}: frames came and said nothing new.",
        known=tuple(
            f"Last new data at {instant(one.last_new)}; new frames came for {limit} and more, and the on-board clock "
            "in them stood still."
            for one in episodes[-3:]
        ),
        not_known=("What the vehicle did in that time: its frames repeat what they said before.",),
        evidence={"episodes": len(episodes), "last_new_data_at": rfc3339(last.last_new)},
    )  # fmt: skip
