"""Whatever a terrain or a request says: it is read, or refused with SightError; and what is read can be drawn."""

import math
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SightError
from pipeline.sight.ascii_grid import read_ascii_grid
from pipeline.sight.drawing import draw
from pipeline.sight.plan import as_toml, entries
from pipeline.sight.ray import Relay
from pipeline.sight.request import load_request
from pipeline.sight.terrain import Terrain
from pipeline.sight.visibility import view_from
from tests.sight.test_ascii_grid import GRID
from tests.sight.test_request import FLIGHT, HEAD
from tests.sight.test_visibility import request


def spoilt(text):
    """The text with something in it replaced."""
    return st.builds(
        lambda start, length, instead: text[:start] + instead + text[start + length :],
        st.integers(0, len(text)), st.integers(0, 12),
        st.text(max_size=6) | st.sampled_from(["-", "0", "1e999", "nan", "-inf", "[[", "9" * 30, "\n\n", "'"]),
    )  # fmt: skip


@given(spoilt(GRID))
def test_a_spoilt_grid_is_read_or_refused_in_one_line(text):
    said = ""
    try:
        terrain = read_ascii_grid(text.splitlines(keepends=True), name="hill.asc")
        assert math.isfinite(sum(terrain.bounds))
    except SightError as fault:
        said = str(fault)
    assert len(said.splitlines()) <= 1


@given(spoilt(HEAD + FLIGHT))
def test_a_spoilt_request_is_read_or_refused(text):
    try:
        asked = load_request(text, where="hill.toml")
    except SightError:
        return
    assert asked.relays
    assert asked.stays_until >= asked.track.ends_at


heights = st.lists(st.floats(-1e4, 1e4) | st.just(math.nan), min_size=30, max_size=30)
places = st.floats(0, 195)


@given(heights, places, places, places, st.floats(0, 1e4), st.floats(0, 100))
def test_over_any_ground_it_can_be_reckoned_planned_and_drawn(rows, x, start, end, altitude, antenna):
    terrain = Terrain(name="any", west=0.0, south=0.0, cell=40.0, heights=np.array(rows).reshape(5, 6)[:, ::-1].copy())
    asked = request((0, start, altitude), (30, end, altitude), frequency_mhz=914.0)
    asked = replace(asked, thresholds=replace(asked.thresholds, step_s=5.0), antenna_m=antenna)
    try:
        view = view_from(terrain, asked, Relay(name="west", x=x, y=50, antenna_m=antenna))
    except SightError:  # a named position without data, or a track below the ground
        return
    assert all(loss.starts_at < loss.ends_at or loss.starts_at == asked.track.starts_at for loss in view.losses)
    as_toml(entries(asked, view))
    assert "nan" not in ElementTree.tostring(ElementTree.fromstring(draw(terrain, asked, view, view.worst))).decode()


def test_a_request_of_octets_that_are_no_toml_is_refused():
    with pytest.raises(SightError, match="this is not TOML"):
        load_request("\0\1", where="hill.toml")
