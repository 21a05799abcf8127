"""Small grids of known shape."""

from collections.abc import Callable

import numpy as np

from pipeline.sight.terrain import Terrain


def made(height: Callable[[float, float], float], *, columns: int = 41, rows: int = 21, cell: float = 5.0) -> Terrain:
    """The centre of its south-west cell is at 0, 0."""
    heights = [[height(column * cell, row * cell) for column in range(columns)] for row in range(rows)]
    return Terrain(name="made", west=0.0, south=0.0, cell=cell, heights=np.array(heights, np.float64))
