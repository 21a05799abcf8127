"""The data stop while the vehicle flies, and nobody says that the receiver listened on: a loss of communication is
not proven."""

from collections.abc import Iterator
from typing import Final

from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight
from pipeline.verdicts.incident import Incident
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.words import instant, metres, seconds, title

TYPE: Final = "recording_truncated"


def judge(picture: Picture, flights: tuple[Flight, ...]) -> Iterator[Incident]:
    if not picture.evidence.stopped.values or not flights or flights[-1].over_at is not None:
        return
    flight = flights[-1]
    last_heard = picture.heard[-1].last
    if flight.silent_at(last_heard) or (flight.silences and flight.silences[-1].ended_at is None):
        return  # the silence itself was listened to: that is told by ended_before_landing
    for session in picture.sessions:
        whole = picture.evidence.stopped.values.get(session)
        reached = picture.evidence.reached.values.get(session)
        if whole is None or reached is None or session in picture.evidence.ended.values or reached < last_heard:
            continue
        height = picture.last_reported(last_heard).altitude
        listened = picture.listened_between(last_heard, reached + SECOND)
        altitude = "" if height is None else f" at {metres(height)}"
        cut = "The recording stops" if whole else "The file is cut off"
        yield Incident(
            type=TYPE, subject=session.link, vehicle=flight.vehicle, link=session.link, flight=flight.name,
            severity="warning", highest_severity="warning", starts_at=last_heard,
            episodes=((max(reached, last_heard), None),), close_reason=None,
            statement=f"{title(flight)}: the recording stops while the vehicle is flying{altitude}; "
            "a loss of communication is not proven.",
            known=(
                f"{cut} at {instant(reached)} without an end of data.",
                f"Last good frame at {instant(last_heard)}; the receiver is known to have listened "
                f"only {seconds(listened)} after it.",
            ),
            not_known=("Whether the transmission went on after the recording.", "Whether the vehicle landed."),
            evidence={"listened_after_last_frame_s": listened / SECOND, "recording_whole": bool(whole)},
        )  # fmt: skip
        return
