"""The shipped example of a terrain: a plain with a hill, made by formula. `python -m tests.sight.example` writes it
anew."""

from math import exp, sin
from typing import Final

from tests.build import root

COLUMNS: Final = 51
ROWS: Final = 36
CELL: Final = 10
PLAIN: Final = -2560.0
HILL: Final = (220.0, 192.0, 5.2, 26.0)
"""x, y, height and width."""


def height(x: float, y: float) -> float:
    across, up, top, width = HILL
    ripple = 0.12 * sin(x / 55) * sin(y / 70)
    return PLAIN + ripple + top * exp(-((x - across) ** 2 + (y - up) ** 2) / (2 * width**2))


def text() -> str:
    head = ("ncols", COLUMNS), ("nrows", ROWS), ("xllcorner", -25), ("yllcorner", 25), ("cellsize", CELL)
    lines = [f"{key:<13}{value}" for key, value in (*head, ("NODATA_value", -9999))]
    for row in reversed(range(ROWS)):
        lines.append(" ".join(f"{height(CELL * column - 20, CELL * row + 30):.2f}" for column in range(COLUMNS)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (root() / "schemas" / "terrain" / "hill.asc").write_text(text())
