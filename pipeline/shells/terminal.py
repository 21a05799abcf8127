"""What people and programs see: text and tables on standard output, JSON Lines with --json, notes and progress on
standard error. Knows the terminal and nothing of what is shown."""

import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

import orjson

_BAR_CELLS: Final = 24
_REDRAW_SECONDS: Final = 0.1


def say(text: str = "") -> None:
    """A line, or several, on standard output."""
    sys.stdout.write(text + "\n")


def say_json(body: Any) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(orjson.dumps(body).decode() + "\n")


def note(text: str) -> None:
    """A line on standard error, in the form that faults have there."""
    sys.stdout.flush()
    sys.stderr.write(f"relaywatch: {text}\n")
    sys.stderr.flush()


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as what stands in them, numbers to the right. None is shown as a dash; whole numbers have their
    thousands marked. No line has blanks at its end."""
    texts = [[_cell(value) for value in row] for row in rows]
    numeric = [bool(texts) and all(_is_number(row[at]) for row in texts) for at in range(len(heads))]
    widths = [max(map(len, column)) for column in zip(heads, *texts, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, numeric))
        for row in [list(heads), ["-" * width for width in widths], *texts]
    ]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").removeprefix("-").isdecimal()


class Progress:
    """One line on standard error that is drawn over; silent where that is no terminal. A context manager: the line is
    gone at its end."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self.is_shown = sys.stderr.isatty()
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Takes the line away, so that another can be written; the next `show` draws it again."""
        if self.is_shown and self._drawn_at:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn_at = 0.0

    def show(self, done: int, text: str = "") -> None:
        """`done` of `total`, and a word on it. Cheap enough to be called for every record."""
        if not self.is_shown:
            return
        now = time.monotonic()
        if now - self._drawn_at < _REDRAW_SECONDS:
            return
        self._drawn_at = now
        part = min(1.0, done / self._total) if self._total else 1.0
        full = round(part * _BAR_CELLS)
        bar = "#" * full + "." * (_BAR_CELLS - full)
        line = f"{self._what} [{bar}] {part:4.0%} {text}"
        # A line that wraps could not be drawn over.
        sys.stderr.write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1].rstrip())
        sys.stderr.flush()
