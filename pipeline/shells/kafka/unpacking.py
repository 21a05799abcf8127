"""What a fetched batch may hold: a producer can make a few kilobytes that become gigabytes, or a record that the client
library cannot read. Knows aiokafka's readers and decoders, and puts bounded ones in their place; knows nothing of what
a record means.

What unfolds to more, or cannot be read, is one record in the place of the batch's last: without key and value, its
header says why. Whoever takes it rejects it, and the stream goes on after the batch.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cramjam
import numpy as np
from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from fastcrc import crc32

from pipeline.topics import MAX_HEADER_OCTETS, MAX_HEADERS, UNREAD, too_many_headers

MOST_OCTETS: Final = 16 << 20
"""Of one batch; and of what is unfolded of one partition before more of it is fetched, but for the batch that goes
over."""
_LOG_OVERHEAD: Final = 12
"""Octets before a batch's own: its offset in eight, the length of what follows in four."""
_CRC_AT: Final = 17
"""Where in a batch its CRC-32C stands, and from where on it is reckoned."""
_CRC_FROM: Final = 21
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
    """Stands for what was not read: a batch or the rest of one, or the headers of a record. Its fields are those of
    aiokafka's records."""

    offset: int
    timestamp: int
    timestamp_type: int
    headers: list[tuple[str, bytes]]
    key: bytes | None = None
    value: bytes | None = None
    checksum: None = None


class BoundedRecords:
    """aiokafka's MemoryRecords: the batches of one partition that one fetch brought."""

    def __init__(self, octets: bytes) -> None:
        self._records = MemoryRecords(octets)
        self._octets = memoryview(octets)
        self._at = 0
        self.unfolded = 0
        """Octets of the records that were taken out of compressed batches."""

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """False once much was unfolded: what is left is fetched again, when this was taken."""
        return self.unfolded < MOST_OCTETS and self._records.has_next()

    def next_batch(self) -> Any:
        batch: Any = self._records.next_batch()
        length = int.from_bytes(self._octets[self._at + 8 : self._at + _LOG_OVERHEAD], "big")
        octets = self._octets[self._at : self._at + _LOG_OVERHEAD + length]
        self._at += len(octets)
        # aiokafka itself looks into the marks of transactions.
        is_of_records = isinstance(batch, memory_records.DefaultRecordBatch) and not batch.is_control_batch
        return _Batch(batch, octets, self) if is_of_records else batch


class _Batch:
    """aiokafka's batch; whatever stands in it, reading it gives records and comes to its end.

    A broker takes any octets for the name of a header, and of a compressed batch it reads no more than it must. What
    aiokafka raises at such a record would end a worker, and the next one at the same record again."""

    def __init__(self, batch: Any, octets: memoryview, records: BoundedRecords) -> None:
        self._batch, self._octets, self._of = batch, octets, records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def validate_crc(self) -> bool:
        """As aiokafka's, but with the processor's own instructions: of a large record its check took longer than all
        else that is done to fetch it."""
        said = int.from_bytes(self._octets[_CRC_AT:_CRC_FROM], "big")
        return said == crc32.iscsi(self._octets[_CRC_FROM:])

    def __iter__(self) -> Iterator[Any]:
        following, wrong = self._batch.base_offset, ""
        for reader in (lambda: self._batch, lambda: _LenientBatch(self._octets)):
            try:
                for record in reader():
                    if record.offset >= following:
                        following = record.offset + 1
                        yield self._bounded(record)
                return
            except UnreadError as fault:
                yield self._unread(following, fault.reason, f"are one compressed batch: {fault}")
                return
            except MemoryError:
                raise
            except Exception as fault:
                wrong = f"{type(fault).__name__}: {fault!s:.200}"
        yield self._unread(following, "undecodable", f"of one batch cannot be read: {wrong}")

    def _bounded(self, record: Any) -> Any:
        """The record, or what stands for one with more headers than are taken: they would wait in memory with it."""
        headers = record.headers
        octets = sum([len(name) + len(value or b"") for name, value in headers])
        if self._batch.compression_type:
            self._of.unfolded += len(record.value or b"") + len(record.key or b"") + octets + 2 * len(headers)
        if len(headers) <= MAX_HEADERS and octets <= MAX_HEADER_OCTETS:
            return record
        told = f"bad_headers:{too_many_headers(len(headers), octets)}"
        return UnreadRecord(
            record.offset, record.timestamp, record.timestamp_type, [(UNREAD, told.encode())], record.key, record.value
        )

    def _unread(self, first: int, reason: str, message: str) -> UnreadRecord:
        last = self._batch.next_offset - 1
        told = f"{reason}:offsets {first} to {last} {message}"
        return UnreadRecord(last, self._batch.max_timestamp, self._batch.timestamp_type, [(UNREAD, told.encode())])


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's own reader, slower, to which any octets are text: those that are not UTF-8 are written with \\x."""

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Octets(self._buffer)  # type: ignore[has-type]


class _Octets(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Octets(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


def bound_batches() -> None:
    """For every consumer of this process."""
    # Which of its two implementations aiokafka uses depends on the machine; _LenientBatch is the other.
    for module in (sys.modules[memory_records.DefaultRecordBatch.__module__], default_records):
        for name, decode in _DECODERS.items():
            setattr(module, name, _bounded(decode))
    fetcher.MemoryRecords = BoundedRecords
