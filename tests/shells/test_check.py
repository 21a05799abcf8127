import orjson
import pytest

from pipeline.shells.cli import main
from pipeline.shells.files.resources import mission_names, mission_path

PLAN = """
[timers]
loss_seconds = 4.5

[[plan.windows]]
name = "noon"
vehicle = "ingenuity"
link = "rover-a"
from = 2024-01-18T11:58:00Z
until = 2024-01-18T12:10:00Z

[[plan.expected_losses]]
name = "the hill"
vehicle = "ingenuity"
from = 2024-01-18T12:00:21Z
until = 2024-01-18T12:05:00Z
reason = "a hill between vehicle and relay"
below_m = 8.0

[[plan.sleeps]]
vehicle = "ingenuity"
from = 2024-01-18T13:00:00Z
until = 2024-01-19T08:00:00Z
"""


@pytest.fixture
def with_plan(tmp_path):
    path = tmp_path / "planned.toml"
    path.write_text(mission_path("ingenuity").read_text() + PLAN)
    return path


@pytest.mark.parametrize("name", mission_names())
def test_every_shipped_mission_has_no_fault(name, capsys):
    assert main(["check", name]) == 0
    assert capsys.readouterr().out.startswith(f"mission {name} ({name}.toml): ")


def test_it_says_what_is_in_a_mission(with_plan, capsys):
    assert main(["check", str(with_plan)]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "mission ingenuity (planned.toml): 1 vehicle, 1 link, no fault" in words
    assert "ingenuity 168 VC 0 VC 1 - 0.1 s flight, housekeeping" in words
    assert "ingenuity on_ground phase is one of preflight, landed" in words
    assert "rover-a tm 128 octets yes ingenuity" in words
    assert "ingenuity 72 2024-01-18 12:00:00.0 UTC 12 m, 40 ft 32 s" in words
    assert "2024-01-18 11:58:00.0 UTC 2024-01-18 12:10:00.0 UTC window noon ingenuity rover-a" in words
    assert "expected loss the hill ingenuity - a hill between vehicle and relay, below 8 m" in words
    assert "2024-01-18 13:00:00.0 UTC 2024-01-19 08:00:00.0 UTC sleep - ingenuity" in words
    assert "loss_seconds 4.5 3.0" in words


def test_it_gives_the_mission_as_one_json_object(with_plan, capsys):
    assert main(["check", str(with_plan), "--json"]) == 0
    body = orjson.loads(capsys.readouterr().out)
    assert body["faults"] == []
    assert body["mission"]["vehicles"][0]["flights"][2]["starts_at"] == "2024-01-18T12:00:00.000000000Z"
    assert body["mission"]["plan"]["sleeps"][0]["ends_at"] == "2024-01-19T08:00:00.000000000Z"
    assert body["mission"]["timers"]["loss_seconds"] == 4.5


@pytest.fixture
def faulty(tmp_path):
    path = tmp_path / "faulty.toml"
    text = mission_path("ingenuity").read_text()
    path.write_text(text.replace("scid = 168", "scid = 1024").replace("frame_length = 128", "frame_lenght = 128"))
    return path


def test_every_fault_is_named_with_its_line_and_key_and_nothing_else_is_said(faulty, capsys):
    lines = faulty.read_text().splitlines()
    scid, length = lines.index("scid = 1024") + 1, lines.index("frame_lenght = 128") + 1
    assert main(["check", str(faulty)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"faulty.toml:{scid}: vehicles[0].scid: " in said.err
    assert f"faulty.toml:{length}: links[0].frame_lenght: unknown key; did you mean frame_length?" in said.err
    assert "links[0].frame_length: is missing" in said.err


def test_faults_are_json_too(faulty, capsys):
    assert main(["check", str(faulty), "--json"]) == 2
    body = orjson.loads(capsys.readouterr().out)
    assert "mission" not in body
    assert any("vehicles[0].scid" in fault for fault in body["faults"])


@pytest.mark.parametrize(
    "octets,said",
    [
        (b"name = ", "this is not TOML"),
        (b"\xff\xfe", "octet 0 is not UTF-8"),
        (b"", "a mission needs at least one [[vehicles]]"),
    ],
)
def test_a_file_that_is_no_mission_is_one_clear_refusal(octets, said, tmp_path, capsys):
    path = tmp_path / "odd.toml"
    path.write_bytes(octets)
    assert main(["check", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_a_mission_that_is_not_there_is_named_with_those_that_are(capsys):
    assert main(["check", "perseverence"]) == 2
    assert "perseverence: no such file, and no mission of this name; there are ingenuity" in capsys.readouterr().err


def test_a_mission_file_that_windows_wrote_is_read_and_a_folder_is_none(tmp_path, capsys):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + mission_path("ingenuity").read_bytes().replace(b"\n", b"\r\n"))
    assert main(["check", str(path)]) == 0
    capsys.readouterr()
    assert main(["check", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"relaywatch: {tmp_path}: it is no file, and no mission of this name; ")
