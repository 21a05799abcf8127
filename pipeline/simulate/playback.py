"""Stored packets, one after the other, cut into the data fields of frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from pipeline.simulate.frames import NO_PACKET_START
from pipeline.simulate.packets import SHORTEST_PACKET, idle_packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    at: int
    first_header_pointer: int
    octets: bytes


def chunks(packets: Sequence[bytes], octets: int, starts_at: int, period: int) -> Iterator[Chunk]:
    """Data fields of so many octets, one every `period` nanoseconds; the last is filled with an idle packet."""
    stream = b"".join(packets)
    starts = [0, *accumulate(len(packet) for packet in packets)]
    over = len(stream) % octets
    if over:
        room = octets - over
        stream += idle_packet(room if room >= SHORTEST_PACKET else room + octets)
    for number, at in enumerate(range(0, len(stream), octets)):
        first = next((start for start in starts if start >= at), len(stream))
        pointer = first - at if first < at + octets else NO_PACKET_START
        yield Chunk(at=starts_at + number * period, first_header_pointer=pointer, octets=stream[at : at + octets])
