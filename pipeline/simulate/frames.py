"""Packets -> TM (CCSDS 132.0-B-3) and AOS (732.0-B-4) transfer frames. Written apart from the decoder, so that the two
can be wrong only each by itself; the golden octets hold both."""

from binascii import crc_hqx
from dataclasses import dataclass

from pipeline.mission.load import data_field_start, data_field_tail
from pipeline.mission.model import Link

NO_PACKET_START = 0x7FF
ONLY_IDLE_DATA = 0x7FE
AOS_IDLE_VCID = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    scid: int
    vcid: int
    virtual_channel_frame_count: int
    master_channel_frame_count: int
    first_header_pointer: int
    cycle: int = -1
    """AOS virtual channel frame count cycle; -1: not used."""
    replay: bool = False
    """The AOS replay flag."""


def data_field_octets(link: Link) -> int:
    return link.frame_length - data_field_start(link) - data_field_tail(link)


def modulus(link: Link) -> int:
    """Of the virtual channel frame count."""
    return 1 << 24 if link.format == "aos" else 1 << 8


def frame(link: Link, heading: Heading, data: bytes) -> bytes:
    """One whole transfer frame around `data`, which fills the data field."""
    head = _aos_header(link, heading) if link.format == "aos" else _tm_header(link, heading)
    tail = bytes(4) if link.operational_control_field else b""
    octets = head + data + tail
    return octets + crc_hqx(octets, 0xFFFF).to_bytes(2, "big") if link.frame_error_control_field else octets


def seal(link: Link, octets: bytes) -> bytes:
    """The same frame with the frame error control field that its octets need."""
    if not link.frame_error_control_field:
        return octets
    return octets[:-2] + crc_hqx(octets[:-2], 0xFFFF).to_bytes(2, "big")


def passes(link: Link, octets: bytes) -> bool:
    return not link.frame_error_control_field or crc_hqx(octets, 0xFFFF) == 0


def _tm_header(link: Link, heading: Heading) -> bytes:
    #  0 1 | 2 ... 11 | 12 13 14 | 15 | 16 ... 23 | 24 ... 31 | 32 | 33 | 34 | 35 36 | 37 ... 47
    #  00  | SCID     | VCID     |OCF | MC COUNT  | VC COUNT  | SH | SY | PO | LEN   | FIRST HEADER POINTER
    first = heading.scid << 4 | heading.vcid << 1 | link.operational_control_field
    counts = (heading.master_channel_frame_count & 0xFF) << 8 | heading.virtual_channel_frame_count & 0xFF
    status = 0b11 << 11 | heading.first_header_pointer
    return (first << 32 | counts << 16 | status).to_bytes(6, "big")


def _aos_header(link: Link, heading: Heading) -> bytes:
    #  0 1 | 2 ... 9 | 10 ... 15 | 16 ... 39            | 40     | 41          | 42 43 | 44 ... 47
    #  01  | SCID    | VCID      | VC FRAME COUNT (24)  | REPLAY | CYCLE USAGE | 00    | CYCLE
    first = 0b01 << 14 | heading.scid << 6 | heading.vcid
    used = heading.cycle >= 0
    signalling = heading.replay << 7 | used << 6 | (heading.cycle & 0xF if used else 0)
    head = first << 32 | (heading.virtual_channel_frame_count & 0xFFFFFF) << 8 | signalling
    octets = (
        head.to_bytes(6, "big") + bytes(2 if link.frame_header_error_control else 0) + bytes(link.insert_zone_octets)
    )
    return octets + heading.first_header_pointer.to_bytes(2, "big")
