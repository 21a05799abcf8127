import hashlib
import os
import subprocess
import sys

import pytest

from pipeline.mission.load import load_mission
from pipeline.records import FramesReceived
from pipeline.shells.cli import main
from pipeline.shells.files.recording_reader import read_recording
from pipeline.shells.files.simulate import write_scenario
from tests.build import root, scenario_records


def simulate(capsys, *words, status=0):
    assert main(["simulate", *map(str, words)]) == status
    return capsys.readouterr()


@pytest.mark.parametrize("hash_seed", ["0", "4321"])
def test_a_scenario_is_the_same_to_the_octet_in_every_process(hash_seed, tmp_path):
    here, there = tmp_path / "here.mcap", tmp_path / "there.mcap"
    write_scenario("flight-72", here)
    subprocess.run(
        [sys.executable, "-m", "pipeline.shells.cli", "simulate", "flight-72", "-o", str(there)],
        check=True, capture_output=True, cwd=root(), env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )  # fmt: skip
    assert digest(here) == digest(there)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_another_seed_is_another_noise(tmp_path, capsys):
    for seed in (1, 2, 1):
        simulate(capsys, "nominal", "-o", tmp_path / f"{seed}.mcap", "--seed", seed)
    again = tmp_path / "again.mcap"
    simulate(capsys, "nominal", "-o", again, "--seed", 1)
    assert digest(again) == digest(tmp_path / "1.mcap") != digest(tmp_path / "2.mcap")


def test_the_recording_holds_the_records_in_order_of_arrival_and_the_mission(tmp_path, capsys):
    path = tmp_path / "shuffled.mcap"
    said = simulate(capsys, "nominal", "-o", path, "--order", "shuffled").out
    records = scenario_records("nominal", "shuffled")
    recording = read_recording(path)
    assert [record.id for record in recording] == [record.id for record in records]
    assert load_mission(recording.mission_text, where="inside").name == "ingenuity"
    assert said == f"{path}: {len(records):,} records of scenario nominal, {path.stat().st_size:,} octets\n"


def test_a_scenario_can_be_written_in_aos_frames(tmp_path, capsys):
    path = tmp_path / "aos.mcap"
    simulate(capsys, "nominal", "-o", path, "--format", "aos")
    frames = next(record for record in read_recording(path) if isinstance(record, FramesReceived))
    assert frames.octets[0] >> 6 == 0b01


def test_a_scenario_by_its_path_is_the_one_by_its_name(tmp_path, capsys):
    simulate(capsys, root() / "scenarios/nominal.toml", "-o", tmp_path / "path.mcap")
    simulate(capsys, "nominal", "-o", tmp_path / "name.mcap")
    assert digest(tmp_path / "path.mcap") == digest(tmp_path / "name.mcap")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("no-such", "-o", "x.mcap"), "no-such: no such file, and no scenario of this name; there are "),
        (("nominal", "-o", "."), ".: Is a directory"),
        (("nominal", "-o", "no/such/folder/x.mcap"), "no/such/folder/x.mcap: No such file or directory"),
    ],
)
def test_what_cannot_be_simulated_is_named_in_one_line(words, named, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = simulate(capsys, *words, status=2)
    assert seen.out == ""
    assert seen.err.startswith(f"relaywatch: {named}")
    assert seen.err.count("\n") == 1
