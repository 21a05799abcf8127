"""Which sessions of its receiver a link had in each ten minutes of the relay's clock: whoever publishes names them, and
what is remembered of each has to have an end. Knows no frame."""

import struct
from collections.abc import Iterable
from typing import Final

from pipeline.channels.chunks import Chunks
from pipeline.records import STRETCH, DataEnded, FramesReceived, Listened, Record

MOST_SESSIONS: Final = 200
"""Of one link in ten minutes: a receiver that starts anew every three seconds."""


class Sessions:
    """Number of a stretch of ten minutes → the sessions that told of it."""

    __slots__ = ("chunks",)

    def __init__(self) -> None:
        self.chunks: Chunks[set[int]] = Chunks("sessions", set, _pack, _unpack)

    def take(self, record: Record) -> None:
        for stretch in _stretches(record):
            if record.session not in (self.chunks.get(stretch) or ()):
                self.chunks.change(stretch).add(record.session)

    def has_room(self, record: Record) -> bool:
        """Whether the record's session is known in all that it tells of, or one more may be."""
        known = (self.chunks.get(stretch) or () for stretch in _stretches(record))
        return all(record.session in sessions or len(sessions) < MOST_SESSIONS for sessions in known)


def _stretches(record: Record) -> Iterable[int]:
    if isinstance(record, FramesReceived):
        times = record.relay_receive_times
        if len(times) < 2:
            return ((int(times[0]) if len(times) else record.earth_receive_time) // STRETCH,)
        first, last = int(times.min()) // STRETCH, int(times.max()) // STRETCH
        return (first,) if first == last else {at // STRETCH for at in times.tolist()}
    if isinstance(record, Listened):
        return {record.starts_at // STRETCH, record.ends_at // STRETCH}
    at = record.relay_receive_time if isinstance(record, DataEnded) else record.earth_receive_time
    return (at // STRETCH,)


def tells_no_more(record: Record, than: Record) -> bool:
    """Whether all that it tells of is of the other's session and of ten minutes that the other told of too."""
    return record.session == than.session and set(_stretches(record)) <= set(_stretches(than))


def _pack(sessions: set[int]) -> bytes:
    return struct.pack(f">{len(sessions)}q", *sorted(sessions))


def _unpack(octets: bytes) -> set[int]:
    return set(struct.unpack(f">{len(octets) // 8}q", octets))
