"""What people and programs see: text and tables on standard output, JSON Lines with --json, notes and progress on
standard error. Knows the terminal and nothing of what is shown.

Everything passes `write`: text from outside is text there, and cannot move a cursor or turn the direction of writing.
"""

import json
import logging
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TextIO

import orjson

from pipeline.texts import escaped, first_control

_BAR_CELLS: Final = 24
_REDRAW_SECONDS: Final = 0.1


def write(stream: TextIO, text: str) -> None:
    """Writes a line, or several; every other control character as its escape."""
    stream.write(escaped(text, but="\n") + "\n")


def say(text: str | Iterable[str] = "") -> None:
    """Text of one line or several on standard output; or lines, in each of which a line end is a control like
    others."""
    write(sys.stdout, text if isinstance(text, str) else "\n".join(map(escaped, text)))


def say_json(body: Any) -> None:
    """One line of JSON on standard output. Characters that a terminal would act on are escaped as JSON escapes them."""
    line = orjson.dumps(body).decode()
    if first_control(line) is not None:
        line = "".join(letter if first_control(letter) is None else json.dumps(letter)[1:-1] for letter in line)
    write(sys.stdout, line)


def note(text: str) -> None:
    """A line on standard error, in the form that faults have there."""
    sys.stdout.flush()
    write(sys.stderr, f"relaywatch: {text}")
    sys.stderr.flush()


class Formatter(logging.Formatter):
    """Of log lines: a message is one line, whatever it holds. Only a traceback has several."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        return escaped(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record), but="\n")


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
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else escaped(str(value))


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
        line = escaped(f"{self._what} [{bar}] {part:4.0%} {text}")
        # A line that wraps could not be drawn over.
        sys.stderr.write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1].rstrip())
        sys.stderr.flush()
