"""What comes next for a flight that fell silent: windows, data still stored on board, and until when the flight stays
open to amendment. Knows the plan and the evidence; promises nothing."""

from collections.abc import Iterator

from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight, Silence
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.recorded_log import last_recorded
from pipeline.verdicts.words import instant


def outlook(picture: Picture, flight: Flight, silence: Silence) -> Iterator[str]:
    mark = picture.watermark or 0
    if silence.ended_at is None:
        yield from _windows(picture, mark)
    if silence.close_reason != "resumed_in_flight":
        recorded = last_recorded(picture, flight)
        if recorded is None:
            yield f"What the vehicle stored of this flight after {instant(silence.last_good_at)} has not been received."
        elif not recorded[0].landed:
            yield "What the vehicle stored after the end of the log received so far may still come."
    until = silence.last_good_at + round(picture.timers.late_days * 86_400 * SECOND)
    yield f"Late data of this flight amend this alert until {instant(until)}."


def _windows(picture: Picture, mark: int) -> Iterator[str]:
    windows = sorted(
        (one for one in picture.mission.plan.windows if one.vehicle == picture.vehicle.name and one.ends_at > mark),
        key=lambda one: (one.starts_at, one.link),
    )
    for window in windows[:2]:
        if window.starts_at <= mark:
            yield f"Listening goes on in window {window.name!r} until {instant(window.ends_at)}."
        else:
            yield f"Next window: {window.name!r} from {instant(window.starts_at)}."
    if not windows and picture.mission.plan.windows:
        yield "No further contact window stands in the plan."
