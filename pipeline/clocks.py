"""Whether the times that a record says can all be true. Knows records; reads no clock: Kafka's timestamp is given.

Evidence only grows, so nothing takes back what a wrong time made of it: a record with one is refused at the door.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from pipeline.errors import RecordError
from pipeline.records import EARLIEST, LATEST, SECOND, DataEnded, FramesReceived, Listened, Record
from pipeline.telemetry import Telemetry

Clock = Literal["relay", "earth"]

IMPLAUSIBLE_TIME: Final = "implausible_time"
"""Reason under which a record is rejected whose times cannot all be true."""
LONGEST_LISTENED: Final = 60 * SECOND
"""Of one listening record: one that reaches further ahead would say now that nothing will be heard."""


class Time(NamedTuple):
    """A time as a record says it."""

    field: str
    at: int
    """Nanoseconds since 1970-01-01T00:00:00Z, on the clock of the field."""

    def __str__(self) -> str:
        if not EARLIEST <= self.at < LATEST:
            return f"{self.field} ({self.at} ns)"
        moment = dt.datetime.fromtimestamp(self.at // SECOND, dt.UTC)
        return f"{self.field} ({moment:%Y-%m-%dT%H:%M:%S}.{self.at % SECOND // 1_000_000:03d}Z)"


class ImplausibleTimeError(RecordError):
    """A record whose times cannot all be true."""

    def __init__(self, message: str, ahead: tuple[Clock, int] | None = None) -> None:
        super().__init__(IMPLAUSIBLE_TIME, message)
        self.ahead = ahead
        """The clock that is ahead, the relay's of the earth's or the earth's of Kafka's, and by how many nanoseconds;
        None: the disagreement is another one."""


def check_times(record: Record | Telemetry, tolerance: int, published_at: int | None = None) -> None:
    """Raises ImplausibleTimeError, which names the fields, where two times of a record contradict each other.

    `tolerance`: nanoseconds by which two clocks may differ. `published_at`: of a live record Kafka's timestamp; None
    where the record is not live, since a replay may be of any day.
    """
    session, earth = Time("session", record.session), Time("earth_receive_time", record.earth_receive_time)
    listened = record.listened if isinstance(record, Telemetry) else record if isinstance(record, Listened) else None
    relay = _relay_times(record)
    for time in (session, earth, *relay):
        if not EARLIEST <= time.at < LATEST:
            raise ImplausibleTimeError(f"{time} is not a time from 1971 to 2199")
    if listened is not None:
        _check_interval(Time("starts_at", listened.starts_at), Time("ends_at", listened.ends_at))
    earliest, latest = min(relay, key=_at, default=earth), max(relay, key=_at, default=earth)
    _check_order("relay", latest, earth, tolerance)
    if session.at > earliest.at + tolerance:
        raise ImplausibleTimeError(
            f"{session} is {_seconds(session.at - earliest.at)} after {earliest}: a session starts before all that is "
            f"received in it; the tolerance is {_seconds(tolerance)} (clock_tolerance_s)"
        )
    if published_at is not None:
        _check_order("earth", earth, Time("Kafka's timestamp", published_at), tolerance)


def _relay_times(record: Record | Telemetry) -> Sequence[Time]:
    """Of many the earliest and the latest."""
    if isinstance(record, FramesReceived):
        times = record.relay_receive_times
        return [Time("relay_receive_times", int(at)) for at in ((times.min(), times.max()) if len(times) else ())]
    if isinstance(record, Listened):
        return Time("starts_at", record.starts_at), Time("ends_at", record.ends_at)
    if isinstance(record, DataEnded) or (isinstance(record, Telemetry) and record.relay_receive_time is not None):
        return (Time("relay_receive_time", record.relay_receive_time or 0),)
    return ()


def _check_interval(starts_at: Time, ends_at: Time) -> None:
    if ends_at.at < starts_at.at:
        raise ImplausibleTimeError(f"{ends_at} is before {starts_at}: the listening record ends before it starts")
    if ends_at.at - starts_at.at > LONGEST_LISTENED:
        raise ImplausibleTimeError(
            f"{ends_at} is {_seconds(ends_at.at - starts_at.at)} after {starts_at}; a listening record is at most "
            f"{_seconds(LONGEST_LISTENED)} long"
        )


def _check_order(clock: Clock, earlier: Time, later: Time, tolerance: int) -> None:
    ahead = earlier.at - later.at
    if ahead > tolerance:
        raise ImplausibleTimeError(
            f"{earlier} is {_seconds(ahead)} ahead of {later}; the tolerance is {_seconds(tolerance)} "
            f"(clock_tolerance_s): the {clock}'s clock runs ahead, or the record says a wrong time",
            (clock, ahead),
        )


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / SECOND:.3f} s"


def _at(time: Time) -> int:
    return time.at
