"""Numbers, instants and places as a person reads them. Texts are stable: tests hold them."""

import datetime as dt
from functools import lru_cache
from typing import Final

from pipeline.records import SECOND
from pipeline.verdicts.flights import Flight

FOOT: Final = 0.3048
REACHED_WITHIN_M: Final = 0.5
REACHED_WITHIN: Final = 0.05


@lru_cache(maxsize=1024)
def instant(at: int) -> str:
    """2024-01-18 12:00:30.0 UTC."""
    tenths = round(at / (SECOND // 10))
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=tenths // 10)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{tenths % 10} UTC"


def seconds(nanoseconds: int) -> str:
    """3.0 s, 15 min, 2.0 days: the unit a person would use."""
    amount = nanoseconds / SECOND
    if amount < 120:
        return f"{amount:.1f} s"
    if amount < 7200:
        return f"{amount / 60:.0f} min"
    if amount < 129_600:
        return f"{amount / 3600:.1f} h"
    return f"{amount / 86_400:.1f} days"


def metres(value: float) -> str:
    return f"{value:.1f} m"


def assigned(flight: Flight) -> str | None:
    """The assigned maximum altitude, with feet where it was given so; None where none was assigned."""
    planned = flight.planned
    if planned is None or planned.assigned_altitude_m is None:
        return None
    value = planned.assigned_altitude_m
    return f"{value:.0f} m, {value / FOOT:.0f} ft" if planned.altitude_in_feet else f"{value:g} m"


def assigned_reached(flight: Flight, highest: float | None) -> bool | None:
    """Whether the assigned altitude was reached; None where none was assigned or none reported."""
    planned = flight.planned
    if planned is None or planned.assigned_altitude_m is None or highest is None:
        return None
    wanted = planned.assigned_altitude_m
    return highest >= wanted - max(REACHED_WITHIN_M, REACHED_WITHIN * wanted)


def title(flight: Flight) -> str:
    return f"Flight {flight.name}" if flight.planned else f"Flight of {flight.name}"
