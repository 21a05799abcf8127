"""Time codes (CCSDS 301.0-B-4) without their P-field: what it would say is managed. Knows octets and epochs of
nobody: a time is nanoseconds since the code's own epoch."""

from typing import Final

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND
MILLISECOND: Final = 1_000_000


def unsegmented(octets: bytes, basic_octets: int, fractional_octets: int) -> int | None:
    """CUC: whole seconds and binary fractions of one, rounded to the nearest nanosecond. None where there are fewer
    octets than the code has."""
    used = basic_octets + fractional_octets
    if len(octets) < used:
        return None
    bits = 8 * fractional_octets
    return (int.from_bytes(octets[:used], "big") * SECOND + (1 << bits >> 1)) >> bits


def day_segmented(octets: bytes, day_octets: int = 2, submillisecond_octets: int = 0) -> int | None:
    """CDS: days, 4 octets of milliseconds of the day, then nothing, 2 octets of microseconds or 4 of picoseconds of
    the millisecond. None where there are fewer octets than the code has, or the millisecond is not one of a day (a
    leap second's are)."""
    used = day_octets + 4 + submillisecond_octets
    if len(octets) < used:
        return None
    day = int.from_bytes(octets[:day_octets], "big")
    millisecond = int.from_bytes(octets[day_octets : day_octets + 4], "big")
    if millisecond >= 86_401_000:
        return None
    rest = int.from_bytes(octets[day_octets + 4 : used], "big")
    nanoseconds = {0: 0, 2: rest * 1_000, 4: rest // 1_000}[submillisecond_octets]
    return day * DAY + millisecond * MILLISECOND + nanoseconds
