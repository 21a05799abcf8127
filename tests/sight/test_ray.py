"""Masking altitudes against what a hand reckons on hills of known shape."""

from math import cos, hypot, nan, pi, sin

import numpy as np
import pytest

from pipeline.sight.ray import fresnel_radius, mask_of, profile_between
from tests.sight.terrains import made


def mask(terrain, relay, place, antenna):
    """Antenna above the relay's own ground; the mask in the terrain's reference."""
    return mask_of(profile_between(terrain, relay, place), terrain.height(*relay, "the relay") + antenna)


def test_flat_ground_hides_nothing():
    found = mask(made(lambda x, y: 4.0), (0, 50), (200, 50), 1.0)
    assert found == (4.0, None, True)


def test_a_step_is_seen_over_by_similar_triangles():
    # 10 m high from x = 100 on; the antenna is 2 m above the plain at x = 0. Seen at x = 200 above
    # 2 + (10 - 2) * 200 / 100 = 18 m.
    terrain = made(lambda x, y: 10.0 if x >= 100 else 0.0)
    found = mask(terrain, (0, 50), (200, 50), 2.0)
    assert found.height == pytest.approx(18)
    assert found.distance == pytest.approx(100)


def test_from_above_a_step_hides_what_is_close_below_it():
    # 10 m high up to x = 100; the antenna is 2 m above it at x = 0. The edge lies 100 m away and 2 m lower, so what is
    # seen at x = 150 is above 12 - 2 * 150 / 100 = 9 m.
    found = mask(made(lambda x, y: 10.0 if x <= 100 else 0.0), (0, 50), (150, 50), 2.0)
    assert found.height == pytest.approx(9)


def cone(x, y):
    """15 m high at 100, 50; its foot has a radius of 30 m."""
    return max(0.0, 15.0 * (1 - hypot(x - 100, y - 50) / 30))


def test_behind_a_cone_the_way_over_its_top_counts():
    found = mask(made(cone), (0, 50), (180, 50), 1.0)
    assert found.height == pytest.approx(1 + (15 - 1) * 180 / 100)
    assert found.distance == pytest.approx(100)


def test_beside_a_cone_there_is_nothing_to_see_over():
    assert mask(made(cone), (0, 85), (200, 85), 1.0).distance is None


def test_over_the_flank_of_a_cone_the_tangent_counts():
    # Along y = 65, 15 m off the axis, with t from the middle: g(t) = 15 (1 - sqrt(t² + 225) / 30), highest at t = 0
    # with 7.5 m. By hand the largest (g - 1) / s is looked for where s = 100 + t.
    t = np.linspace(-25, 25, 200_001)
    slope = ((15 * (1 - np.sqrt(t**2 + 225) / 30)) - 1) / (100 + t)
    found = mask(made(cone, cell=1.0, columns=201, rows=101), (0, 65), (180, 65), 1.0)
    assert found.height == pytest.approx(1 + slope.max() * 180, abs=0.02)
    assert found.distance == pytest.approx(100 + t[slope.argmax()], abs=1)


@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 133, 180, 246, 315])
def test_a_round_hill_hides_the_same_from_every_side(degrees):
    def hill(x, y):
        return 8.0 * np.exp(-((x - 100) ** 2 + (y - 100) ** 2) / 450)

    terrain = made(hill, cell=1.0, columns=201, rows=201)
    turn = degrees * pi / 180
    relay = (100 - 90 * cos(turn), 100 - 90 * sin(turn))
    place = (100 + 60 * cos(turn), 100 + 60 * sin(turn))
    reference = mask(terrain, (10, 100), (160, 100), 1.0)
    assert mask(terrain, relay, place, 1.0).height == pytest.approx(reference.height, abs=0.02)


def test_who_is_at_the_masking_altitude_sees_the_relay_where_its_antenna_is():
    terrain = made(cone)
    found = mask(terrain, (0, 50), (180, 50), 1.0)
    back = mask_of(profile_between(terrain, (180, 50), (0, 50)), found.height)
    assert back.height == pytest.approx(1.0)


def test_ground_that_rises_evenly_hides_nothing_of_itself():
    found = mask(made(lambda x, y: x / 10), (0, 50), (200, 50), 0.0)
    assert found.height == pytest.approx(20)
    assert found.distance is None


def test_a_ridge_of_one_cell_is_not_missed_whatever_the_angle():
    terrain = made(lambda x, y: 6.0 if x == 100 else 0.0)
    for start, end in (((1.3, 2.2), (199.1, 97.7)), ((0.0, 99.9), (200.0, 0.1)), ((3.1, 50.0), (190.0, 51.0))):
        profile = profile_between(terrain, start, end)
        assert profile.ground.max() == pytest.approx(6.0)


def test_ground_without_data_leaves_the_mask_unknown_and_never_lower_than_what_is_known():
    def holed(x, y):
        return nan if x == 60 else cone(x, y)

    found = mask(made(holed), (0, 50), (180, 50), 1.0)
    assert found.height == pytest.approx(1 + 14 * 1.8)
    assert not found.is_known
    assert not mask(made(lambda x, y: nan if x == 60 else 0.0), (0, 50), (180, 50), 1.0).is_known


def test_a_relay_sees_the_place_it_stands_on():
    assert mask(made(lambda x, y: 3.0), (50, 50), (50, 50), 1.0) == (3.0, None, True)


def test_the_first_fresnel_zone_is_widest_in_the_middle():
    # sqrt(0.328 * 100 * 100 / 200)
    radius = fresnel_radius(np.linspace(0, 200, 5), 0.328)
    assert radius.tolist() == pytest.approx([0, 3.507, 4.050, 3.507, 0], abs=1e-3)
