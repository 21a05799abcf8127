"""The order of arrival in a file: a record whose earth receive time fits neither its neighbour before nor the one after
is set aside, and what follows it keeps its own times. Knows records; knows no file."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.records import SECOND, Record

_APART: Final = 10 * SECOND
"""By which the earth receive time of one record may differ from those of both its neighbours."""
_WAITING: Final = 64
"""So many records of other sessions are waited through for the neighbour after."""


def in_order(records: Iterable[Record], notes: list[str], name: str) -> Iterator[Record]:
    """The records but for those that are set aside; `notes` gets a line for each of these.

    Neighbours are records of one session with sequence numbers that follow one another and stand so in the file. Where
    a file holds its records in another order, nothing can be said of them.
    """
    before: dict[tuple[str, int], Record] = {}
    waiting: list[Record] = []
    for record in records:
        neighbour = before.get(_session(record))
        if waiting:
            waiting.append(record)
            if _session(record) != _session(waiting[0]) and len(waiting) < _WAITING:
                continue
            if _is_alone(before[_session(waiting[0])], waiting[0], record):
                notes.append(f"{name}: {_said(waiting.pop(0), record)}")
        elif neighbour is not None and _follows(neighbour, record) and _differ(neighbour, record):
            waiting.append(record)
            continue
        else:
            waiting.append(record)
        for passed in waiting:
            before[_session(passed)] = passed
        yield from waiting
        waiting = []
    yield from waiting


def _session(record: Record) -> tuple[str, int]:
    return record.link, record.session


def _follows(before: Record, record: Record) -> bool:
    return _session(record) == _session(before) and record.sequence == before.sequence + 1


def _differ(one: Record, other: Record) -> bool:
    return abs(one.earth_receive_time - other.earth_receive_time) > _APART


def _is_alone(before: Record, record: Record, after: Record) -> bool:
    if not _follows(record, after):
        return False
    earth, around = record.earth_receive_time, (before.earth_receive_time, after.earth_receive_time)
    return earth > max(around) + _APART or earth < min(around) - _APART


def _said(record: Record, after: Record) -> str:
    ahead = (record.earth_receive_time - after.earth_receive_time) / SECOND
    return (
        f"record {record.sequence} of session {record.session} of link {record.link} is set aside: its earth receive "
        f"time is {abs(ahead):.3f} s {'after' if ahead > 0 else 'before'} that of the record after it"
    )
