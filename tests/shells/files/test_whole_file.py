"""Files that commands write: whole, or what was there before stays."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.shells.cli import main
from pipeline.shells.files.whole_file import whole_file
from tests.build import root


def test_a_file_is_there_once_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "made.txt"
    with whole_file(path) as place:
        place.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert list(tmp_path.iterdir()) == [path]


def test_where_writing_fails_what_was_there_stays_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "made.txt"
    path.write_text("before")

    def fail() -> None:
        with whole_file(path) as place:
            place.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_and_a_name_may_be_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    link = tmp_path / "link"
    link.symlink_to(path)
    with whole_file(link) as place:
        place.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"


def test_what_is_no_file_is_written_to_and_never_replaced() -> None:
    with whole_file(Path("/dev/null")) as place:
        place.write_text("gone")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "flight-72", "-o", "made.mcap"],
        ["scenarios", "short-fade", "--write", "."],
        ["visibility", "hill", "--into", "ingenuity", "-o", "made.toml"],
        ["visibility", "hill", "--svg", "made.svg"],
    ],
    ids=["simulate", "scenarios", "mission", "svg"],
)
def test_a_command_that_may_not_write_so_much_leaves_no_half_file(words: list[str], tmp_path: Path) -> None:
    def at_most_a_kilobyte() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run(
        [sys.executable, "-B", "-m", "pipeline.shells.cli", *words],
        env={"PYTHONPATH": str(root())}, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=at_most_a_kilobyte,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "flight-72", "-o", "x" * 300],
        ["analyze", "x" * 300],
        ["check", "x" * 300],
        ["visibility", "hill", "--svg", "x" * 300],
        ["backfill", "x" * 300, "--openmetrics", "-"],
        ["replay", "x" * 300, "--kafka", "127.0.0.1:1"],
    ],
    ids=lambda words: words[0],
)
def test_a_name_that_is_too_long_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said == f"relaywatch: {'x' * 300}: File name too long\n"
