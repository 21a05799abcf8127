"""What a compressed batch may unfold to: a producer can make a few kilobytes that become gigabytes. Knows aiokafka's
decoders, and puts bounded ones in their place; knows nothing of what is in a record.

A batch that unfolds to more, or that cannot be unfolded, is one record in the place of its last: without key and value,
its header says why. Whoever takes it rejects it, and the stream goes on after the batch.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cramjam
import numpy as np
from aiokafka.consumer import fetcher
from aiokafka.record import memory_records
from aiokafka.record.memory_records import MemoryRecords

from pipeline.topics import UNREAD

MOST_OCTETS: Final = 16 << 20
"""Of one batch; and of what is unfolded of one partition before more of it is fetched, but for the batch that goes
over."""
_GZIP: Final = 31
"""zlib's window bits for it."""
_XERIAL: Final = b"\x82SNAPPY\0"
_XERIAL_HEADER: Final = 16

Decode = Callable[[Any], bytes]


class UnreadError(Exception):
    """Why a batch is not unfolded."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def gzip(payload: Any) -> bytes:
    left, found = bytes(payload), b""
    while left:
        member = zlib.decompressobj(_GZIP)
        found += member.decompress(left, MOST_OCTETS + 1 - len(found))
        if len(found) > MOST_OCTETS:
            raise _too_much()
        if not member.eof:
            raise UnreadError("undecodable", "its gzip stream is cut off")
        left = member.unused_data
    return found


def snappy(payload: Any) -> bytes:
    octets = bytes(payload)
    blocks = list(_xerial_blocks(octets)) if octets.startswith(_XERIAL) else [octets]
    if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > MOST_OCTETS:
        raise _too_much()
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _xerial_blocks(octets: bytes) -> Iterator[bytes]:
    at = _XERIAL_HEADER
    while at < len(octets):
        length = int.from_bytes(octets[at : at + 4], "big")
        yield octets[at + 4 : at + 4 + length]
        at += 4 + length


def lz4(payload: Any) -> bytes:
    return _into_room(cramjam.lz4.decompress_into, payload)


def zstd(payload: Any) -> bytes:
    return _into_room(cramjam.zstd.decompress_into, payload)


def _into_room(decompress_into: Callable[[Any, Any], int], payload: Any) -> bytes:
    # Room that is not used costs nothing: the system gives a page when it is written.
    room = np.empty(MOST_OCTETS + 1, np.uint8)
    try:
        length = decompress_into(bytes(payload), room)
    except cramjam.DecompressionError as fault:
        # Said of what does not fit; all else says what is wrong with the data.
        if "write whole buffer" in str(fault) or "too small" in str(fault):
            raise _too_much() from None
        raise
    if length > MOST_OCTETS:
        raise _too_much()
    return room[:length].tobytes()


def _too_much() -> UnreadError:
    return UnreadError("too_large", f"it unfolds to more than {MOST_OCTETS} octets")


_DECODERS: Final[dict[str, Decode]] = {
    "gzip_decode": gzip, "snappy_decode": snappy, "lz4_decode": lz4, "zstd_decode": zstd,
}  # fmt: skip


def _bounded(decode: Decode) -> Decode:
    def bounded(payload: Any) -> bytes:
        try:
            return decode(payload)
        except (UnreadError, MemoryError):
            raise
        except Exception as fault:
            raise UnreadError("undecodable", f"it cannot be unfolded: {fault!s:.200}") from fault

    return bounded


@dataclass(frozen=True, slots=True)
class UnreadRecord:
    """Stands for a whole batch. Its fields are those of aiokafka's records."""

    offset: int
    timestamp: int
    timestamp_type: int
    headers: list[tuple[str, bytes]]
    key: None = None
    value: None = None
    checksum: None = None


class BoundedRecords:
    """aiokafka's MemoryRecords: the batches of one partition that one fetch brought."""

    def __init__(self, octets: bytes) -> None:
        self._records = MemoryRecords(octets)
        self.unfolded = 0
        """Octets of the records that were taken out of compressed batches."""

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """False once much was unfolded: what is left is fetched again, when this was taken."""
        return self.unfolded < MOST_OCTETS and self._records.has_next()

    def next_batch(self) -> Any:
        batch: Any = self._records.next_batch()
        is_compressed = isinstance(batch, memory_records.DefaultRecordBatch) and batch.compression_type
        return _CompressedBatch(batch, self) if is_compressed else batch


class _CompressedBatch:
    def __init__(self, batch: Any, records: BoundedRecords) -> None:
        self._batch, self._of = batch, records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        batch = self._batch
        try:
            records = iter(batch)
        except UnreadError as fault:
            last = batch.next_offset - 1
            message = f"{fault.reason}:offsets {batch.base_offset} to {last} are one compressed batch: {fault}"
            yield UnreadRecord(last, batch.max_timestamp, batch.timestamp_type, [(UNREAD, message.encode())])
            return
        for record in records:
            self._of.unfolded += len(record.value or b"") + len(record.key or b"")
            yield record


def bound_batches() -> None:
    """For every consumer of this process."""
    # Which of its two implementations aiokafka uses depends on the machine.
    module = sys.modules[memory_records.DefaultRecordBatch.__module__]
    for name, decode in _DECODERS.items():
        setattr(module, name, _bounded(decode))
    fetcher.MemoryRecords = BoundedRecords
