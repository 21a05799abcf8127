"""TM Transfer Frames (CCSDS 132.0-B-3). Knows the frame; does not know what is inside it, which relay
sent it, or what time it is.

     0 1 2 3 4 5 6 7 8 9 a b c d e f
    |TFV|   SPACECRAFT ID   |VCID |O|
    |MASTER CH COUNT|VIRTUAL CH CNT |
    |S|Y|P|LEN|FIRST HEADER POINTER |

TFVN 00 · O operational control field present · S secondary header present · Y synchronisation flag, 0 packets or idle
data · P packet order · LEN segment length id. The frame length and the presence of the FECF are managed parameters.
"""

from typing import Final

import numpy as np

from pipeline.frames import check
from pipeline.frames.frame import (
    FRAME_ERROR_CONTROL_FIELD,
    LENGTH,
    NO_PACKET_START,
    TOGETHER,
    VERSION,
    FrameColumns,
    Frames,
    Managed,
)

PRIMARY_HEADER_OCTETS: Final = 6
OPERATIONAL_CONTROL_FIELD_OCTETS: Final = 4
VIRTUAL_CHANNEL_COUNT_MODULUS: Final = 256

_READ_TOGETHER_OCTETS: Final = 8
"""The primary header, the first octet of a secondary header, and one that is not looked at."""


def read(octets: list[bytes], managed: Managed) -> Frames:
    """The columns of TM frames. A virtual channel access frame (synchronisation flag 1) has an empty packet zone:
    what it carries is not packets."""
    frames = Frames.of(octets)
    length, fecf = managed.frame_length, managed.frame_error_control_field
    end = length - (check.OCTETS if fecf else 0)
    reasons, scids, vcids, counts = frames.reasons, frames.scids, frames.vcids, frames.virtual_channel_frame_counts
    pointers, starts, ends = frames.first_header_pointers, frames.zone_starts, frames.zone_ends
    frames.moduli = [VIRTUAL_CHANNEL_COUNT_MODULUS] * len(octets)
    if end < PRIMARY_HEADER_OCTETS:
        return frames
    if len(octets) >= TOGETHER and end >= _READ_TOGETHER_OCTETS and set(map(len, octets)) == {length}:
        return _read_together(frames, end, fecf)
    remainder = check.frame_error_control_field
    for at, frame in enumerate(octets):
        if len(frame) != length:
            reasons[at] = LENGTH
            continue
        if fecf and remainder(frame):
            reasons[at] = FRAME_ERROR_CONTROL_FIELD
            continue
        header = int.from_bytes(frame[:PRIMARY_HEADER_OCTETS], "big")
        if header >> 46:
            reasons[at] = VERSION
            continue
        reasons[at] = None
        scids[at] = header >> 36 & 0x3FF
        vcids[at] = header >> 33 & 0x7
        counts[at] = header >> 16 & 0xFF
        start, stop = PRIMARY_HEADER_OCTETS, end
        if header & 0x1_0000_0000:
            stop -= OPERATIONAL_CONTROL_FIELD_OCTETS
        if header & 0x8000:  # 2 bits version, 6 bits length of the rest
            start += 1 + (frame[PRIMARY_HEADER_OCTETS] & 0x3F) if end > PRIMARY_HEADER_OCTETS else 0
        if header & 0x4000:
            start = stop
        else:
            pointers[at] = header & 0x7FF
        if start >= stop:
            start, pointers[at] = stop, NO_PACKET_START
        starts[at], ends[at] = start, stop
    return frames


def _read_together(frames: Frames, end: int, fecf: bool) -> Frames:
    """The same of many frames, all of the managed length, column by column."""
    firsts = b"".join([frame[:_READ_TOGETHER_OCTETS] for frame in frames.octets])
    words = np.frombuffer(firsts, ">u8").astype(np.uint64)
    header, version = words >> 16, words >> 62
    stops = np.where(header & 0x1_0000_0000, end - OPERATIONAL_CONTROL_FIELD_OCTETS, end)
    starts = PRIMARY_HEADER_OCTETS + np.where(header & 0x8000, 1 + (words >> 8 & 0x3F), 0).astype(np.int64)
    is_access, pointers = header & 0x4000 != 0, (header & 0x7FF).astype(np.int64)
    starts = np.where(is_access, stops, starts)
    pointers[is_access | (starts >= stops)] = NO_PACKET_START
    starts, counts = np.minimum(starts, stops), (header >> 16 & 0xFF).astype(np.int64)
    frames.fill(FrameColumns(counts, np.zeros(len(words), np.bool_), pointers, starts, stops))
    frames.scids = (header >> 36 & 0x3FF).tolist()
    frames.vcids = (header >> 33 & 0x7).tolist()
    frames.find(VERSION, version.nonzero()[0].tolist())
    if fecf:
        frames.find(FRAME_ERROR_CONTROL_FIELD, check.failing(frames.octets))
    return frames
