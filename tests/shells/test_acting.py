"""What a person gives is checked before Kafka is asked."""

import pytest

from pipeline.shells.acting import metres, moment
from pipeline.shells.cli import main

ABOUT = ["--by", "ed", "--why", "map"]
LOSS = ["plan", "loss", "hill", "--from", "2024-01-18T12:00:21Z", "--reason", "a hill", *ABOUT]


def test_a_moment_has_an_offset_and_may_have_fractions() -> None:
    assert moment("1970-01-01T01:00:00.5+01:00") == 500_000_000
    assert metres("8.5") == 8.5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--until", "yesterday"], "'yesterday': give a moment with its offset, for example 2024-01-18T12:30:00Z"),
        (["--until", "2024-01-18T12:00:00"], "'2024-01-18T12:00:00': give a moment with its offset"),
        (["--until", "9999-12-31T23:59:59Z"], "give a moment between the years 1678 and 2262"),
        (["--until", "0001-01-01T00:00:00+14:00"], "give a moment between the years 1678 and 2262"),
        (["--until", "2024-01-18T12:05:00Z", "--below", "nan"], "'nan': give metres as a number, for example 8.5"),
        (["--until", "2024-01-18T12:05:00Z", "--below", "1e999"], "'1e999': give metres as a number"),
    ],
)
def test_a_moment_or_a_height_that_is_none_is_refused_in_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*LOSS, *words])
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("words", [["--by", "\udcff", "--why", "map"], ["--by", "ed", "--why", "\udcff"]])
def test_a_word_that_is_not_utf_8_is_refused_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ack", "live:ingenuity:72:ended_before_landing", *words]) == 2
    assert capsys.readouterr().err.endswith(" is '\\udcff': it is not UTF-8\n")
