"""AOS Transfer Frames (CCSDS 732.0-B-4) whose data field is M_PDUs. Knows the frame; does not know what is inside it,
which relay sent it, or what time it is.

     0 1 2 3 4 5 6 7 8 9 a b c d e f
    |TFV|SPACECRAFT ID  |   VCID    |
    |VIRTUAL CHANNEL FRAME COUNT ...
     ...            |R|U| 0 |CYCLE  |

TFVN 01 · R replay flag · U the cycle is used: the count has 28 bits, the cycle being the 4 most significant. The two
spare bits are 0 in B-4. Then, as managed: frame header error control (2 octets), insert zone, data field, operational
control field, FECF. The data field begins with the M_PDU header, 5 bits spare and the first header pointer.
"""

from typing import Final

import numpy as np

from pipeline.frames import check
from pipeline.frames.frame import (
    FRAME_ERROR_CONTROL_FIELD,
    IMPLAUSIBLE,
    LENGTH,
    NO_PACKET_START,
    ONLY_IDLE_DATA,
    TOGETHER,
    VERSION,
    FrameColumns,
    Frames,
    Managed,
)

PRIMARY_HEADER_OCTETS: Final = 6
FRAME_HEADER_ERROR_CONTROL_OCTETS: Final = 2
M_PDU_HEADER_OCTETS: Final = 2
OPERATIONAL_CONTROL_FIELD_OCTETS: Final = 4
COUNT_MODULUS: Final = 16_777_216
COUNT_WITH_CYCLE_MODULUS: Final = 268_435_456
ONLY_IDLE_VCID: Final = 63

_READ_TOGETHER_OCTETS: Final = 8
"""The primary header, and two that are not looked at."""


def read(octets: list[bytes], managed: Managed) -> Frames:
    """The columns of AOS frames. Every virtual channel but 63 is read as M_PDUs."""
    frames = Frames.of(octets)
    length, fecf = managed.frame_length, managed.frame_error_control_field
    pointer_at = PRIMARY_HEADER_OCTETS + managed.insert_zone_octets
    pointer_at += FRAME_HEADER_ERROR_CONTROL_OCTETS if managed.frame_header_error_control else 0
    start = pointer_at + M_PDU_HEADER_OCTETS
    end = length - (check.OCTETS if fecf else 0)
    end -= OPERATIONAL_CONTROL_FIELD_OCTETS if managed.operational_control_field else 0
    if end < start:
        return frames
    if len(octets) >= TOGETHER and length >= _READ_TOGETHER_OCTETS and set(map(len, octets)) == {length}:
        return _read_together(frames, pointer_at, start, end, fecf)
    reasons, scids, vcids, counts = frames.reasons, frames.scids, frames.vcids, frames.virtual_channel_frame_counts
    moduli, replayed, pointers = frames.moduli, frames.replayed, frames.first_header_pointers
    remainder = check.frame_error_control_field
    for at, frame in enumerate(octets):
        if len(frame) != length:
            reasons[at] = LENGTH
            continue
        if fecf and remainder(frame):
            reasons[at] = FRAME_ERROR_CONTROL_FIELD
            continue
        header = int.from_bytes(frame[:PRIMARY_HEADER_OCTETS], "big")
        if header >> 46 != 0b01:
            reasons[at] = VERSION
            continue
        if header & 0x30:
            reasons[at] = IMPLAUSIBLE
            continue
        reasons[at] = None
        scids[at] = header >> 38 & 0xFF
        vcid = vcids[at] = header >> 32 & 0x3F
        count = header >> 8 & 0xFF_FFFF
        if header & 0x40:
            moduli[at] = COUNT_WITH_CYCLE_MODULUS
            counts[at] = (header & 0xF) << 24 | count
        else:
            moduli[at] = COUNT_MODULUS
            counts[at] = count
        if header & 0x80:
            replayed[at] = True
        if vcid == ONLY_IDLE_VCID:
            pointers[at] = ONLY_IDLE_DATA
        elif start == end:
            pointers[at] = NO_PACKET_START
        else:
            pointers[at] = (frame[pointer_at] << 8 | frame[pointer_at + 1]) & 0x7FF
    frames.zone_starts, frames.zone_ends = [start] * len(octets), [end] * len(octets)
    return frames


def _read_together(frames: Frames, pointer_at: int, start: int, end: int, fecf: bool) -> Frames:
    """The same of many frames, all of the managed length, column by column."""
    heads = np.frombuffer(b"".join([frame[:_READ_TOGETHER_OCTETS] for frame in frames.octets]), ">u8")
    header = (heads >> 16).astype(np.int64)
    has_cycle, vcids = header & 0x40 != 0, header >> 32 & 0x3F
    counts = np.where(has_cycle, (header & 0xF) << 24, 0) | header >> 8 & 0xFF_FFFF
    if start == end:
        pointers = np.full(len(header), NO_PACKET_START)
    else:
        stated = b"".join([frame[pointer_at:start] for frame in frames.octets])
        pointers = np.frombuffer(stated, ">u2") & np.int64(0x7FF)
    pointers[vcids == ONLY_IDLE_VCID] = ONLY_IDLE_DATA
    replayed = header & 0x80 != 0
    zone_starts, zone_ends = np.full(len(header), start), np.full(len(header), end)
    frames.fill(FrameColumns(counts, replayed, pointers, zone_starts, zone_ends))
    frames.scids, frames.vcids = (header >> 38 & 0xFF).tolist(), vcids.tolist()
    frames.moduli = np.where(has_cycle, COUNT_WITH_CYCLE_MODULUS, COUNT_MODULUS).tolist()
    # The last word that is found is the one that counts.
    frames.find(IMPLAUSIBLE, (header & 0x30).nonzero()[0].tolist())
    frames.find(VERSION, (header >> 46 != 0b01).nonzero()[0].tolist())
    if fecf:
        frames.find(FRAME_ERROR_CONTROL_FIELD, check.failing(frames.octets))
    return frames
