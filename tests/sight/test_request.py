"""Requests: both ways to give a track, and every fault with its line."""

import pytest

from pipeline.errors import SightError
from pipeline.sight.request import load_request
from pipeline.sight.track import SECOND

HEAD = """\
name = "behind the hill"
vehicle = "ingenuity"
terrain = "hill.asc"
[[relays]]
name = "rover"
x = 0
y = 200.5
antenna_m = 1.0
"""
FLIGHT = """\
[flight]
starts_at = 2023-04-26T12:00:00Z
profile = [["climb", 10, 5.0], ["descent", 20, 0.0]]
ground_track = [[5.0, 100.0, 10.0], [15.0, 200.0, 30.0]]
"""
TRACK = """\
[[track]]
at = 2023-04-26T12:00:00Z
x = 100
y = 10
altitude_m = 0
[[track]]
at = 2023-04-26T12:00:10Z
x = 200
y = 10
altitude_m = 5
"""


def load(text):
    return load_request(text, where="hill.toml")


def test_a_profile_and_a_ground_track_make_a_track_with_the_points_of_both():
    track = load(HEAD + FLIGHT).track
    after = [(point.at - track.starts_at) / SECOND for point in track.points]
    assert after == [0, 5, 10, 15, 20]
    assert [point[1:] for point in track.points] == [
        (100, 10, 0), (100, 10, 2.5), (150, 20, 5), (200, 30, 2.5), (200, 30, 0),
    ]  # fmt: skip


def test_between_two_points_the_vehicle_moves_evenly_and_outside_them_it_stays():
    track = load(HEAD + TRACK).track
    assert track.at(track.starts_at + 5 * SECOND)[1:] == (150, 10, 2.5)
    assert track.at(track.starts_at - 5 * SECOND)[1:] == (100, 10, 0)
    assert track.at(track.ends_at + 5 * SECOND)[1:] == (200, 10, 5)


def test_without_stays_until_the_vehicle_stays_to_the_end_of_its_track():
    assert load(HEAD + FLIGHT).stays_until == load(HEAD + FLIGHT).track.ends_at


FAULTS = [
    ("nonsense", "hill.toml: this is not TOML"),
    (HEAD, "hill.toml:1: track: expected a [flight], or at least two [[track]]"),
    (HEAD + TRACK + FLIGHT, "hill.toml:9: track: stands beside [flight]; give one of them"),
    (HEAD + TRACK.replace(":10Z", ":00Z"), "hill.toml:15: track[1].at: is not after the point before it"),
    (HEAD.replace("antenna_m = 1.0", "antenna_m = -1") + TRACK, "hill.toml:8: relays[0].antenna_m: -1 is not a number"),
    (HEAD.replace("x = 0", "x = nan") + TRACK, "hill.toml:6: relays[0].x: nan is not a number"),
    (HEAD.replace("x = 0", "") + TRACK, "hill.toml:4: relays[0].x: is missing"),
    (HEAD + HEAD[HEAD.index("[[") :] + TRACK, "hill.toml:10: relays[1].name: 'rover' is used twice"),
    (HEAD[: HEAD.index("[[")] + TRACK, "hill.toml:1: relays: expected at least one [[relays]]"),
    (
        HEAD.replace("antenna_m", "antena_m") + TRACK,
        "hill.toml:8: relays[0].antena_m: unknown key; did you mean antenna",
    ),
    (HEAD + FLIGHT.replace("20, 0.0", "10, 0.0"), "flight.profile[1]: 10 s is not after the row before it"),
    (
        HEAD + FLIGHT.replace("20, 0.0", "20"),
        "flight.profile[1]: ['descent', 20] is no [\"phase\", until_s, altitude_m]",
    ),
    (HEAD + FLIGHT.replace("200.0, 30.0", "200.0, inf"), "flight.ground_track[1]: [15.0, 200.0, inf] has a number"),
    (HEAD + FLIGHT.replace("profile", "profil"), "flight.profile: is missing"),
    (
        "stays_until = 2023-04-26T11:00:00Z\n" + HEAD + FLIGHT,
        "hill.toml:1: stays_until: is before the end of the track",
    ),
    (
        HEAD + FLIGHT + "[thresholds]\nstep_s = 0\n",
        "hill.toml:14: thresholds.step_s: 0 is not a number of at least 0.01",
    ),
    (HEAD + FLIGHT.replace("2023-", "2923-"), "hill.toml:1: the file: the track does not lie between the years 1900"),
    (HEAD + FLIGHT + "[thresholds]\nbefore_s = 1e12\n", "hill.toml:14: thresholds.before_s: 1e+12 is more than 1e+07"),
    (HEAD.replace("y = 200.5", "y = 1e308") + TRACK, "hill.toml:7: relays[0].y: 1e+308 is more than 1e+08 m"),
    (
        HEAD + TRACK.replace("altitude_m = 5", "altitude_m = -1e308"),
        "hill.toml:18: track[1].altitude_m: -1e+308 is not",
    ),
    (HEAD + FLIGHT.replace("20, 0.0", "2e7, 0.0"), "flight.profile[1]: ['descent', 20000000.0, 0.0] has a number"),
    (HEAD + FLIGHT + "[thresholds]\nmargin_m = -1\n", "thresholds.margin_m: -1 is not a number of at least 0"),
]


@pytest.mark.parametrize("text, message", FAULTS)
def test_a_fault_is_named_with_line_and_key(text, message):
    with pytest.raises(SightError) as fault:
        load(text)
    assert message in str(fault.value)


def test_all_faults_are_told_together():
    with pytest.raises(SightError) as fault:
        load(HEAD.replace("x = 0", "x = true").replace('name = "rover"', 'name = "a rover"') + FLIGHT)
    assert str(fault.value).splitlines() == [
        "hill.toml:5: relays[0].name: 'a rover' is not a name: one word of at most 100 characters without '/' and '|'",
        "hill.toml:6: relays[0].x: True is not a number",
    ]
