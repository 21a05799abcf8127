"""Heights between the centres of cells."""

import numpy as np
import pytest

from pipeline.errors import SightError
from tests.sight.terrains import made


def test_between_four_centres_the_height_is_bilinear():
    terrain = made(lambda x, y: x * y)
    # In the cell from (5, 10) to (10, 15): corners 50, 100, 75, 150.
    assert terrain.height(7.5, 12.5, "a point") == pytest.approx((50 + 100 + 75 + 150) / 4)
    assert terrain.height(6, 14, "a point") == pytest.approx(84)


def test_a_plane_is_met_exactly_everywhere_between_the_centres():
    terrain = made(lambda x, y: 3 + 0.25 * x - 0.5 * y)
    x, y = np.linspace(0, 200, 997), np.linspace(100, 0, 997)
    assert np.allclose(terrain.heights_at(x, y), 3 + 0.25 * x - 0.5 * y, atol=1e-12)


def test_the_outer_half_of_the_outer_cells_is_as_high_as_their_centres():
    terrain = made(lambda x, y: x)
    assert terrain.height(-2.5, 50, "a point") == 0
    assert terrain.height(202.5, 102.5, "a point") == 200


@pytest.mark.parametrize("x, y", [(-2.6, 50), (202.6, 50), (50, -2.6), (50, 102.6), (float("nan"), 50)])
def test_a_position_outside_is_refused_with_the_reach_of_the_terrain(x, y):
    with pytest.raises(
        SightError, match=r"the rover at x \S+, y \S+ lies outside the terrain made, which reaches from"
    ):
        made(lambda x, y: 0.0).height(x, y, "the rover")


def test_a_grid_of_one_cell_and_of_one_row_can_be_asked():
    assert made(lambda x, y: 7.0, columns=1, rows=1).height(1, -1, "a point") == 7
    assert made(lambda x, y: x, columns=5, rows=1).height(7, 1, "a point") == pytest.approx(7)


def test_a_cell_without_data_counts_only_where_it_has_a_weight():
    terrain = made(lambda x, y: float("nan") if (x, y) == (50, 50) else 2.0)
    assert terrain.height(45, 50, "a point") == 2
    assert terrain.height(55, 48, "a point") == 2
    with pytest.raises(SightError, match="stands on cells of the terrain made that have no data"):
        terrain.height(46, 50, "a point")
