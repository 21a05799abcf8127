"""Batches that unfold to more than they seem to hold."""

import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import cramjam
import pytest
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordError
from pipeline.shells.kafka import unpacking
from pipeline.shells.kafka.unpacking import MOST_OCTETS, UNREAD, BoundedRecords, UnreadError, bound_batches, gzip
from pipeline.topics import MAX_HEADER_OCTETS, read_headers

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS = {
    GZIP: (gzip_encode, unpacking.gzip), SNAPPY: (snappy_encode, unpacking.snappy), LZ4: (lz4_encode, unpacking.lz4),
    ZSTD: (zstd_encode, unpacking.zstd),
}  # fmt: skip


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In force for a test, and not after it."""
    import sys

    for module in (sys.modules[memory_records.DefaultRecordBatch.__module__], default_records):
        for name in ("gzip_decode", "snappy_decode", "lz4_decode", "zstd_decode"):
            monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    bound_batches()


def batch(codec: int, values: list[bytes], offset: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for place, value in enumerate(values):
        assert builder.append(place, 1_700_000_000_000, b"key", value, []) is not None
    octets = bytearray(builder.build())
    octets[:8] = offset.to_bytes(8, "big")
    return bytes(octets)


def taken(octets: bytes) -> Iterator[Any]:
    records = BoundedRecords(octets)
    while records.has_next():
        yield from records.next_batch()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("octets", [b"", b"x", random.Random(7).randbytes(100_000), bytes(MOST_OCTETS)])
def test_every_codec_gives_back_what_was_packed(codec: int, octets: bytes) -> None:
    pack, unpack = CODECS[codec]
    assert unpack(pack(octets)) == octets  # type: ignore[operator]


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_is_found_without_the_memory_for_it(codec: int) -> None:
    pack, unpack = CODECS[codec]
    packed = pack(bytes(20 * MOST_OCTETS))  # type: ignore[operator]
    tracemalloc.start()
    try:
        with pytest.raises(UnreadError, match=f"unfolds to more than {MOST_OCTETS} octets"):
            unpack(packed)
        assert tracemalloc.get_traced_memory()[1] < 3 * MOST_OCTETS + len(packed)
    finally:
        tracemalloc.stop()


def test_a_bomb_of_many_small_streams_is_found_too() -> None:
    member = gzip_encode(bytes(MOST_OCTETS // 4))
    assert len(gzip(member * 4)) == MOST_OCTETS
    with pytest.raises(UnreadError):
        gzip(member * 5)


def test_snappy_in_one_block_as_other_clients_write_it_is_read() -> None:
    assert unpacking.snappy(bytes(cramjam.snappy.compress_raw(b"abc" * 1000))) == b"abc" * 1000


@pytest.mark.parametrize("codec", CODECS)
def test_records_of_a_compressed_batch_come_as_they_were(codec: int) -> None:
    values = [b"a" * 1000, b"b" * 2000]
    found = list(taken(batch(codec, values, offset=40)))
    assert [(one.offset, one.key, one.value) for one in found] == [(40, b"key", values[0]), (41, b"key", values[1])]


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_is_one_record_that_says_so_in_the_place_of_its_last_and_the_next_batch_is_read(codec: int) -> None:
    bomb = batch(codec, [bytes(MOST_OCTETS // 2)] * 3, offset=7)
    found = list(taken(bomb + batch(0, [b"next"], offset=10)))
    assert [(one.offset, one.value) for one in found] == [(9, None), (10, b"next")]
    said = f"too_large:offsets 7 to 9 are one compressed batch: it unfolds to more than {MOST_OCTETS} octets"
    assert found[0].headers == [(UNREAD, said.encode())]
    assert found[0].timestamp == 1_700_000_000_000


def test_a_batch_that_cannot_be_unfolded_is_one_record_that_says_so() -> None:
    broken = bytearray(batch(ZSTD, [b"x" * 1000]))
    broken[61:] = b"\xff" * len(broken[61:])
    (found,) = taken(bytes(broken))
    assert found.headers[0][1].startswith(b"undecodable:offsets 0 to 0 are one compressed batch: it cannot be unfolded")


def test_a_fetch_of_many_batches_that_each_unfold_to_the_most_is_taken_in_parts() -> None:
    one = batch(GZIP, [bytes(MOST_OCTETS - 1000)])
    many = b"".join(one[:0] + (number).to_bytes(8, "big") + one[8:] for number in range(5))
    assert [record.offset for record in taken(many)] == [0, 1]


def named(octets: bytes) -> bytes:
    """With the headers named "zz" named as no client of ours could."""
    return octets.replace(b"\x04zz", b"\x04\xff\xfe")


def with_headers(values: list[bytes], headers: list[tuple[str, bytes]], offset: int = 0) -> bytes:
    """In the clear."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 30)
    for place, value in enumerate(values):
        assert builder.append(place, 1_700_000_000_000, b"key", value, headers if value == b"odd" else []) is not None
    octets = bytearray(builder.build())
    octets[:8] = offset.to_bytes(8, "big")
    return bytes(octets)


def test_a_header_whose_name_is_not_utf_8_does_not_end_the_reading() -> None:
    octets = named(with_headers([b"before", b"odd", b"after"], [("zz", b"1"), ("ce_id", b"2")], offset=5))
    found = list(taken(octets + batch(0, [b"next"], offset=8)))
    assert [(one.offset, bytes(one.value)) for one in found] == [
        (5, b"before"),
        (6, b"odd"),
        (7, b"after"),
        (8, b"next"),
    ]
    assert found[1].headers == [(r"\xff\xfe", b"1"), ("ce_id", b"2")]
    assert found[1].timestamp == 1_700_000_000_000


@pytest.mark.parametrize("codec", CODECS)
def test_the_rest_of_a_batch_that_cannot_be_read_is_one_record_and_what_came_before_it_is_kept(codec: int) -> None:
    """A broker looks hardly into a compressed batch: its records may be anything."""
    inside = bytearray(batch(0, [b"good", b"spoilt", b"after"])[61:])
    inside[inside.index(b"spoilt") + len(b"spoilt")] = 0x7F  # as many headers
    whole = batch(codec, [b"x"] * 3, offset=20)
    spoilt = bytearray(whole[:61] + CODECS[codec][0](bytes(inside)))  # type: ignore[operator]
    spoilt[8:12] = (len(spoilt) - 12).to_bytes(4, "big")
    found = list(taken(bytes(spoilt) + batch(0, [b"next"], offset=23)))
    assert [(one.offset, one.value) for one in found] == [(20, b"good"), (22, None), (23, b"next")]
    with pytest.raises(RecordError, match="offsets 21 to 22 of one batch cannot be read: CorruptRecord") as refused:
        read_headers(dict(found[1].headers))
    assert refused.value.reason == "undecodable"


@pytest.mark.parametrize("headers", [[("n", b"")] * 65, [("n", bytes(MAX_HEADER_OCTETS))]], ids=["many", "large"])
def test_headers_beyond_what_is_taken_are_let_go_at_once_and_key_and_value_stay(
    headers: list[tuple[str, bytes]],
) -> None:
    before, found = taken(with_headers([b"before", b"odd"], headers))
    assert (before.value, found.offset, found.key, found.value) == (b"before", 1, b"key", b"odd")
    with pytest.raises(RecordError, match=f"record has {len(headers)} headers of") as refused:
        read_headers(dict(found.headers))
    assert refused.value.reason == "bad_headers"


@given(at=st.integers(61, 120), flip=st.integers(1, 255))
def test_whatever_stands_in_a_batch_reading_it_comes_to_its_end_and_to_the_next(at: int, flip: int) -> None:
    octets = bytearray(with_headers([b"one", b"odd", b"two"], [("ce_id", b"2"), ("ce_time", b"x" * 20)]))
    octets[min(at, len(octets) - 1)] ^= flip
    *found, following = taken(bytes(octets) + batch(0, [b"next"], offset=3))
    assert bytes(following.value) == b"next"
    assert [one.offset for one in found] == sorted({one.offset for one in found})


@given(at=st.integers(0, 400), flip=st.integers(0, 255))
def test_a_batch_is_whole_where_aiokafka_says_that_it_is(at: int, flip: int) -> None:
    octets = bytearray(batch(0, [b"one", b"x" * 300]))
    octets[17 + at % (len(octets) - 17)] ^= flip
    ours, theirs = BoundedRecords(bytes(octets)).next_batch(), MemoryRecords(bytes(octets)).next_batch()
    assert ours.validate_crc() == theirs.validate_crc() == (flip == 0)


def test_every_consumer_of_the_process_has_it_once_it_is_asked_for() -> None:
    assert fetcher.MemoryRecords is BoundedRecords
