"""`relaywatch visibility`: what it prints, writes and refuses; and that what it writes makes a loss an expected one."""

import shutil
from dataclasses import replace
from xml.etree import ElementTree

import orjson
import pytest

from pipeline.mission.load import load_mission
from pipeline.shells.cli import main
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.resources import mission_path, schemas_dir, sight_names
from pipeline.simulate.scenario import Session
from pipeline.simulate.simulation import simulate
from tests.build import scenario


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A place to work in, with the example in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("hill.toml", "hill.asc"):
        shutil.copy(schemas_dir() / "terrain" / name, tmp_path / name)
    return tmp_path


def change(path, there, instead):
    text = path.read_text()
    assert there in text
    path.write_text(text.replace(there, instead, 1))


def refused(words, capsys):
    """The one line on standard error."""
    assert main(["visibility", *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    return line


def test_it_says_when_the_vehicle_is_out_of_sight_and_from_where_it_would_not_be(capsys):
    assert main(["visibility", "hill"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "behind the hill: ingenuity seen from rover over hill.asc"
    assert "Out of sight of rover from 21.59 s to 62.00 s, where the track ends; in sight there from 7.4 m up." in lines
    assert "In sight all that time from north, 222 m from rover." in lines
    assert "closer  60 m        41.8 s        41.6 s   out of sight, from 8.6 m up" in lines


def test_another_relay_can_be_the_one_that_listens(capsys):
    assert main(["visibility", "hill", "--relay", "north"]) == 0
    out = capsys.readouterr().out
    assert "Never out of sight of north." in out
    assert "expected_losses" not in out


def test_where_no_listed_position_helps_it_says_so(folder, capsys):
    text = (folder / "hill.toml").read_text()
    start, end = text.index('[[relays]]\nname = "north"'), text.index("[flight]")
    (folder / "hill.toml").write_text(text[:start] + text[end:])
    assert main(["visibility", "hill.toml"]) == 0
    assert "From no other relay listed would it be in sight again." in capsys.readouterr().out


def test_plan_prints_only_what_a_mission_file_takes(capsys):
    assert main(["visibility", "hill", "--plan"]) == 0
    printed = capsys.readouterr().out
    mission = load_mission(mission_path("ingenuity").read_text() + printed, where="joined")
    (entry,) = mission.plan.expected_losses
    assert (entry.name, entry.below_m, entry.reason) == ("behind the hill", 8.0, "a hill between rover and helicopter")


def test_json_has_an_object_for_each_relay_with_every_sample(capsys):
    assert main(["visibility", "hill", "--json"]) == 0
    rover, closer, north = map(orjson.loads, capsys.readouterr().out.splitlines())
    assert [one["relay"] for one in (rover, closer, north)] == ["rover", "closer", "north"]
    assert rover["losses"][0]["masking_altitude_m"] == pytest.approx(7.4068, abs=1e-3)
    assert len(rover["samples"]) == len(north["samples"]) > 240
    assert north["losses"] == north["expected_losses"] == []


def test_into_writes_the_mission_with_its_comments_and_the_new_entry(folder, capsys):
    assert main(["visibility", "hill.toml", "--into", "ingenuity", "-o", "new.toml"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "new.toml: mission ingenuity with 1 expected loss"
    text = (folder / "new.toml").read_text()
    assert text.startswith(mission_path("ingenuity").read_text().rstrip())
    assert [one.name for one in load_mission(text, where="new").plan.expected_losses] == ["behind the hill"]


def test_nothing_is_written_where_the_plan_has_that_entry_already(folder, capsys):
    assert main(["visibility", "hill.toml", "--into", "ingenuity", "-o", "new.toml"]) == 0
    assert main(["visibility", "hill.toml", "--into", "new.toml", "-o", "newer.toml"]) == 2
    assert "newer.toml:" in (line := capsys.readouterr().err)
    assert "'behind the hill' is used twice" in line
    assert not (folder / "newer.toml").exists()


def test_the_mission_itself_is_never_written_over(folder, capsys):
    shutil.copy(mission_path("ingenuity"), folder / "own.toml")
    assert main(["visibility", "hill.toml", "--into", "own.toml", "-o", "own.toml"]) == 2
    assert "own.toml is the mission itself" in capsys.readouterr().err


def test_a_plan_written_in_one_line_cannot_be_added_to(folder, capsys):
    (folder / "own.toml").write_text(mission_path("ingenuity").read_text().replace("name", "plan = {}\nname", 1))
    assert main(["visibility", "hill.toml", "--into", "own.toml", "-o", "new.toml"]) == 2
    assert "own.toml: its plan stands in one line or array" in capsys.readouterr().err


def test_a_mission_without_the_vehicle_is_refused(folder, capsys):
    change(folder / "hill.toml", 'vehicle = "ingenuity"', 'vehicle = "dragonfly"')
    assert main(["visibility", "hill.toml", "--into", "ingenuity", "-o", "new.toml"]) == 2
    assert "'dragonfly' is no vehicle of this mission; it has ingenuity" in capsys.readouterr().err


def test_svg_draws_the_worst_moment_or_the_one_asked_for(folder, capsys):
    assert main(["visibility", "hill.toml", "--svg", "worst.svg"]) == 0
    assert capsys.readouterr().out.endswith("worst.svg: the profile at 30.20 s\n")
    assert main(["visibility", "hill.toml", "--plan", "--svg", "then.svg", "--at", "20"]) == 0
    assert capsys.readouterr().err == "relaywatch: then.svg: the profile at 20.00 s\n"
    for name, sight in (("worst.svg", "out of sight"), ("then.svg", "in sight")):
        said = "".join(ElementTree.parse(folder / name).getroot().itertext())
        assert f"s after the track's start: {sight}; at" in said


FAULTS = [
    ('terrain = "hill.asc"', 'terrain = "dale.asc"', "dale.asc: No such file or directory"),
    ('terrain = "hill.asc"', 'terrain = "."', "Is a directory"),
    (
        "x = 0.0\n",
        "x = -500.0\n",
        "relay rover at x -500, y 200 lies outside the terrain hill.asc, which reaches from x -25",
    ),
    (
        "390.0, 200.0",
        "390.0, 900.0",
        "the track at 2023-04-26T12:00:14.50Z at x 364.688, y 722.812 lies outside the terrain",
    ),
    ("antenna_m = 1.0", 'antenna_m = "1 m"', "hill.toml:16: relays[0].antenna_m: '1 m' is not a number"),
]


@pytest.mark.parametrize("there, instead, message", FAULTS)
def test_what_cannot_be_reckoned_is_refused_with_one_clear_line(folder, capsys, there, instead, message):
    change(folder / "hill.toml", there, instead)
    line = refused(["hill.toml"], capsys)
    assert line.startswith("relaywatch: ")
    assert message in line


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "hill.asc: the header has no ncols"),
        (b"\x89PNG\r\n\x1a\n\x00", "hill.asc:1: "),
        (b"ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 \xff\n", "hill.asc:7: '\ufffd' is no height"),
    ],
)
def test_a_terrain_that_is_no_grid_is_refused(folder, capsys, content, message):
    (folder / "hill.asc").write_bytes(content)
    assert message in refused(["hill.toml"], capsys)


@pytest.mark.parametrize(
    "words, message",
    [
        (["hill", "--relay", "south"], "'south' is no relay here; there are rover, closer, north"),
        (["hill", "--at", "63"], "--at is 63: the track lasts from 0 to 62 s"),
        (["hill", "--at", "nan"], "--at is nan: the track lasts"),
        (["hill", "--into", "ingenuity"], "--into MISSION and -o FILE belong together"),
        (["hill", "-o", "new.toml"], "--into MISSION and -o FILE belong together"),
        (["dale"], f"dale: no such file, and no request of this name; there are {', '.join(sight_names())}"),
    ],
)
def test_words_that_do_not_fit_are_refused(words, message, capsys):
    assert message in refused(words, capsys)


def test_a_loss_that_was_predicted_from_terrain_is_a_notice_and_not_critical(folder, capsys):
    """From positions and terrain to the verdict: the flight falls silent where the hill hides it."""
    assert main(["visibility", "hill.toml", "--into", "ingenuity", "-o", "new.toml"]) == 0
    flight = scenario("expected-loss")
    session = Session(from_s=-30.0, until_s=60.0)
    bare = replace(flight, sessions=(session,), contacts=(), playbacks=())
    planned = load_mission((folder / "new.toml").read_text(), where="new.toml")
    told = {}
    for name, mission in (("planned", planned), ("unplanned", replace(planned, plan=type(planned.plan)()))):
        (incident,) = [
            one
            for one in analyze(simulate(replace(bare, mission=mission)), mission).incidents
            if one.type == "ended_before_landing"
        ]
        told[name] = incident
    assert (told["planned"].severity, told["unplanned"].severity) == ("notice", "critical")
    assert any("behind the hill" in one for one in told["planned"].known)
