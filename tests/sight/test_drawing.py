"""The picture: it is one whole SVG, holds nothing from elsewhere, and its lines stand where the figures say."""

import re
from dataclasses import replace
from math import nan
from xml.etree import ElementTree

import pytest

from pipeline.sight.axes import Panel, Scale, ticks
from pipeline.sight.drawing import draw
from pipeline.sight.visibility import view_from
from tests.sight.terrains import made
from tests.sight.test_visibility import DESCENT, NORTH, WEST, request, step

SVG = "{http://www.w3.org/2000/svg}"


def picture(terrain=None, asked=None, relay=WEST):
    asked = asked or request(*DESCENT, frequency_mhz=914.0)
    terrain = terrain or made(step)
    view = view_from(terrain, asked, relay)
    return ElementTree.fromstring(draw(terrain, asked, view, view.worst))


def words(drawn):
    return [one.text for one in drawn.iter(f"{SVG}text")]


def points(drawn, name):
    """Of the first line or area of that name."""
    found = next(one for one in drawn.iter() if one.get("class") == name)
    return [tuple(map(float, pair.split(","))) for pair in found.get("points").split()]


def test_the_picture_says_who_is_seen_from_where_and_when():
    said = words(picture())
    assert "the wall: ingenuity seen from west" in said
    assert (
        "At 2023-11-14T22:13:40.00Z, 20 s after the track's start: out of sight; at 0.0 m, and seen from 18.0 m up"
        in said
    )
    assert "masking altitude 18.0 m" in said


def test_axes_have_units():
    assert {
        "Distance from west (m)", "Height above take-off (m)", "Altitude above take-off (m)",
        "Seconds after 2023-11-14T22:13:20.00Z",
    } <= set(words(picture()))  # fmt: skip


def test_nothing_is_fetched_from_elsewhere():
    asked = request(*DESCENT)
    drawn = draw(made(step), asked, view := view_from(made(step), asked, WEST), view.worst)
    assert re.findall(r"https?://[^\"]*|href|<script|<image|@import", drawn) == ["http://www.w3.org/2000/svg"]


def test_what_a_file_says_cannot_break_out_of_the_text():
    drawn = picture(asked=request(*DESCENT, name='</text><script>x</script>&"'))
    assert words(drawn)[0] == '</text><script>x</script>&": ingenuity seen from west'


def test_the_edge_of_the_shadow_touches_the_wall_and_ends_at_the_masking_altitude():
    drawn = picture()
    (ax, ay), (bx, by) = points(drawn, "mask")
    ground = points(drawn, "ground")
    top = min((y, x) for x, y in ground)
    on_the_edge = ay + (by - ay) * (top[1] - ax) / (bx - ax)
    assert top[0] == pytest.approx(on_the_edge, abs=0.3)
    (hollow,) = [one for one in drawn.iter(f"{SVG}circle") if one.get("fill") == "#ffffff"]
    assert (bx, by) == pytest.approx((float(hollow.get("cx")), float(hollow.get("cy"))), abs=0.11)


def test_where_nothing_hides_the_vehicle_no_shadow_is_drawn():
    drawn = picture(relay=NORTH)
    assert [one for one in drawn.iter() if one.get("class") in ("mask", "out-of-sight")] == []
    assert "edge of the shadow" not in words(drawn)


def test_the_time_out_of_sight_is_shaded_from_its_edge_on():
    drawn = picture()
    shade = points(drawn, "out-of-sight")
    curve = points(drawn, "altitude")
    left, right = min(x for x, _ in shade), max(x for x, _ in shade)
    width = curve[-1][0] - curve[0][0]
    assert (left - curve[0][0]) / width == pytest.approx(2 / 20, abs=0.002)
    assert right == pytest.approx(curve[-1][0])


def test_the_fresnel_zone_is_drawn_where_the_frequency_is_known():
    assert len(points(picture(), "fresnel")) > 100
    without = picture(asked=request(*DESCENT))
    assert [one for one in without.iter() if one.get("class") == "fresnel"] == []


@pytest.mark.parametrize("hole", [60, 200])
def test_ground_without_data_leaves_a_gap_and_a_picture(hole):
    terrain = made(lambda x, y: nan if x == hole and y > 60 else 0.0)
    asked = request((0, 100, 5.0), (10, 180, 5.0))
    whole = picture(terrain, replace(asked, relays=(WEST,)))
    assert "nan" not in ElementTree.tostring(whole).decode()


def test_a_hover_over_the_relay_itself_can_be_drawn():
    asked = request((0, 0, 5.0), (10, 0, 5.0), frequency_mhz=914.0)
    assert "nan" not in ElementTree.tostring(picture(asked=asked)).decode()


@pytest.mark.parametrize("low, high", [(0, 1), (-2.3, 9.7), (0, 62), (-2570, -2400), (0.001, 0.0042), (0, 864_000)])
def test_ticks_are_few_round_and_inside(low, high):
    found = ticks(low, high)
    assert 3 <= len(found) <= 13
    assert all(low <= one <= high for one in found)
    steps = {round((b - a) / (found[1] - found[0]), 6) for a, b in zip(found, found[1:])}
    assert steps == {1}


def test_a_line_is_broken_where_a_value_is_not_known():
    panel = Panel(Scale(0, 4, 0, 400), Scale(0, 4, 400, 0))
    panel.line([(0, 1), (1, 1), (2, nan), (3, 1), (4, 1)], "#000000")
    assert len(panel.inside) == 2
