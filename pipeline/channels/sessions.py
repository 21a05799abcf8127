"""Which sessions of its receiver a link had in each ten minutes of the relay's clock: whoever publishes names them, and
what is remembered of each has to have an end. A session takes one of the places with a good frame, or with its third
listening record: names that somebody made up take none from the receiver. Knows no frame."""

import struct
from collections.abc import Callable, Iterable
from typing import Final

from pipeline.channels.chunks import Chunks
from pipeline.records import LISTENED_TO_COUNT, STRETCH, DataEnded, FramesReceived, Listened, Record

MOST_SESSIONS: Final = 200
"""Of one link in ten minutes: a receiver that starts anew every three seconds."""
MOST_NAMES: Final = 1_000
"""Of sessions that are remembered, with those that have no place yet."""
_ENTRY_OCTETS: Final = 9


class Sessions:
    """Number of a stretch of ten minutes → the sessions that told of it, each with how many of its records showed that
    it is a receiver's: with LISTENED_TO_COUNT it has a place."""

    __slots__ = ("chunks",)

    def __init__(self) -> None:
        self.chunks: Chunks[dict[int, int]] = Chunks("sessions", dict, _pack, _unpack)

    def take(self, record: Record, *, heard: bool) -> None:
        """`heard`: a good frame is in the record."""
        shown = LISTENED_TO_COUNT if heard else 1 if isinstance(record, Listened) else 0
        for stretch in _stretches(record):
            sessions = self.chunks.get(stretch) or {}
            before = sessions.get(record.session)
            after = min((before or 0) + shown, LISTENED_TO_COUNT)
            if after != before and (before is not None or after == LISTENED_TO_COUNT or len(sessions) < MOST_NAMES):
                self.chunks.change(stretch)[record.session] = after

    def has_room(self, record: Record, heard: Callable[[], bool]) -> bool:
        """Whether the record's session has a place in all that it tells of, or may still take one. Where too many names
        are remembered, a new one may with a good frame alone: `heard` says whether one is in the record."""
        known = (self.chunks.get(stretch) or {} for stretch in _stretches(record))
        return all(_has_room(sessions, record.session, heard) for sessions in known)


def _has_room(sessions: dict[int, int], session: int, heard: Callable[[], bool]) -> bool:
    if sessions.get(session) == LISTENED_TO_COUNT:
        return True
    if sum(shown == LISTENED_TO_COUNT for shown in sessions.values()) >= MOST_SESSIONS:
        return False
    return session in sessions or len(sessions) < MOST_NAMES or heard()


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


def _pack(sessions: dict[int, int]) -> bytes:
    names = sorted(sessions)
    return struct.pack(f">{len(names)}q{len(names)}B", *names, *(sessions[name] for name in names))


def _unpack(octets: bytes) -> dict[int, int]:
    count = len(octets) // _ENTRY_OCTETS
    values = struct.unpack(f">{count}q{count}B", octets)
    return dict(zip(values[:count], values[count:], strict=True))
