"""A line that repeats itself does not fill the disk."""

import logging

from pipeline.shells.worker.logs import RateLimit


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
