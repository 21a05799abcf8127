"""Text that somebody else wrote is shown, and does nothing to a terminal."""

import logging

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shells import terminal
from pipeline.shells.cli import main
from pipeline.texts import escaped, first_control

HOSTILE = "a\x1b[2Jb\x07c\u202ed\x9be\x7f"


@given(st.text())
def test_what_is_shown_holds_no_control_and_text_without_one_is_as_it_was(text: str) -> None:
    shown = escaped(text)
    assert first_control(shown) is None
    assert (shown == text) == (first_control(text) is None)
    assert first_control(escaped(text, but="\n").replace("\n", "")) is None


@pytest.mark.parametrize("text", ["12 m, 40 ft", "no\xa0break", "Größe 😀 東京"])
def test_letters_of_any_language_and_spaces_are_no_controls(text: str) -> None:
    assert escaped(text) == text


def test_nothing_that_is_written_for_people_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say(HOSTILE + "\nnext")
    terminal.say([HOSTILE + "\nforged line"])
    terminal.note(HOSTILE)
    terminal.say(terminal.table([HOSTILE.join("xy")], [[HOSTILE]]))
    terminal.say_json({"why": HOSTILE})
    seen = capsys.readouterr()
    assert first_control((seen.out + seen.err).replace("\n", "")) is None
    assert "\nforged" not in seen.out
    assert orjson.loads(seen.out.splitlines()[-1]) == {"why": HOSTILE}


def test_words_of_the_command_line_are_shown_as_text_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", HOSTILE]) == 2
    with pytest.raises(SystemExit):
        main(["inspect", "x", "--format", HOSTILE])
    assert first_control(capsys.readouterr().err.replace("\n", "")) is None


def test_a_message_in_the_log_is_one_line_and_only_a_traceback_has_several() -> None:
    formatter = terminal.Formatter("%(levelname)s %(message)s")
    record = logging.LogRecord("pipeline", logging.WARNING, "", 1, "%s\nERROR forged", (HOSTILE,), None)
    line = formatter.format(record)
    assert "\n" not in line
    assert first_control(line) is None
