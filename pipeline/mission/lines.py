"""Which line of a TOML text a key stands in: tomllib does not say. Reads only text that tomllib has taken, so it looks
for where things are and checks nothing."""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

Path = tuple[str | int, ...]
"""Keys and positions in arrays from the top: ("vehicles", 0, "scid")."""

_SKIPPED: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_STRING: Final = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)
_BARE: Final = re.compile(r"[^,\]}#\n]+")


def lines_of(text: str) -> Mapping[Path, int]:
    """The line (1 is the first) of every key, table and array item in a valid TOML text."""
    walker = _Walker(text)
    walker.document()
    return walker.lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of `path`, or of the nearest table around it where that key is not there."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Walker:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.items: dict[Path, int] = {}
        """Position of the last item in each array of tables."""
        self.newlines = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> None:
        table: Path = ()
        while self.skip() < len(self.text):
            if self.text[self.at] != "[":
                self.pair(table)
                continue
            is_item = self.text.startswith("[[", self.at)
            start = self.at
            self.at += 2 if is_item else 1
            keys = self.keys()
            self.at += 2 if is_item else 1
            table = self.resolve(keys[:-1], self.line(start))
            table += (keys[-1],)
            if is_item:
                self.items[table] = self.items.get(table, -1) + 1
                self.lines.setdefault(table, self.line(start))
                table += (self.items[table],)
            self.lines[table] = self.line(start)

    def resolve(self, keys: tuple[str, ...], line: int) -> Path:
        """[a.b] under [[a]] means the last item of a; where a has no header of its own, this is its first line."""
        path: Path = ()
        for key in keys:
            path += (key,)
            self.lines.setdefault(path, line)
            if path in self.items:
                path += (self.items[path],)
        return path

    def pair(self, table: Path) -> None:
        start = self.at
        path = table
        for key in self.keys():
            path += (key,)
            self.lines.setdefault(path, self.line(start))
        self.at += 1  # the equals sign, where keys() stopped
        self.value(path)

    def value(self, path: Path) -> None:
        self.skip()
        opening = self.text[self.at]
        if opening in "\"'":
            match = _STRING.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
        elif opening in "[{":
            self.at += 1
            closing = "]" if opening == "[" else "}"
            position = 0
            while self.text[self.skip()] != closing:
                if self.text[self.at] == ",":
                    self.at += 1
                elif opening == "[":
                    self.lines[(*path, position)] = self.line(self.at)
                    self.value((*path, position))
                    position += 1
                else:
                    self.pair(path)
            self.at += 1
        else:
            match = _BARE.match(self.text, self.at)
            assert match is not None
            self.at = match.end()

    def keys(self) -> tuple[str, ...]:
        """A dotted key; stops at what follows it."""
        keys: list[str] = []
        while True:
            self.skip()
            match = _KEY.match(self.text, self.at)
            assert match is not None
            keys.append(_bare(match[0]))
            self.at = match.end()
            self.skip()
            if self.text[self.at] != ".":
                return tuple(keys)
            self.at += 1

    def skip(self) -> int:
        match = _SKIPPED.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return self.at

    def line(self, at: int) -> int:
        return bisect_left(self.newlines, at) + 1


def _bare(key: str) -> str:
    """A key as the reader of the text has it: without its quotes and escapes."""
    return key if key[0] not in "\"'" else next(iter(tomllib.loads(f"{key} = 0")))
