"""`relaywatch scenarios`: the table, a wrong truth, and the corpus that others can use."""

from pathlib import Path

import orjson
import pytest

from pipeline.shells.cli import main
from pipeline.shells.commands import scenarios
from pipeline.shells.files.resources import scenario_path


def test_the_table_says_what_was_expected_what_came_and_whether_it_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "short-fade", "relay-outage", "--format", "tm"]) == 0
    assert capsys.readouterr().out.splitlines() == [line[2:] for line in scenarios.EXAMPLE.splitlines()[1:]]


def test_a_truth_that_is_not_met_is_named_and_the_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(scenario_path("relay-outage").read_text().replace("raised_s = 13.0", "raised_s = 14.0"))
    assert main(["scenarios", str(wrong), "--format", "tm", "--json"]) == 1
    printed = capsys.readouterr()
    assert orjson.loads(printed.out)["differences"] == ["relay_outage: raised at 13 s; expected 14 ± 0.2 s"]
    assert "raised at 13 s; expected 14" in printed.err


def test_the_corpus_holds_recordings_that_analyze_reads_and_their_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scenarios", "relay-outage", "--write", str(tmp_path / "corpus")]) == 0
    written = sorted(path.name for path in (tmp_path / "corpus").iterdir())
    assert written == [
        "README.md",
        *(f"relay-outage.{f}.{end}" for f in ("aos", "tm") for end in ("mcap", "truth.json")),
    ]
    truth = orjson.loads((tmp_path / "corpus" / "relay-outage.tm.truth.json").read_bytes())
    capsys.readouterr()
    assert main(["analyze", str(tmp_path / "corpus" / "relay-outage.tm.mcap"), "--json"]) == 0
    incident = orjson.loads(capsys.readouterr().out.splitlines()[0])
    assert (incident["type"], incident["severity"]) == (truth["expect"][0]["type"], truth["expect"][0]["severity"])


def test_an_unknown_scenario_and_a_folder_that_is_a_file_are_each_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scenarios", "no-such"]) == 2
    assert "no scenario of this name" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["scenarios", "short-fade", "--write", str(tmp_path / "file")]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err
