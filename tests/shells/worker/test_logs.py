"""A line that repeats itself does not fill the disk."""

import json
import logging

import pytest

from pipeline.shells.worker.logs import RateLimit, log_to_stderr


def line(text: str, *arguments: object, name: str = "aiokafka.conn") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, text, arguments, None)


def test_a_message_of_a_library_is_shown_five_times_and_then_counted() -> None:
    now = 0.0
    limit = RateLimit(clock=lambda: now)
    assert [limit(line("no answer from %s", node)) for node in range(100)].count(True) == 5
    now = 30.0
    late = line("no answer from %s", 7)
    assert limit(late)
    assert late.getMessage() == "no answer from 7 (and 95 like it were left out)"


def test_another_message_is_not_held_back_by_it() -> None:
    limit = RateLimit(clock=lambda: 0.0)
    for _ in range(10):
        limit(line("no answer from %s", 1))
    assert limit(line("session is over"))
    assert limit(line("no answer from %s", 1, name="faust.transport"))


def test_our_own_lines_are_never_left_out() -> None:
    limit = RateLimit(clock=lambda: 0.0)
    assert all(limit(line("record %d rejected", number, name="pipeline.shells.worker.lives")) for number in range(100))


def test_what_was_said_long_ago_takes_no_memory() -> None:
    now = 0.0
    limit = RateLimit(clock=lambda: now)
    for number in range(1000):
        limit(line(f"{number} is a text of its own"))
    now = 100.0
    limit(line("one more"))
    assert len(limit.windows) == 1


def test_in_json_each_line_is_one_object_with_the_fault_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        log_to_stderr(logging.INFO, "json")
        logging.getLogger("pipeline.x").info("two\nlines, %d of them", 2)
        try:
            raise ValueError("no")
        except ValueError:
            logging.getLogger("pipeline.x").exception("failed")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["at"].endswith("Z")
    assert {name: first[name] for name in ("level", "logger", "message")} == {
        "level": "info", "logger": "pipeline.x", "message": "two\nlines, 2 of them",
    }  # fmt: skip
    assert "ValueError: no" in second["exception"]


def test_what_every_member_hears_at_a_rebalance_is_no_warning() -> None:
    line = logging.LogRecord(
        "aiokafka.consumer.group_coordinator", logging.WARNING, "", 0,
        "Heartbeat failed for group %s because it is rebalancing", ("relay.worker",), None,
    )  # fmt: skip
    before = logging.getLogger().level
    try:
        logging.getLogger().setLevel(logging.INFO)
        assert not RateLimit()(line)
    finally:
        logging.getLogger().setLevel(before)
