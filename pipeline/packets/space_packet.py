"""Space Packets (CCSDS 133.0-B-2). Knows the packet; does not know what its data mean or which frames brought it.

 0 1 2 3 4 5 6 7 8 9 a b c d e f
|VER. |T|S|        APID         |
|SEQ|  SEQUENCE COUNT           |
|  PACKET DATA LENGTH - 1       |
"""

from typing import Final, NamedTuple

PRIMARY_HEADER_OCTETS: Final = 6
APIDS: Final = 2048
IDLE_APID: Final = 0x7FF
SEQUENCE_COUNT_MODULUS: Final = 16_384
LONGEST_PACKET: Final = 65_542
SHORTEST_PACKET: Final = 7


class SpacePacket(NamedTuple):
    """A whole packet, as its frames brought it."""

    apid: int
    octets: bytes
    """Primary header included."""
    at: int
    """Relay receive time of the last of its frames."""
    live: bool
    frame_count: int
    """Virtual channel frame count of the last of its frames."""


class PrimaryHeader(NamedTuple):
    version: int
    is_command: bool
    has_secondary_header: bool
    apid: int
    sequence_flags: int
    """0 continuation, 1 first, 2 last, 3 unsegmented."""
    sequence_count: int
    octets: int
    """Of the whole packet, this header included."""


def read_primary_header(octets: bytes) -> PrimaryHeader | None:
    """None where there are fewer octets than a primary header has."""
    if len(octets) < PRIMARY_HEADER_OCTETS:
        return None
    header = int.from_bytes(octets[:PRIMARY_HEADER_OCTETS], "big")
    return PrimaryHeader(
        version=header >> 45, is_command=bool(header >> 44 & 1), has_secondary_header=bool(header >> 43 & 1),
        apid=header >> 32 & 0x7FF, sequence_flags=header >> 30 & 3, sequence_count=header >> 16 & 0x3FFF,
        octets=(header & 0xFFFF) + SHORTEST_PACKET,
    )  # fmt: skip
