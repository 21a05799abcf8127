"""State in chunks by time, stored in parts of bounded length."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.channels.chunks import Chunks, from_parts, to_parts


def chunks() -> Chunks[bytearray]:
    return Chunks("x", bytearray, bytes, bytearray)


@given(st.binary(max_size=5000))
def test_octets_come_back_from_their_parts(octets: bytes) -> None:
    assert from_parts(to_parts(octets)) == octets


def test_no_part_is_longer_than_48_kib_of_text() -> None:
    noise = random.Random(1).randbytes(300_000)
    parts = to_parts(noise)
    assert len(parts) > 5
    assert max(map(len, parts)) <= 48 * 1024
    assert from_parts(parts) == noise


def test_only_what_changed_is_stored_and_once() -> None:
    kept = chunks()
    kept.change(3).extend(b"abc")
    kept.change(9).extend(b"z")
    assert [name for name, _ in kept.take_changes()] == ["x/3/0", "x/9/0"]
    kept.change(9).extend(b"y")
    ((name, part),) = kept.take_changes()
    assert (name, from_parts([part])) == ("x/9/0", b"zy")
    assert list(kept.take_changes()) == []


def test_a_part_that_is_gone_is_said_to_be_gone() -> None:
    kept = chunks()
    noise = random.Random(2).randbytes(100_000)
    kept.change(0).extend(noise)
    names = [name for name, _ in kept.take_changes()]
    assert len(names) > 1
    del kept.change(0)[10:]
    changes = dict(kept.take_changes())
    assert changes.pop("x/0/0") is not None
    assert changes == dict.fromkeys(names[1:])


def test_looking_at_a_chunk_makes_none_and_changes_none() -> None:
    kept = chunks()
    assert kept.get(5) is None
    assert 5 not in kept
    assert list(kept.take_changes()) == []


def test_a_chunk_not_used_for_long_is_packed_and_still_there() -> None:
    kept = chunks()
    for number in range(200):
        kept.change(number).extend(bytes((number,)))
    assert [bytes(kept.get(number) or b"") for number in range(200)] == [bytes((number,)) for number in range(200)]
    kept.change(0).extend(b"!")
    assert bytes(kept.get(0) or b"") == b"\x00!"


@given(st.lists(st.tuples(st.integers(-50, 50), st.binary(max_size=20)), max_size=120), st.sets(st.integers(0, 119)))
def test_chunks_stored_and_restored_at_any_moment_hold_the_same(
    changes: list[tuple[int, bytes]], rests: set[int]
) -> None:
    kept, expected = chunks(), dict[int, bytes]()
    stored: dict[tuple[int, int], str] = {}
    for place, (number, octets) in enumerate(changes):
        if place in rests:
            for name, part in kept.take_changes():
                _, number_text, part_text = name.split("/")
                stored[int(number_text), int(part_text)] = part
            kept = chunks()
            kept.restore(stored)
        kept.change(number).extend(octets)
        expected[number] = expected.get(number, b"") + octets
    assert {number: bytes(kept.get(number) or b"") for number in expected} == expected
