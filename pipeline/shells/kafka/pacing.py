"""When each record of a recording is due in a replay: a pure function of the records and the speed. Knows no clock:
`publish` waits, this says until when."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pipeline.errors import RelayWatchError
from pipeline.records import SECOND, FramesReceived, Record

JUMP_AFTER: Final = 10 * SECOND
"""A stretch of the recording without a frame that is longer than this is jumped."""

SLOWEST: Final = 0.01
FASTEST: Final = 100_000.0


class Step(NamedTuple):
    record: Record
    due_seconds: float
    """After the start of the replay."""
    jumped: int
    """Nanoseconds of the recording, from the last frame to this record, that were not waited for; 0 where the replay
    kept its pace."""

    @property
    def has_frames(self) -> bool:
        return has_frames(self.record)


def read_speed(text: str) -> float | None:
    """How many seconds of the recording pass in one: "20" or "20x"; None for "max", as fast as Kafka takes them.

    Raises RelayWatchError where it is neither.
    """
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x").removesuffix("×"))
    except ValueError:
        speed = 0.0
    if not SLOWEST <= speed <= FASTEST:
        raise RelayWatchError(
            f"--speed is {text!r}: give a number from {SLOWEST:g} to {FASTEST:.0f}, for example 20 (1 is the pace of "
            "the recording), or max"
        )
    return speed


def has_frames(record: Record) -> bool:
    return isinstance(record, FramesReceived) and len(record.relay_receive_times) > 0


def pace(records: Iterable[Record], speed: float | None) -> Iterator[Step]:
    """The records in the order in which they come, each with the time at which it is due.

    A record is due when its earth receive time comes, `speed` times as fast (None: at once). In a stretch of more
    than JUMP_AFTER without a frame the records are due all at once, right after the frame before it. Time does not go
    back: a record that arrived out of order is due with the one before it. Holds at most JUMP_AFTER of records.
    """
    held: list[tuple[int, Record]] = []
    start: int | None = None
    reached = last_frame_at = skipped = 0

    def step(record: Record, at: int, jumped: int = 0) -> Step:
        passed = (at - (start or 0) - skipped) / SECOND
        return Step(record, 0.0 if speed is None else passed / speed, jumped)

    for record in records:
        if start is None:
            start = reached = last_frame_at = record.earth_receive_time
        reached = max(reached, record.earth_receive_time)
        stretch = reached - last_frame_at
        if stretch > JUMP_AFTER:
            yield from (step(waiting, last_frame_at, at - last_frame_at) for at, waiting in held)
            held.clear()
            yield step(record, last_frame_at, stretch)
        elif has_frames(record):
            yield from (step(waiting, at) for at, waiting in held)
            held.clear()
            yield step(record, reached)
        else:
            held.append((reached, record))
        if has_frames(record):
            skipped += stretch if stretch > JUMP_AFTER else 0
            last_frame_at = reached
    yield from (step(waiting, at) for at, waiting in held)
