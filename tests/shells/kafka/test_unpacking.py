"""Batches that unfold to more than they seem to hold."""

import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import cramjam
import pytest
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.consumer import fetcher
from aiokafka.record import memory_records
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from pipeline.shells.kafka import unpacking
from pipeline.shells.kafka.unpacking import MOST_OCTETS, UNREAD, BoundedRecords, UnreadError, bound_batches, gzip

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS = {
    GZIP: (gzip_encode, unpacking.gzip), SNAPPY: (snappy_encode, unpacking.snappy), LZ4: (lz4_encode, unpacking.lz4),
    ZSTD: (zstd_encode, unpacking.zstd),
}  # fmt: skip


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In force for a test, and not after it."""
    import sys

    module = sys.modules[memory_records.DefaultRecordBatch.__module__]
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


def test_every_consumer_of_the_process_has_it_once_it_is_asked_for() -> None:
    assert fetcher.MemoryRecords is BoundedRecords
