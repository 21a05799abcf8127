"""Times out of sight against what a hand reckons, and what a plan is told of them."""

import tomllib
from dataclasses import replace
from math import nan

import pytest

from pipeline.errors import SightError
from pipeline.sight.plan import as_toml, entries
from pipeline.sight.ray import Relay
from pipeline.sight.request import Request, Thresholds
from pipeline.sight.track import SECOND, Track, TrackPoint
from pipeline.sight.visibility import view_from
from tests.sight.terrains import made

T0 = 1_700_000_000 * SECOND
WEST = Relay(name="west", x=0, y=50, antenna_m=2)
NORTH = Relay(name="north", x=180, y=95, antenna_m=2)


def step(x, y):
    """A wall 10 m high across the way at x = 100. From 2 m at x = 0 it is seen over at x = 200 from 18 m up."""
    return 10.0 if x == 100 else 0.0


def request(*points, **changes):
    track = Track(tuple(TrackPoint(T0 + round(after * SECOND), x, 50.0, altitude) for after, x, altitude in points))
    return Request(
        **{
            "name": "the wall", "vehicle": "ingenuity", "terrain": "wall.asc", "reason": "", "relays": (WEST, NORTH),
            "track": track, "stays_until": track.ends_at,
        }
        | changes
    )  # fmt: skip


DESCENT = ((0, 200, 20.0), (20, 200, 0.0))
"""1 m/s down: 18 m are passed after 2 s."""
DIP = ((0, 200, 20.0), (10, 200, 10.0), (20, 200, 20.0))


def seconds(moment):
    return (moment - T0) / SECOND


def test_out_of_sight_begins_where_the_vehicle_passes_the_masking_altitude():
    view = view_from(made(step), request(*DESCENT), WEST)
    (loss,) = view.losses
    assert seconds(loss.starts_at) == pytest.approx(2, abs=0.02)
    assert (seconds(loss.ends_at), loss.returns) == (20, False)
    assert loss.masking_altitude == pytest.approx(18)


def test_it_ends_where_the_vehicle_comes_up_again():
    (loss,) = view_from(made(step), request(*DIP), WEST).losses
    assert (seconds(loss.starts_at), seconds(loss.ends_at)) == pytest.approx((2, 18), abs=0.02)
    assert loss.returns


def test_the_vehicle_s_own_antenna_is_seen_before_the_vehicle_is():
    (loss,) = view_from(made(step), request(*DESCENT, antenna_m=3.0), WEST).losses
    assert seconds(loss.starts_at) == pytest.approx(5, abs=0.02)
    assert loss.masking_altitude == pytest.approx(15)


def test_altitudes_are_above_the_place_of_take_off_wherever_the_terrain_has_its_zero():
    (loss,) = view_from(made(lambda x, y: step(x, y) - 2560), request(*DESCENT), WEST).losses
    assert loss.masking_altitude == pytest.approx(18)


def test_a_vehicle_that_only_moves_goes_behind_the_wall_and_stays():
    view = view_from(made(step), request((0, 20, 12.0), (18, 200, 12.0)), WEST)
    # The edge of the shadow, 2 + 8 x / 100, is 12 m high at x = 125, which is passed after 10.5 s.
    (loss,) = view.losses
    assert seconds(loss.starts_at) == pytest.approx(10.5, abs=0.03)


def test_another_position_of_the_relay_sees_past_the_wall():
    asked = request(*DESCENT)
    west, north = (view_from(made(step), asked, relay) for relay in (WEST, NORTH))
    (loss,) = west.losses
    assert north.losses == ()
    assert north.sees_throughout(loss.starts_at, loss.ends_at)
    assert not west.sees_throughout(loss.starts_at, loss.ends_at)
    assert (west.sees_at(T0), west.sees_at(loss.ends_at)) == (True, False)


def test_ground_without_data_is_not_known_and_no_loss():
    view = view_from(made(lambda x, y: nan if x == 60 else 0.0), request(*DESCENT), WEST)
    assert {one.sight for one in view.samples} == {"unknown"}
    assert view.losses == ()
    assert not view.sees_throughout(T0, T0 + 20 * SECOND)


def test_what_is_hidden_by_known_ground_is_out_of_sight_whatever_is_not_known():
    view = view_from(made(lambda x, y: nan if x == 60 else step(x, y)), request(*DESCENT), WEST)
    assert [one.sight for one in view.samples[:: len(view.samples) - 1]] == ["unknown", "out_of_sight"]


def test_a_way_over_a_hole_without_data_leaves_the_places_in_it_unknown():
    terrain = made(lambda x, y: nan if 100 <= x <= 110 else 0.0)
    view = view_from(terrain, request((0, 80, 5.0), (10, 180, 5.0)), WEST)
    assert [one.sight for one in view.samples[:: len(view.samples) - 1]] == ["in_sight", "unknown"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"x": -3.0}, r"relay west at x -3, y 50 lies outside the terrain made, which reaches from x -2\.5 to 202\.5"),
        ({"x": 60.0}, r"relay west at x 60, y 50 stands on cells of the terrain made that have no data"),
    ],
)
def test_a_relay_that_stands_nowhere_is_refused(changes, message):
    with pytest.raises(SightError, match=message):
        view_from(made(lambda x, y: nan if x == 60 else 0.0), request(*DESCENT), replace(WEST, **changes))


def test_a_track_that_leaves_the_terrain_is_refused_with_the_moment():
    with pytest.raises(SightError, match=r"the track at 2023-11-14T22:13:40\.00Z at x 300, y 50 lies outside"):
        view_from(made(step), request((0, 150, 5.0), (20, 300, 5.0)), WEST)


def test_a_track_far_below_the_ground_is_refused():
    with pytest.raises(SightError, match=r"lies 10\.0 m below the ground of made; expected altitude_m in metres above"):
        view_from(made(step), request((0, 150, 0.0), (20, 100, 0.0)), WEST)


def test_a_track_of_years_asks_for_longer_steps():
    asked = request((0, 200, 20.0), (100_000, 200, 0.0))
    with pytest.raises(SightError, match="give a step_s of at least 5"):
        view_from(made(step), asked, WEST)
    assert view_from(made(step), replace(asked, thresholds=Thresholds(step_s=5)), WEST).losses


def test_an_entry_is_wider_than_the_loss_and_a_little_higher_than_the_mask():
    asked = request(*DIP)
    (entry,) = entries(asked, view_from(made(step), asked, WEST))
    assert (seconds(entry.starts_at), seconds(entry.ends_at)) == pytest.approx((0, 20), abs=0.02)
    assert (entry.name, entry.below_m) == ("the wall", 18.5)
    assert entry.reason == "the ground between west and ingenuity"


def test_where_the_track_ends_out_of_sight_the_entry_lasts_as_long_as_the_vehicle_stays():
    asked = request(*DESCENT, stays_until=T0 + 300 * SECOND)
    (entry,) = entries(asked, view_from(made(step), asked, WEST))
    assert seconds(entry.ends_at) == 300


def test_a_loss_that_raises_nothing_gives_no_entry():
    asked = request((0, 200, 20.0), (3, 200, 17.0), (6, 200, 20.0))
    view = view_from(made(step), asked, WEST)
    assert view.losses[0].seconds == pytest.approx(2, abs=0.03)
    assert entries(asked, view) == []


def test_two_losses_that_touch_when_widened_are_one_entry_and_others_are_numbered():
    dips = [(after, 200, altitude) for start in (0, 24) for after, altitude in ((start, 20.0), (start + 10, 10.0))]
    asked = request(*dips, (34 + 10, 200, 20.0))
    view = view_from(made(step), asked, WEST)
    assert len(view.losses) == 2
    assert len(entries(asked, view)) == 2
    assert [one.name for one in entries(asked, view)] == ["the wall 1", "the wall 2"]
    wider = replace(asked, thresholds=Thresholds(before_s=10, after_s=10))
    assert len(entries(wider, view)) == 1


def test_entries_are_toml_whatever_stands_in_their_texts():
    asked = request(*DIP, name='the "wall"\n', reason="rock & \\ dust")
    (entry,) = tomllib.loads(as_toml(entries(asked, view_from(made(step), asked, WEST))))["plan"]["expected_losses"]
    assert (entry["name"], entry["reason"]) == ('the "wall"\n', "rock & \\ dust")
    assert entry["from"].isoformat() == "2023-11-14T22:13:20+00:00"
