"""The checks of `make chaos` and `make soak` can fail."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from pipeline.records import FramesReceived, Run
from tests.build import scenario_records
from tests.chaos.memory import Sample, growth
from tests.chaos.proof import _check_published, _check_same, _once, refusals
from tests.chaos.stream import BIG_RECORD_OCTETS, stream

RUN = Run(id="run", origin="test")
WANTED = {b"a": b"1", b"b": b"2"}


def record(name: bytes, value: bytes) -> Any:
    return SimpleNamespace(partition=0, key=b"rover-a", value=value, headers=(("ce_id", name),))


def test_what_is_missing_unasked_or_different_is_named() -> None:
    _check_same(dict(WANTED), WANTED, "telemetry")
    with pytest.raises(AssertionError, match="telemetry: 1 of 2 are not there, b'b' for one"):
        _check_same({b"a": b"1"}, WANTED, "telemetry")
    with pytest.raises(AssertionError, match="telemetry: 1 more than there should be, b'c' for one"):
        _check_same({**WANTED, b"c": b"3"}, WANTED, "telemetry")
    with pytest.raises(AssertionError, match="telemetry: 1 of 2 say something else, b'a' for one"):
        _check_same({**WANTED, b"a": b"9"}, WANTED, "telemetry")


def test_a_repetition_is_one_record_and_two_that_differ_are_a_fault() -> None:
    assert len(_once([record(b"a", b"1"), record(b"a", b"1"), record(b"b", b"2")])) == 2
    with pytest.raises(AssertionError, match="two different records with a"):
        _once([record(b"a", b"1"), record(b"a", b"2")])


def test_a_refused_record_is_counted_where_it_is_kept_and_where_a_range_names_it() -> None:
    bodies: list[dict[str, Any]] = [
        {"reason": "no_key"},
        {"reason": "not_kept", "last_offset": 9, "records": 5, "why": {"no_key": 3, "bad_headers": 2}, "command": None},
        {"reason": "set_aside", "last_offset": 9, "records": 7, "why": {}, "command": None},
        {"reason": "set_aside", "last_offset": 9, "records": 207, "why": {}, "command": "c1"},
    ]
    records = [record(str(place).encode(), orjson.dumps(body)) for place, body in enumerate(bodies)]
    assert refusals(records) == {"no_key": 4, "bad_headers": 2, "set_aside": 7}


def test_a_record_that_was_published_and_does_not_stand_there_is_a_fault() -> None:
    with pytest.raises(AssertionError):
        _check_published([], scenario_records("flight-72")[:1], RUN, "relay")


def test_the_stream_has_records_of_64_kib_and_of_one_frame_and_is_the_same_for_a_seed() -> None:
    made, again = (stream(3, rate_hz=35, ground_s=1, lost=0.9) for _ in range(2))
    frames = [one for one in made.records if isinstance(one, FramesReceived)]
    assert max(len(one.octets) for one in frames) >= BIG_RECORD_OCTETS
    assert {len(one.relay_receive_times) for one in frames if one.link == "rover-b"} == {1}
    assert [getattr(one, "octets", one.id) for one in made.records] == [
        getattr(one, "octets", one.id) for one in again.records
    ]


def test_memory_that_only_grows_is_told_from_memory_that_is_given_back() -> None:
    """The process that lived longest counts."""
    other = [Sample(at, 1, 300.0) for at in range(100)]
    saw = [Sample(at, 2, 100.0 + at % 60) for at in range(100, 400)]
    found = growth(other + saw)
    assert found.minutes == 299 / 60
    assert (found.early, found.late) == (pytest.approx(102, abs=3), pytest.approx(102, abs=3))
    assert found.most == 159.0
    rising = growth([Sample(at, 2, 100.0 + at % 60 + at / 6) for at in range(600)])
    assert rising.late - rising.early == pytest.approx(50, abs=3)
