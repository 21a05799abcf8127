"""Terrain in an ESRI ASCII grid: some lines of `key value`, then the heights, the northmost row first. Knows the text;
does not know where it was read from.

    ncols 4            keys in any case and order
    nrows 3
    xllcorner 0        or xllcenter: the corner of the south-west cell, or its centre
    yllcorner 0        or yllcenter
    cellsize 10
    NODATA_value -9999
    1.5 2 2 1.5 ...    rows may be broken into lines anywhere
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from math import isfinite, nan
from typing import Final

import numpy as np

from pipeline.errors import SightError
from pipeline.sight.terrain import Floats, Terrain

LARGEST_GRID: Final = 25_000_000
"""Cells: 200 MB. A link's surroundings at 1 m need a tenth of it."""
LONGEST_LINE: Final = 1 << 26
"""Characters. Also a grid whose heights all stand in one line is read; a file that is no text is not."""
NO_DATA: Final = -9999.0
"""Where the header does not say."""
HIGHEST: Final = 1e6
"""Metres: more is a sign for no data, or a mistake."""
FURTHEST: Final = 1e8
"""Metres of a coordinate."""
CELLS: Final = (1e-3, 1e5)
"""Metres of a cell's side, least and most."""

_KEYS: Final = ("ncols", "nrows", "xllcorner", "xllcenter", "yllcorner", "yllcenter", "cellsize", "nodata_value")


def read_ascii_grid(lines: Iterable[str], *, name: str) -> Terrain:
    """The terrain in the lines of a text; `name` is that of the file.

    Raises SightError with the line of the fault: what was found and what was expected.
    """
    numbered = enumerate(lines, 1)
    header, first = _header(numbered, name)
    columns, rows = _count(header, "ncols", name), _count(header, "nrows", name)
    if columns * rows > LARGEST_GRID:
        raise SightError(
            f"{name}: {columns} columns and {rows} rows are {columns * rows:,} cells, and at most {LARGEST_GRID:,} "
            "are read: cut out the surroundings of the link"
        )
    cell = _number(header, "cellsize", name)
    if not CELLS[0] <= cell <= CELLS[1]:
        raise SightError(
            f"{name}:{header['cellsize'][0]}: cellsize is {cell:g}; expected {CELLS[0]:g} to {CELLS[1]:g} m"
        )
    west, south = _centre(header, "x", cell, name), _centre(header, "y", cell, name)
    heights = _heights(chain(first, numbered), columns * rows, _missing(header, name), name)
    return Terrain(name=name, west=west, south=south, cell=cell, heights=heights.reshape(rows, columns)[::-1].copy())


Header = Mapping[str, tuple[int, str]]
"""Key → its line and what stands there."""


def _header(numbered: Iterable[tuple[int, str]], name: str) -> tuple[Header, list[tuple[int, str]]]:
    """The header, and the first line behind it (none where the text ends)."""
    header: dict[str, tuple[int, str]] = {}
    for number, line in numbered:
        words = line.split()
        if not words:
            continue
        key = words[0].lower()
        if key not in _KEYS:
            if _is_number(words[0]):
                return header, [(number, line)]
            raise SightError(
                f"{name}:{number}: {words[0]!r:.40} is no key of an ESRI ASCII grid with square cells; the keys are "
                f"{', '.join(_KEYS)}"
            )
        if len(words) != 2:
            raise SightError(f"{name}:{number}: expected one value after {words[0]}, found {len(words) - 1}")
        if key in header:
            raise SightError(f"{name}:{number}: {words[0]} stands in line {header[key][0]} already")
        header[key] = number, words[1]
    return header, []


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(header: Header, key: str, name: str) -> float:
    if key not in header:
        raise SightError(f"{name}: the header has no {key}; is this an ESRI ASCII grid?")
    line, text = header[key]
    if not _is_number(text) or not isfinite(float(text)):
        raise SightError(f"{name}:{line}: {key} is {text!r:.40}; expected a number")
    return float(text)


def _count(header: Header, key: str, name: str) -> int:
    value = _number(header, key, name)
    if value < 1 or value != int(value):
        raise SightError(f"{name}:{header[key][0]}: {key} is {header[key][1]}; expected a whole number of at least 1")
    return int(value)


def _centre(header: Header, axis: str, cell: float, name: str) -> float:
    """Of the south-west cell."""
    corner, centre = f"{axis}llcorner", f"{axis}llcenter"
    if corner in header and centre in header:
        raise SightError(f"{name}:{header[centre][0]}: {centre} stands beside {corner}; give one of them")
    key = centre if centre in header else corner
    value = _number(header, key, name)
    if abs(value) > FURTHEST:
        raise SightError(f"{name}:{header[key][0]}: {key} is {value:g}; expected metres up to {FURTHEST:g}")
    return value if key == centre else value + cell / 2


def _missing(header: Header, name: str) -> float:
    """What stands for no data."""
    if "nodata_value" not in header:
        return NO_DATA
    return nan if header["nodata_value"][1].lower() == "nan" else _number(header, "nodata_value", name)


def _heights(numbered: Iterable[tuple[int, str]], expected: int, missing: float, name: str) -> Floats:
    """All of them in the order of the text; NaN for what is missing."""
    heights = np.empty(expected)
    filled = 0
    for number, line in numbered:
        if len(line) > LONGEST_LINE:
            raise SightError(f"{name}:{number}: a line of more than {LONGEST_LINE:,} characters; is this a text?")
        words = line.split()
        try:
            values = np.array(words, np.float64)
        except ValueError:
            wrong = next(word for word in words if not _is_number(word))
            raise SightError(f"{name}:{number}: {wrong!r:.40} is no height") from None
        values[values == missing] = np.nan
        if (too_high := np.abs(values) > HIGHEST).any():
            raise SightError(
                f"{name}:{number}: a height of {values[too_high][0]:g} m; if that stands for no data, NODATA_value "
                "in the header must say so"
            )
        if filled + len(values) > expected:
            raise SightError(f"{name}:{number}: more than the {expected:,} heights that ncols and nrows announce")
        heights[filled : filled + len(values)] = values
        filled += len(values)
    if filled < expected:
        raise SightError(f"{name}: {filled:,} heights; ncols and nrows announce {expected:,}: the file is cut off")
    return heights
