"""A mission file is checked in full: each fault with its file, line, key, what was found and what was expected."""

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import MissionError
from pipeline.mission.lines import lines_of
from pipeline.mission.load import build_mission, load_mission
from pipeline.mission.model import Mission, Timers
from pipeline.packets.mavlink import PARAMETERS
from pipeline.records import SECOND
from pipeline.shells.files.resources import mission_names, mission_path, read_mission

TEXT = """\
name = "m"
[[vehicles]]
name = "v"
scid = 1
packets = ["p"]
[vehicles.meanings]
altitude = "high"
phase = "phase"
in_flight = ["phase", "==", "climb"]
[[vehicles.flights]]
number = 7
starts_at = 2024-01-18T12:00:00Z
assigned_altitude_ft = 40
[[links]]
name = "l"
format = "tm"
vehicles = ["v"]
frame_length = 128
[[packets]]
name = "p"
apid = 5
fields = [
    { name = "high", type = "int", bit = 0, bits = 16, scale = 0.1 },
    { name = "phase", type = "enum", bit = 16, bits = 8, labels = { 0 = "ground", 1 = "climb" } },
    { name = "down", type = "bool", bit = 31 },
]
[plan]
[[plan.windows]]
name = "noon"
vehicle = "v"
link = "l"
from = 2024-01-18T11:00:00Z
until = 2024-01-18T13:00:00Z
"""


def faults(text: str) -> list[str]:
    try:
        load_mission(text, where="m.toml")
    except MissionError as fault:
        return str(fault).splitlines()
    return []


def test_a_mission_without_fault_is_read() -> None:
    mission = load_mission(TEXT, where="m.toml")
    (vehicle,), (link,) = mission.vehicles, mission.links
    assert (mission.name, vehicle.scid, link.frame_length, link.format) == ("m", 1, 128, "tm")
    assert vehicle.packets[0].fields[0].scale == 0.1
    assert vehicle.flights[0].assigned_altitude_m == 12.192
    assert vehicle.flights[0].altitude_in_feet
    assert vehicle.flights[0].starts_at == 1_705_579_200 * SECOND
    assert mission.timers == Timers()
    (window,) = mission.plan.windows
    assert window.ends_at - window.starts_at == 7200 * SECOND


@pytest.mark.parametrize("name", mission_names())
def test_every_shipped_mission_is_without_fault(name: str) -> None:
    assert isinstance(read_mission(name), Mission)


def test_missions_for_ingenuity_and_for_mavlink_are_shipped() -> None:
    assert {"ingenuity", "mavlink"} <= set(mission_names())


# ruff: noqa: E501 - one line a fault reads best
FAULTS = [
    # what is changed, to what, the fault
    ('name = "m"', "", "m.toml:1: name: is missing"),
    ('name = "m"', "name = 3", "m.toml:1: name: 3 is not a text"),
    ('name = "m"', 'name = "m m"', "m.toml:1: name: 'm m' is not a name: one word of at most 100 characters without '/' and '|'"),
    ('name = "m"', 'name = "a|b"', "m.toml:1: name: 'a|b' is not a name: one word of at most 100 characters without '/' and '|'"),
    ("scid = 1", "scid = 1024", "m.toml:4: vehicles[0].scid: 1024 is not a whole number from 0 to 1023"),
    ("scid = 1", "scid = true", "m.toml:4: vehicles[0].scid: True is not a whole number from 0 to 1023"),
    ("scid = 1", 'scid = "1"', "m.toml:4: vehicles[0].scid: '1' is not a whole number from 0 to 1023"),
    ("scid = 1", "scdi = 1", "m.toml:4: vehicles[0].scdi: unknown key; did you mean scid?"),
    ("scid = 1", "", "m.toml:2: vehicles[0].scid: is missing"),
    ("scid = 1", "scid = 1\nrealtime_vcids = [8]", "m.toml:5: vehicles[0].realtime_vcids[0]: 8 is not from 0 to 7"),
    (
        "scid = 1", "scid = 1\nrecorded_vcids = [0]",
        "m.toml:5: vehicles[0].recorded_vcids: VC 0 is named twice; a virtual channel is real-time, recorded or idle",
    ),
    ('packets = ["p"]', 'packets = ["q"]', "m.toml:5: vehicles[0].packets[0]: 'q' is no packet of this mission; it has p"),
    (
        'altitude = "high"', 'altitude = "hihg"',
        "m.toml:7: vehicles[0].meanings.altitude: 'hihg' is carried by no packet of this vehicle",
    ),
    (
        'altitude = "high"', 'altitude = "phase"',
        "m.toml:7: vehicles[0].meanings.altitude: 'phase' is of type enum; expected uint or int or float",
    ),
    (
        '"==", "climb"', '"==", "clim"',
        "m.toml:9: vehicles[0].meanings.in_flight: phase is never 'clim'; it is one of ground, climb",
    ),
    (
        '"==", "climb"', '">", "climb"',
        "m.toml:9: vehicles[0].meanings.in_flight: > needs a number, not 'climb'",
    ),
    (
        '["phase", "==", "climb"]', '["phase", "is", "climb"]',
        "m.toml:9: vehicles[0].meanings.in_flight: ['phase', 'is', 'climb'] is no comparison; expected "
        '["parameter", "==", value], or a table with all = [...] or any = [...] with one of == != < <= > >=',
    ),
    (
        '["phase", "==", "climb"]', '{ any = [["speed", ">", 1]] }',
        "m.toml:9: vehicles[0].meanings.in_flight.any[0]: names the parameter 'speed', which no packet of this vehicle "
        "carries",
    ),
    (
        "starts_at = 2024-01-18T12:00:00Z", "starts_at = 2024-01-18T12:00:00",
        "m.toml:12: vehicles[0].flights[0].starts_at: 2024-01-18 12:00:00 is not a moment with its offset, for example "
        "2024-01-18T12:00:00Z",
    ),
    (
        "assigned_altitude_ft = 40", "assigned_altitude_ft = 40\nassigned_altitude_m = 12",
        "m.toml:13: vehicles[0].flights[0].assigned_altitude_ft: the assigned altitude is given in metres too; give one",
    ),
    ('format = "tm"', 'format = "tn"', "m.toml:16: links[0].format: 'tn' is not one of tm, aos, mavlink"),
    (
        'vehicles = ["v"]', 'vehicles = ["v", "w"]',
        "m.toml:17: links[0].vehicles[1]: 'w' is no vehicle of this mission; it has v",
    ),
    (
        "frame_length = 128", "frame_length = 2049",
        "m.toml:18: links[0].frame_length: 2049 is not a whole number from 1 to 2048",
    ),
    (
        "frame_length = 128", "frame_length = 8",
        "m.toml:18: links[0].frame_length: 8 octets hold no data; with these managed parameters at least 9",
    ),
    (
        "frame_length = 128", "frame_length = 128\ninsert_zone_octets = 4",
        "m.toml:19: links[0].insert_zone_octets: belongs to AOS frames, and this link has tm",
    ),
    (
        "apid = 5", "apid = 2047",
        "m.toml:21: packets[0].apid: packet 'p' uses APID 2047, which 133.0-B keeps for idle packets",
    ),
    ('type = "int", bit = 0', 'type = "float", bit = 0', "m.toml:23: packets[0].fields[0].bits: 16 is not a whole number from 32 to 64"),
    ("scale = 0.1", "scale = 0", "m.toml:23: packets[0].fields[0].scale: 0 would make every value the same"),
    ('1 = "climb"', '256 = "climb"', "m.toml:24: packets[0].fields[1].labels.256: '256' is not a number that 8 bits hold"),
    ('"down"', '"high"', "m.toml:25: packets[0].fields[2].name: 'high' is the name of another field of packet 'p' too"),
    ("until = 2024-01-18T13", "until = 2024-01-18T10", "m.toml:33: plan.windows[0].until: is not after `from`"),
    ('link = "l"', 'link = "k"', "m.toml:31: plan.windows[0].link: 'k' is no link of this mission; it has l"),
    ("[plan]", "[timers]\nloss_seconds = 1\n[plan]", "m.toml:28: timers.loss_seconds: 1 s is not more than suspect_seconds, 1 s"),
    ("[plan]", "[timers]\nresume_frames = 2.5\n[plan]", "m.toml:28: timers.resume_frames: 2.5 is not a whole number from 1 to 1000000"),
    ("[plan]", "[timers]\nloss_seconds = 1e308\n[plan]", "m.toml:28: timers.loss_seconds: 1e+308 is not a number of at least 0 and at most 1e+09"),
    ("scid = 1", "scid = 1\nframe_period_s = inf", "m.toml:5: vehicles[0].frame_period_s: inf is not a number above 0 and at most 1e+09"),
    ("[plan]", "[timers]\nlos_seconds = 4\n[plan]", "m.toml:28: timers.los_seconds: unknown key; did you mean loss_seconds?"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "instead", "fault"), FAULTS)
def test_each_kind_of_fault_says_file_line_key_and_what_is_wrong(found: str, instead: str, fault: str) -> None:
    assert TEXT.count(found) == 1, found
    assert fault in faults(TEXT.replace(found, instead))


def test_all_faults_are_told_together_in_the_order_of_their_lines() -> None:
    text = TEXT
    for found, instead in (("apid = 5", "apid = -1"), ("scid = 1", "scid = 5000"), ('format = "tm"', 'format = "x"')):
        text = text.replace(found, instead)
    assert [one.split(":")[1] for one in faults(text)] == ["4", "16", "21"]


def test_a_text_that_is_not_toml_says_where() -> None:
    (fault,) = faults('name = "m"\nscid = = 1')
    assert fault.startswith("m.toml: this is not TOML: ")
    assert "line 2" in fault


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("9223372036854775808", "vehicles[0].scid is a whole number that 64 bits do not hold"),
        ("1" + "0" * 400, "vehicles[0].scid is a whole number that 64 bits do not hold"),
        ("1" + "0" * 5000, "Exceeds the limit (4300 digits)"),
        ("0x" + "f" * 5000, "vehicles[0].scid is a whole number that 64 bits do not hold"),
    ],
)
def test_a_whole_number_that_64_bits_do_not_hold_is_no_toml(number: str, said: str) -> None:
    (fault,) = faults(TEXT.replace("scid = 1", f"scid = {number}"))
    assert fault.startswith("m.toml: this is not TOML: ")
    assert said in fault


def test_arrays_that_stand_too_deep_in_each_other_are_said_to() -> None:
    (fault,) = faults(TEXT.replace("scid = 1", f"scid = {'[' * 5000}{']' * 5000}"))
    assert fault == "m.toml: this is not TOML that can be read: arrays or tables stand too deep in each other"


def test_an_empty_file_lacks_everything() -> None:
    assert faults("") == [
        "m.toml:1: name: is missing",
        "m.toml:1: vehicles: a mission needs at least one [[vehicles]]",
        "m.toml:1: links: a mission needs at least one [[links]]",
    ]


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_mavlink_mission_may_name_every_parameter_that_is_read(name: str) -> None:
    text = mission_path("mavlink").read_text().replace('climb_rate = "climb_rate"', f'climb_rate = "{name}"')
    assert faults(text) == []


def test_a_mavlink_vehicle_has_messages_and_no_packets() -> None:
    text = mission_path("mavlink").read_text().replace("scid = 0 ", 'packets = ["p"]\nscid = 0 ')
    assert any("a vehicle on a MAVLink link has MAVLink's own messages" in one for one in faults(text))


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 3000) | st.floats(-10, 10) | st.sampled_from(["v", "l", "p", "tm", "climb", "", "a b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "scid", "all", "any", "labels", "fields", "from", "until", "bits", "0", "x"]), inner, max_size=3
    ),
    max_leaves=8,
)  # fmt: skip


def paths_of(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(inner for key, value in items for inner in paths_of(value, (*path, key)))]


PATHS = [path for path in paths_of(tomllib.loads(TEXT)) if path]


@given(st.lists(st.tuples(st.sampled_from(PATHS), TREES), min_size=1, max_size=3))
def test_whatever_stands_in_the_place_of_a_value_the_check_says_so_and_never_crashes(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    data = tomllib.loads(TEXT)
    for path, value in changes:
        place: Any = data
        for key in path[:-1]:
            place = place[key] if isinstance(place, dict) and key in place else None
            if isinstance(place, list) and place:
                continue
        if isinstance(place, dict):
            place[path[-1]] = value
    try:
        build_mission(data, where="m.toml", lines={})
    except MissionError as fault:
        lines = str(fault).splitlines()
    else:
        lines = ["m.toml:1: "]
    assert all(line.startswith("m.toml:1: ") for line in lines)


@given(st.dictionaries(st.sampled_from(["name", "vehicles", "links", "packets", "plan", "timers"]), TREES))
def test_a_random_tree_never_crashes_the_check(data: dict[str, Any]) -> None:
    try:
        build_mission(data, where="m.toml", lines={})
    except MissionError as fault:
        assert str(fault).startswith("m.toml:1: ")  # noqa: PT017


WITHOUT_NONE = TREES.filter(lambda tree: "None" not in repr(tree))


@given(st.dictionaries(st.sampled_from(["name", "vehicles", "a.b", 'qu"ote', "plan"]), WITHOUT_NONE, max_size=4))
@settings(max_examples=25)
def test_the_line_of_every_key_in_a_toml_text_is_found(data: dict[str, Any]) -> None:
    text = tomli_w.dumps(data)
    lines = lines_of(text)
    for key in data:
        line = text.splitlines()[lines[(key,)] - 1]
        assert key.split('"')[0] in line
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
