"""Reading a table of a TOML file key by key, with every fault kept and none raised on the way. Knows types and ranges;
does not know what a mission is."""

import contextlib
import datetime as dt
import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping
from math import inf, isfinite
from typing import Any, Final, TypeVar

from pipeline.errors import MissionError, RelayWatchError
from pipeline.mission.lines import Path, line_of
from pipeline.texts import escaped, first_control

D = TypeVar("D")

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


MAX_TEXT_OCTETS: Final = 4 << 20
"""Of a TOML file: a plan of years is a tenth of it."""
MAX_TEXT: Final = 500
"""Characters of a text in it."""
SHOWN_OF_A_KIND: Final = 10
"""Faults of one kind that are told one by one; the others are counted."""
_SHOWN_OF_A_FAULT: Final = 600
_SHOWN_OF_A_KEY: Final = 60
_VARYING: Final = re.compile(r"'[^']*'|\"[^\"]*\"|did you mean .*|\d+")
"""What tells faults of one kind apart."""

LONGEST_SECONDS: Final = 1e9
"""Thirty years: no time of a mission is longer, and as nanoseconds it is still far from the end of 64 bits."""
MAX_NAME: Final = 100


def read_toml(text: str, *, where: str, error: type[RelayWatchError] = MissionError) -> dict[str, Any]:
    """What a TOML text says, whole numbers in 64 bits as TOML has them. Raises `error` where it is none."""
    if len(text.encode(errors="replace")) > MAX_TEXT_OCTETS:
        raise error(f"{where}: it has more than {MAX_TEXT_OCTETS >> 20} MiB; no file of relaywatch's needs as much")
    try:
        data = tomllib.loads(text)
        _check_whole_numbers(data)
    except RecursionError:
        raise error(
            f"{where}: this is not TOML that can be read: arrays or tables stand too deep in each other"
        ) from None
    # TOMLDecodeError is one, and so is what a number of more than 4300 digits leads to.
    except ValueError as fault:
        raise error(f"{where}: this is not TOML: {fault}") from None
    return data


def _check_whole_numbers(data: Mapping[str, Any]) -> None:
    """The reader takes longer ones, for which TOML wants an error; whoever reckons with one gets an OverflowError."""
    waiting: list[tuple[Path, Any]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, key), one) for key, one in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, place), one) for place, one in enumerate(value)]
        elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise ValueError(f"{spell(path)} is a whole number that 64 bits do not hold")


class _Required:
    """Stands for "no default": the key must be there."""


REQUIRED: Final = _Required()


class Faults:
    """What is wrong with a text, a line each: file, line, key, what was found and what was expected."""

    def __init__(self, where: str, lines: Mapping[Path, int] | None) -> None:
        self.where = where
        self.lines = lines
        """None: of something that has no lines, as a record."""
        self.found: list[tuple[int, str]] = []
        self._told: set[str] = set()
        self._kinds: Counter[str] = Counter()

    def add(self, path: Path, message: str) -> None:
        """Of more than ten faults of one kind the first ten are kept, and the others counted."""
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        kind = f"{key}: {_VARYING.sub('', message[:_SHOWN_OF_A_FAULT])}"
        if self._kinds[kind] >= SHOWN_OF_A_KIND:
            self._kinds[kind] += 1
            return
        line = 0 if self.lines is None else line_of(self.lines, path)
        place = self.where if self.lines is None else f"{self.where}:{line}"
        text = f"{place}: {spell(path)}: {message:.{_SHOWN_OF_A_FAULT}}"
        if text not in self._told:
            self._told.add(text)
            self._kinds[kind] += 1
            self.found.append((line, text))

    def __str__(self) -> str:
        told = [text for _, text in sorted(self.found, key=lambda fault: fault[0])]
        more = sum(count - SHOWN_OF_A_KIND for count in self._kinds.values() if count > SHOWN_OF_A_KIND)
        if more:
            told.append(f"{self.where}: {more:,} more faults of kinds that are told {SHOWN_OF_A_KIND} times above")
        return "\n".join(told)


class Table:
    """One table. Every reading of a wrong or missing key adds a fault and gives something of the right type, so that
    reading goes on; `close` adds a fault for each key that nobody asked for."""

    def __init__(self, data: Mapping[str, Any], path: Path, faults: Faults) -> None:
        self.data = data
        self.path = path
        self.faults = faults
        self.asked: set[str] = set()

    def fault(self, key: str, message: str) -> None:
        self.faults.add((*self.path, key) if key else self.path, message)

    def has(self, key: str) -> bool:
        return key in self.data

    def text(self, key: str, default: D | _Required = REQUIRED, *, choices: Collection[str] = ()) -> str | D:
        value = self._take(key, default, str, "a text", "")
        if key in self.data and isinstance(value, str):
            if choices and value not in choices:
                self.fault(key, f"{value!r:.60} is not one of {', '.join(choices)}")
            self._check_text((*self.path, key), value)
        return value  # type: ignore[no-any-return]

    def _check_text(self, path: Path, value: str) -> None:
        """Texts go into alerts, tables and labels."""
        control = first_control(value)
        if control is not None:
            self.faults.add(path, f"{value!r:.60} holds the control character {control}")
        if len(value) > MAX_TEXT:
            self.faults.add(path, f"{value!r:.40}... has {len(value)} characters; at most {MAX_TEXT} are taken")

    def name(self, key: str = "name") -> str:
        """A text that can stand in a key, a label or the name of a stored state: one word, without `/` and `|`."""
        value = self.text(key)
        is_name = value and len(value) <= MAX_NAME and value.isprintable() and not set(value) & set(" /|")
        if isinstance(self.data.get(key), str) and not is_name:
            self.fault(
                key, f"{value!r:.120} is not a name: one word of at most {MAX_NAME} characters without '/' and '|'"
            )
        return value

    def truth(self, key: str, default: D | _Required = REQUIRED) -> bool | D:
        return self._take(key, default, bool, "true or false", False)  # type: ignore[no-any-return]

    def whole(self, key: str, default: D | _Required = REQUIRED, *, low: int, high: int) -> int | D:
        value = self._take(key, default, int, f"a whole number from {low} to {high}", low)
        if key in self.data and isinstance(value, int) and not low <= value <= high:
            self.fault(key, f"{value} is not a whole number from {low} to {high}")
            return low
        return value  # type: ignore[no-any-return]

    def number(
        self, key: str, default: D | _Required = REQUIRED, *, above: float = -inf, least: float = -inf,
        most: float = inf,
    ) -> float | D:  # fmt: skip
        value = self._take(key, default, (int, float), "a number", 1.0)
        if key not in self.data:
            return value  # type: ignore[no-any-return]
        if not (isfinite(value) and value > above and least <= value <= most):
            limit = f" above {above:g}" if above > -inf else f" of at least {least:g}" if least > -inf else ""
            limit += f" and at most {most:g}" if most < inf else ""
            self.fault(key, f"{value} is not a number{limit}")
            return 1.0
        return float(value)

    def moment(self, key: str, default: D | _Required = REQUIRED) -> int | D:
        """An offset date-time, as nanoseconds since 1970-01-01T00:00:00Z; RFC 3339 in quotes is taken too."""
        self.asked.add(key)
        if key not in self.data:
            return self._missing(key, default, 0)  # type: ignore[no-any-return]
        value = self.data[key]
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = dt.datetime.fromisoformat(value)
        if not isinstance(value, dt.datetime) or value.tzinfo is None:
            found = f"{value!r:.60}" if isinstance(value, str) else f"{value!s:.60}"
            self.fault(key, f"{found} is not a moment with its offset, for example 2024-01-18T12:00:00Z")
            return 0
        return (value - EPOCH) // _MICROSECOND * 1_000

    def texts(self, key: str, default: D | _Required = REQUIRED) -> tuple[str, ...] | D:
        values = self._list(key, default, str, "texts")
        if key in self.data and isinstance(values, tuple):
            for position, value in enumerate(values):
                self._check_text((*self.path, key, position), value)
        return values  # type: ignore[no-any-return]

    def wholes(self, key: str, default: D | _Required = REQUIRED, *, low: int, high: int) -> tuple[int, ...] | D:
        values = self._list(key, default, int, f"whole numbers from {low} to {high}")
        if key in self.data and isinstance(values, tuple):
            for position, value in enumerate(values):
                if not low <= value <= high:
                    self.faults.add((*self.path, key, position), f"{value} is not from {low} to {high}")
        return values  # type: ignore[no-any-return]

    def numbers(self, key: str, default: D | _Required = REQUIRED) -> tuple[float, ...] | D:
        return self._list(key, default, (int, float), "numbers")  # type: ignore[no-any-return]

    def raw(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return self.data.get(key, default)

    def table(self, key: str) -> "Table":
        """An empty one where the key is not there."""
        return Table(self._take(key, {}, dict, "a table", {}), (*self.path, key), self.faults)

    def tables(self, key: str, *, most: int) -> "tuple[Table, ...]":
        """None at all where the key is not there; items that are no tables are left out, with a fault. Of more than
        `most` the first are read."""
        items = self._take(key, [], list, "an array of tables", [])
        if len(items) > most:
            self.fault(key, f"has {len(items)} entries; at most {most} are taken")
        found = []
        for position, item in enumerate(items[:most]):
            path = (*self.path, key, position)
            if isinstance(item, dict):
                found.append(Table(item, path, self.faults))
            else:
                self.faults.add(path, f"{item!r:.40} is not a table")
        return tuple(found)

    def close(self) -> None:
        unknown = [key for key in self.data if key not in self.asked]
        for key in unknown[:SHOWN_OF_A_KIND]:
            near = difflib.get_close_matches(key[:MAX_NAME], self.asked, 1)
            known = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(self.asked))}"
            self.fault(key, f"unknown key; {known}")
        if len(unknown) > SHOWN_OF_A_KIND:
            self.fault("", f"has {len(unknown) - SHOWN_OF_A_KIND} more unknown keys")

    def _take(self, key: str, default: Any, kind: Any, expected: str, instead: Any) -> Any:
        self.asked.add(key)
        if key not in self.data:
            return self._missing(key, default, instead)
        value = self.data[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fault(key, f"{value!r:.60} is not {expected}")
            return instead
        return value

    def _missing(self, key: str, default: Any, instead: Any) -> Any:
        if default is REQUIRED:
            self.faults.add((*self.path, key), "is missing")
            return instead
        return default

    def _list(self, key: str, default: Any, kind: Any, expected: str) -> Any:
        values = self._take(key, default, list, f"an array of {expected}", [])
        if key not in self.data:
            return values if default is not REQUIRED else ()
        kept = []
        for position, value in enumerate(values):
            if isinstance(value, kind) and not isinstance(value, bool):
                kept.append(value)
            else:
                self.faults.add((*self.path, key, position), f"{value!r:.40} is not one of an array of {expected}")
        return tuple(kept)


def spell(path: Path) -> str:
    """vehicles[0].scid"""
    text = ""
    for part in path:
        key = part if isinstance(part, int) else escaped(part[:_SHOWN_OF_A_KEY])
        text += f"[{key}]" if isinstance(part, int) else f".{key}" if text else str(key)
    return text or "the file"
