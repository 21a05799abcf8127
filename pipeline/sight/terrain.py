"""Heights of the ground on a square grid. Knows the plane only: over the few kilometres of a relay link the planet's
curvature is less than the grid's own error (5 cm at the middle of 1.2 km on Mars), and it is left out."""

from dataclasses import dataclass
from math import isnan

import numpy as np
import numpy.typing as npt

from pipeline.errors import SightError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """All in metres, x to the east and y to the north."""

    name: str
    """What messages call it."""
    west: float
    """x of the centre of the westmost cells."""
    south: float
    """y of the centre of the southmost cells."""
    cell: float
    """Side of a cell."""
    heights: Floats
    """[row, column] of the cells' centres; row 0 is the southmost, column 0 the westmost. NaN: no data."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(lowest x, lowest y, highest x, highest y): the outer edges of the outer cells."""
        rows, columns = self.heights.shape
        half = self.cell / 2
        return (
            self.west - half,
            self.south - half,
            self.west + (columns - 0.5) * self.cell,
            self.south + (rows - 0.5) * self.cell,
        )

    def covers(self, x: float, y: float) -> bool:
        low_x, low_y, high_x, high_y = self.bounds
        return low_x <= x <= high_x and low_y <= y <= high_y

    def heights_at(self, x: Floats, y: Floats) -> Floats:
        """Bilinear between the centres of four cells; between the outer centres and the edge, as at the outer ones.
        NaN where one of the four that counts has no data. The points must lie within the bounds."""
        rows, columns = self.heights.shape
        across = np.clip((x - self.west) / self.cell, 0, columns - 1)
        up = np.clip((y - self.south) / self.cell, 0, rows - 1)
        left = np.minimum(across.astype(np.intp), max(0, columns - 2))
        below = np.minimum(up.astype(np.intp), max(0, rows - 2))
        right, above = np.minimum(left + 1, columns - 1), np.minimum(below + 1, rows - 1)
        across, up = across - left, up - below
        total = np.zeros(np.shape(x))
        for row, column, weight in (
            (below, left, (1 - across) * (1 - up)),
            (below, right, across * (1 - up)),
            (above, left, (1 - across) * up),
            (above, right, across * up),
        ):
            # A cell without weight does not count, even where it has no data.
            total += np.where(weight == 0, 0.0, self.heights[row, column] * weight)
        return total

    def height(self, x: float, y: float, what: str) -> float:
        """Of the ground at one position; `what` names it in messages.

        Raises SightError where it lies outside the terrain, or on cells without data.
        """
        where = f"{what} at x {x:g}, y {y:g}"
        if not self.covers(x, y):
            low_x, low_y, high_x, high_y = self.bounds
            raise SightError(
                f"{where} lies outside the terrain {self.name}, which reaches from x {low_x:g} to {high_x:g} and from "
                f"y {low_y:g} to {high_y:g}"
            )
        found = float(self.heights_at(np.array([x]), np.array([y]))[0])
        if isnan(found):
            raise SightError(f"{where} stands on cells of the terrain {self.name} that have no data")
        return found
