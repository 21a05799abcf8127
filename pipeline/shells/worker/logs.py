"""The log of a long-running process: one line an event on stderr, and of a line that repeats itself only the first
few. Knows logging."""

import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipeline.shells.terminal import Formatter

_FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_BENIGN: Final = ("Heartbeat failed for group %s because it is rebalancing",)
"""Not failures: what every member hears at each rebalance."""
_LIBRARIES: Final = ("aiokafka", "faust", "mode")


@dataclass(slots=True)
class _Window:
    starts_at: float
    seen: int = 0


@dataclass(slots=True)
class RateLimit:
    """A filter: of one message of a library at most `at_most` in `seconds`, then how many were left out. A broker
    that is away for 14 s was seen to make 87,863 lines."""

    at_most: int = 5
    seconds: float = 30.0
    clock: Callable[[], float] = time.monotonic
    windows: dict[tuple[str, int, str], _Window] = field(default_factory=dict)

    def __call__(self, record: logging.LogRecord) -> bool:
        """Whether the record is shown. Those of relaywatch itself always are."""
        if not record.name.startswith(_LIBRARIES):
            return True
        if str(record.msg).startswith(_BENIGN):
            return logging.getLogger().isEnabledFor(logging.DEBUG)
        now = self.clock()
        # By its text before the numbers go in; f-strings are cut, since their numbers are in the text.
        key = record.name, record.levelno, str(record.msg)[:40]
        window = self.windows.get(key)
        if window is None or now - window.starts_at >= self.seconds:
            left_out = 0 if window is None else window.seen - self.at_most
            if left_out > 0:
                record.msg, record.args = f"{record.getMessage()} (and {left_out} like it were left out)", None
            self.windows = {name: one for name, one in self.windows.items() if now - one.starts_at < self.seconds}
            window = self.windows[key] = _Window(now)
        window.seen += 1
        return window.seen <= self.at_most


@dataclass(slots=True)
class Sparing:
    """Warnings that may come by the thousand: at most so many lines a second, then how many were left out."""

    logger: logging.Logger
    at_most: int = 10
    clock: Callable[[], float] = time.monotonic
    _second: int = -1
    _said: int = 0
    _left_out: int = 0

    def warning(self, message: str, *arguments: object) -> None:
        self.flush()
        if self._said < self.at_most:
            self._said += 1
            self.logger.warning(message, *arguments)
        else:
            self._left_out += 1

    def flush(self) -> None:
        """To be called now and then: of a second that is over what was left out is said."""
        second = int(self.clock())
        if second == self._second:
            return
        if self._left_out:
            self.logger.warning("... and %d more within the same second", self._left_out)
        self._second, self._said, self._left_out = second, 0, 0


class _Json(logging.Formatter):
    """One object a line: `at`, `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name,
            "message": record.getMessage(),
        }  # fmt: skip
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr(level: int, log_format: str = "text") -> None:
    """Set up the log of this process. Libraries say only what a person may need: warnings."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Json() if log_format == "json" else Formatter(_FORMAT)
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    handler.setFormatter(formatter)
    handler.addFilter(RateLimit())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))
