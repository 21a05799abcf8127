import json

import orjson
import pytest

from pipeline.accounting.account import Account, ChannelAccount
from pipeline.shells.cli import main
from pipeline.shells.files.simulate import write_scenario
from tests.build import root, scenario

TRUTH = root().parent / "shared" / "data" / "ground-truth.json"


def frame_files():
    """Every real frame file, or one placeholder whose test says that they are absent."""
    if not TRUTH.is_file():
        return [pytest.param(None, id="no real recordings")]
    return [
        pytest.param(entry, id=entry["file"])
        for entry in json.loads(TRUTH.read_text())
        if entry["file"].startswith("frames-")
    ]


def inspect(capsys, *words, status=0):
    assert main(["inspect", *map(str, words)]) == status
    return capsys.readouterr()


@pytest.mark.parametrize("entry", frame_files())
def test_the_account_of_a_real_frame_file_is_the_truth_that_comes_with_it(entry, shared_data, capsys):
    verified = entry["verified"]
    frame_format = entry["file"].split("/")[0].removeprefix("frames-")
    fecf = "--fecf" if verified["fecf"] == "present" else "--no-fecf"
    words = ("--json", "--format", frame_format, "--frame-length", verified["frame_length"], fecf)
    body = orjson.loads(inspect(capsys, shared_data / entry["file"], *words).out)
    bad = {
        "bad:fecf": verified.get("crc_failures", 0),
        "bad:version": len(verified["frames_with_wrong_version_or_scid"]),
    }
    assert body["frames"] == verified["frames"] == sum(body["dispositions"].values())
    assert {word: n for word, n in body["dispositions"].items() if word.startswith("bad:")} == {
        word: n for word, n in bad.items() if n
    }
    assert body["channels"] == [
        {
            "scid": verified["scid"],
            "vcid": int(vcid),
            "received": channel["frames"],
            "gaps": channel["gap_events"],
            "missing": channel["missing"],
            "repeated": channel["repeated_count"],
            "first_count": channel["first_count"],
            "last_count": channel["last_count"],
        }
        for vcid, channel in sorted(verified["virtual_channels"].items(), key=lambda row: int(row[0]))
    ]


def test_mars_2020_has_the_packets_that_its_notebook_found(shared_data, capsys):
    file = shared_data / "frames-aos/mars2020_frames.u8"
    seen = inspect(capsys, file, "--json", "--format", "aos", "--frame-length", 1115, "--fecf")
    assert orjson.loads(seen.out) == {
        "frames": 950,
        "dispositions": {"bad:fecf": 4, "good": 946},
        "channels": [
            {
                "scid": 168, "vcid": 0, "received": 946, "gaps": 6, "missing": 17, "repeated": 0,
                "first_count": 2_950_967, "last_count": 2_951_929,
            }
        ],
        "packets": {"2047": 741, "9": 58, "247": 14},
    }  # fmt: skip
    assert seen.err == ""


def test_a_person_sees_tables(shared_data, capsys):
    file = shared_data / "frames-tm/escapade_gold_frames_2025_11_14_16_49.u8"
    out = inspect(capsys, file, "--format", "tm", "--frame-length", 1113, "--no-fecf").out
    assert out.startswith(
        "590 frames\n\ndisposition  frames\n-----------  ------\ngood            432\nduplicate       158\n"
    )
    assert "  86     2       590     7      258       158                0            8         185\n" in out
    assert "\nAPID  packets\n" in out


def test_whether_there_is_a_check_is_found_out_where_it_is_not_said(shared_data, capsys):
    file = shared_data / "frames-aos/mars2020_frames.u8"
    seen = inspect(capsys, file, "--json", "--format", "aos", "--frame-length", 1115)
    assert orjson.loads(seen.out)["dispositions"] == {"bad:fecf": 4, "good": 946}
    assert "by its first frames they have FECF" in seen.err


@pytest.mark.parametrize(
    ("name", "system", "received", "gaps", "missing", "status"),
    [
        ("20211202-132614.tlog", 10, 12_023, 1, 1, 0),
        ("20211202-133659.tlog", 10, 722, 1, 3, 0),
        ("vtol.tlog", 1, 23_894, 22, 1_200, 0),
    ],
)
def test_the_messages_of_a_tlog_are_counted_by_sequence(
    name, system, received, gaps, missing, status, shared_data, capsys
):
    body = orjson.loads(inspect(capsys, shared_data / "mavlink" / name, "--json", status=status).out)
    (channel,) = body["channels"]
    assert (channel["scid"], channel["vcid"], channel["received"]) == (system, 1, received)
    assert (channel["gaps"], channel["missing"]) == (gaps, missing)


@pytest.mark.parametrize("frame_format", ["tm", "aos"])
def test_a_recording_is_read_with_the_managed_parameters_of_its_mission(frame_format, tmp_path, capsys):
    path = tmp_path / "two-paths.mcap"
    write_scenario("two-paths", path, frame_format=frame_format)
    body = orjson.loads(inspect(capsys, path, "--json").out)
    expected = scenario("two-paths").expect_dispositions
    assert body["dispositions"]["duplicate"] == expected["duplicate"]
    assert sum(n for word, n in body["dispositions"].items() if word.startswith("bad:")) == expected["bad"]
    assert sum(body["dispositions"].values()) == body["frames"]
    assert body["channels"]
    assert {(one["link"], one["scid"], one["missing"]) for one in body["channels"]} == {("rover-a", 168, 0)}


def test_channels_of_several_links_are_told_apart():
    body = Account(channels=[ChannelAccount(scid=0, vcid=1, link="rover-b")]).body()
    assert body["channels"][0]["link"] == "rover-b"
    assert body["channels"][0]["scid"] == 0
