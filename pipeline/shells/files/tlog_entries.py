"""The records of a tlog file, and what stands between them where it was broken. Knows octets and no clock."""

import re
from collections.abc import Iterator
from mmap import mmap
from typing import Final, NamedTuple

from pipeline.frames.mavlink import Message, read_message, starts_whole_message, stated_length

_TIME_OCTETS: Final = 8
_LAST_MICROSECOND: Final = 4_102_444_800_000_000
"""2100-01-01: a time after it is none."""
_MAGIC: Final = re.compile(rb"[\xfe\xfd]")

MAX_JUNK_OCTETS: Final = 65_536
"""Of a longer stretch that holds no message only the first octets are kept."""


class Entry(NamedTuple):
    offset: int
    time: int | None
    """Nanoseconds since 1970; None where there is none to read."""
    octets: bytes
    """The message, or what stands where one should."""
    message: Message | None
    """None where it did not pass its check."""
    is_junk: bool
    """What follows is not where the length in this message says."""
    cut_off: str | None = None
    """Of the last one: how the file stops short here."""


def entries(octets: bytes | mmap) -> Iterator[Entry]:
    """Every record of the file. A message that fails its check is one entry; where no record follows it, so are all
    octets up to the next whole good message. A record broken off by the end of the file has no octets here."""
    at, size = 0, len(octets)
    while at < size:
        start = at + _TIME_OCTETS
        time = _time(octets, at)
        length = None if time is None else stated_length(octets, start)
        end = None if length is None else start + length
        if end is not None and end <= size:
            frame = octets[start:end]
            message = read_message(frame)
            if isinstance(message, Message):
                yield Entry(at, time, frame, message, False)
                at = end
                continue
            if end == size or _may_start_record(octets, end):
                yield Entry(at, time, frame, None, False)
                at = end
                continue
        after = _next_good(octets, at + 1 if end is None or end > size else end)
        if after is None and _stops_inside(size, at, start, end):
            wanted = "its length" if end is None else f"{end - at} octets"
            yield Entry(at, time, b"", None, False, f"stops after {size - at} octets of {wanted}")
            return
        skipped = (size if after is None else after) - at
        cut_off = (
            f"is no message, nor is anything in the {skipped} octets from there to the end" if after is None else None
        )
        yield Entry(at, time, octets[at : at + min(skipped, MAX_JUNK_OCTETS)], None, True, cut_off)
        at += skipped


def _time(octets: bytes | mmap, at: int) -> int | None:
    microseconds = int.from_bytes(octets[at : at + _TIME_OCTETS], "big")
    return microseconds * 1_000 if microseconds < _LAST_MICROSECOND else None


def _may_start_record(octets: bytes | mmap, at: int) -> bool:
    return _time(octets, at) is not None and stated_length(octets, at + _TIME_OCTETS) is not None


def _stops_inside(size: int, at: int, start: int, end: int | None) -> bool:
    """Whether what is left is the beginning of a record: a message longer than the rest, or too short to tell."""
    return end is not None if size - start >= 3 else size - at > 0


def _next_good(octets: bytes | mmap, at: int) -> int | None:
    """Where the next record starts that is whole and passes its check."""
    for magic in _MAGIC.finditer(octets, at + _TIME_OCTETS):
        record = magic.start() - _TIME_OCTETS
        if _time(octets, record) is not None and starts_whole_message(octets, magic.start()):
            return record
    return None
