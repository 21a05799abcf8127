"""What a vehicle last said of itself beside altitude, rate and phase: flight mode, errors in its own words, position.
Knows the readings of MAVLink; knows no rule."""

from collections.abc import Iterator
from typing import Any, Final

from pipeline.outputs import rfc3339
from pipeline.packets.mavlink import Reading, reading_of
from pipeline.records import SECOND
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.words import instant, seconds

TEXTS_WITHIN: Final = 60 * SECOND
TEXTS_SHOWN: Final = 5
AGE_TOLD: Final = 3 * SECOND
_GEODETIC: Final = ("GLOBAL_POSITION_INT", "HIGH_LATENCY2")


def last_words(picture: Picture, at: int) -> Iterator[str]:
    """What was known at an instant, in sentences."""
    mode = _last(picture, "HEARTBEAT", at)
    if mode is not None and mode[1].mode:
        yield f"Flight mode {mode[1].mode}, last reported at {instant(mode[0])}."
    if (position := last_position(picture, at)) is not None:
        said_at, reading = position
        age = f", {seconds(at - said_at)} before the last good frame" if at - said_at > AGE_TOLD else ""
        yield f"Last known position {_place(reading)} at {instant(said_at)}{age}{_motion(reading)}."
    for said_at, text in _texts(picture, at):
        yield f"The vehicle reported an error at {instant(said_at)}: {text!r}."


def last_facts(picture: Picture, at: int) -> dict[str, Any]:
    """The same for machines; what is not known is left out."""
    facts: dict[str, Any] = {}
    mode = _last(picture, "HEARTBEAT", at)
    if mode is not None and mode[1].mode:
        facts["last_mode"] = mode[1].mode
    if (position := last_position(picture, at)) is not None:
        said_at, reading = position
        names = {
            "latitude": "latitude_deg", "longitude": "longitude_deg", "height": "height_m", "east": "east_m",
            "north": "north_m", "course": "course_deg", "speed": "speed_m_s",
        }  # fmt: skip
        known = {key: value for name, key in names.items() if (value := getattr(reading, name)) is not None}
        facts["last_position"] = {"at": rfc3339(said_at), **known}
    return facts


def last_position(picture: Picture, at: int) -> tuple[int, Reading] | None:
    """The last position not after an instant, of the first message that had one."""
    found = (_last(picture, message, at, wanted="latitude") for message in _GEODETIC)
    local = _last(picture, "LOCAL_POSITION_NED", at, wanted="east")
    return next((one for one in (*found, local) if one is not None), None)


def _last(picture: Picture, message: str, at: int, wanted: str = "") -> tuple[int, Reading] | None:
    for point in picture.evidence.readings.backwards(message, at):
        reading = reading_of(message, point[1:])
        if not wanted or getattr(reading, wanted) is not None:
            return point[0], reading
    return None


def _texts(picture: Picture, at: int) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for point in picture.evidence.readings.backwards("STATUSTEXT", at):
        if point[0] < at - TEXTS_WITHIN or len(found) == TEXTS_SHOWN:
            break
        found.append((point[0], str(point[1])))
    return found[::-1]


def _place(reading: Reading) -> str:
    if reading.latitude is not None and reading.longitude is not None:
        return f"{reading.latitude:.6f}°, {reading.longitude:.6f}°"
    return f"{reading.east or 0.0:.1f} m east, {reading.north or 0.0:.1f} m north"


def _motion(reading: Reading) -> str:
    speed = "" if reading.speed is None else f"; speed {reading.speed:.1f} m/s"
    return speed + ("" if reading.course is None else f", course {reading.course:.0f}°")
