"""How far a replay is, on standard error: a bar where that is a terminal, a line now and then where not, and a line for
each stretch that is jumped. Knows the clock only to say less often."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from pipeline.records import SECOND
from pipeline.shells.kafka.pacing import Step
from pipeline.shells.kafka.publish import Published
from pipeline.shells.terminal import Progress, note
from pipeline.verdicts.words import instant, seconds

_LINE_EVERY_SECONDS: Final = 10.0


class Source(Protocol):
    """A recording that is being read."""

    size: int
    octets_read: int


class ReplayProgress:
    """Takes each step as it is published. A context manager: at its end the bar is gone, and the last jump is said."""

    def __init__(self, source: Source, say: Callable[[str], None] = note) -> None:
        self._source = source
        self._say = say
        self._bar = Progress("replay", source.size)
        self._jumped = 0
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Nothing more comes."""
        self._end_jump()
        self._bar.clear()

    def __call__(self, step: Step, published: Published) -> None:
        self._jumped = step.jumped or self._jumped
        if step.has_frames:
            self._end_jump()
        text = f"{instant(step.record.earth_receive_time)}, {published.frames:,} frames"
        if self._bar.is_shown:
            self._bar.show(self._source.octets_read, text)
        elif time.monotonic() - self._said_at >= _LINE_EVERY_SECONDS:
            self._said_at = time.monotonic()
            self._say(f"replay {self._source.octets_read / max(1, self._source.size):.0%}: {text}")

    def say(self, text: str) -> None:
        """A line that the bar does not get into."""
        self._bar.clear()
        self._say(text)

    def clear(self) -> None:
        """Takes the bar away, so that something else can be written."""
        self._bar.clear()

    def _end_jump(self) -> None:
        if self._jumped:
            self.say(f"jumped {_passed(self._jumped)} in which no frame came")
            self._jumped = 0


def _passed(nanoseconds: int) -> str:
    days = nanoseconds / SECOND / 86_400
    return f"{days:.1f} days" if days >= 1.5 else seconds(nanoseconds)
