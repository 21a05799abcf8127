"""The frame error control field: CRC-16 with x^16 + x^12 + x^5 + 1, all ones at the start, not reflected, no final
XOR (131.0-B; check value 0x29B1 over "123456789"). Knows octets only."""

from collections.abc import Iterable

# CRC is how, the frame error control field is what: fastcrc calls this CRC by its name in the catalogue.
from fastcrc.crc16 import ibm_3740 as frame_error_control_field

__all__ = ["OCTETS", "failing", "frame_error_control_field", "passes"]

OCTETS = 2


def passes(frame: bytes) -> bool:
    """Whether the last two octets are the check of those before them. Over a frame *with* its check the remainder
    is 0, so nothing is cut out."""
    return frame_error_control_field(frame) == 0


def failing(frames: Iterable[bytes]) -> list[int]:
    """Which of the frames do not pass, by their place."""
    return [at for at, remainder in enumerate(map(frame_error_control_field, frames)) if remainder]
