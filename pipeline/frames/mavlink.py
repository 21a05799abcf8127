"""MAVLink v1 and v2 messages. Knows the frame: header, length and check; does not know what a payload means,
which link brought it, or what time it is. The check extras are pymavlink's, not a table of ours.

    v1   0 magic 0xFE   1 payload length   2 sequence   3 system   4 component   5 message id
    v2   0 magic 0xFD   1 payload length   2 incompatibility flags   3 compatibility flags
         4 sequence   5 system   6 component   7 3 message id, least significant octet first

then the payload, a check of 2 octets (least significant first) and, in v2 where flag 0x01 is set, a signature of
13 octets. The check is CRC-16/MCRF4XX over all that follows the magic and one octet more: the message's CRC_EXTRA,
made from its definition, so that two programs with different definitions refuse each other.
"""

from binascii import crc_hqx
from functools import cache
from mmap import mmap
from typing import Final, NamedTuple

MAGIC_V1: Final = 0xFE
MAGIC_V2: Final = 0xFD
SEQUENCE_MODULUS: Final = 256
"""The sequence number counts the messages of one (system, component), whatever they are."""

SHORTEST_MESSAGE: Final = 8
LONGEST_MESSAGE: Final = 10 + 255 + 2 + 13

_SIGNED: Final = 0x01
_CHECK_OCTETS: Final = 2
_SIGNATURE_OCTETS: Final = 13


HEARTBEAT: Final = 0
"""Message id."""

_GROUND_RADIO: Final = 51
_FIRST_GROUND_STATION: Final = 240


def may_be_vehicle(system: int) -> bool:
    """Whether a vehicle would use this system id. By custom 51 is the ground modem (RADIO_STATUS) and ground stations
    count down from 255."""
    return 0 < system < _FIRST_GROUND_STATION and system != _GROUND_RADIO


class Message(NamedTuple):
    """One message that passed its check."""

    system: int
    component: int
    sequence: int
    message_id: int
    payload: bytes
    """As sent: v2 leaves out the zeros at the end, v1 knows no extension fields."""


def stated_length(octets: bytes | mmap, at: int = 0) -> int | None:
    """How many octets the message that starts at `at` says it has, check and signature included. None where no
    message starts there, or where too few octets are left to say."""
    if len(octets) < at + 3:
        return None
    if octets[at] == MAGIC_V1:
        return 6 + octets[at + 1] + _CHECK_OCTETS
    if octets[at] == MAGIC_V2:
        signature = _SIGNATURE_OCTETS if octets[at + 2] & _SIGNED else 0
        return 10 + octets[at + 1] + _CHECK_OCTETS + signature
    return None


def read_message(octets: bytes) -> Message | str:
    """The message in `octets`, or in one word why it is none:

    `version`          the first octet is no magic of v1 or v2, or v2 asks for a feature nobody defined
    `length`           more or fewer octets than the header states
    `unknown_message`  no definition, so the check cannot be computed
    `check`            the check does not fit
    """
    length = stated_length(octets)
    if length is None:
        return "version" if octets[:1] not in (b"\xfe", b"\xfd") else "length"
    if len(octets) != length:
        return "length"
    if octets[0] == MAGIC_V1:
        payload_at, sequence, system, component = 6, octets[2], octets[3], octets[4]
        message_id = octets[5]
    else:
        # A receiver must drop what carries an incompatibility flag it does not know; only "signed" is defined.
        if octets[2] & ~_SIGNED:
            return "version"
        payload_at, sequence, system, component = 10, octets[4], octets[5], octets[6]
        message_id = int.from_bytes(octets[7:10], "little")
    extra = _check_extras().get(message_id)
    if extra is None:
        return "unknown_message"
    check_at = payload_at + octets[1]
    if not _check_fits(octets, check_at, extra):
        return "check"
    return Message(system, component, sequence, message_id, octets[payload_at:check_at])


def starts_whole_message(octets: bytes | mmap, at: int) -> int:
    """The length of the message at `at` if it is all there and passes its check, else 0."""
    length = stated_length(octets, at)
    if length is None or len(octets) < at + length:
        return 0
    return length if isinstance(read_message(octets[at : at + length]), Message) else 0


# CRC-16/MCRF4XX is the reflected CRC-16 of polynomial 0x1021 with all ones at the start; `crc_hqx` is the same one
# not reflected. So reflect what goes in, each octet for itself; the check field reflected octet by octet is then
# what `crc_hqx` gives, most significant octet first.
_REFLECTED: Final = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def _check_fits(octets: bytes, check_at: int, extra: int) -> bool:
    reflected = (octets[1:check_at] + bytes((extra,)) + octets[check_at : check_at + 2]).translate(_REFLECTED)
    return crc_hqx(reflected[:-2], 0xFFFF) == int.from_bytes(reflected[-2:], "big")


@cache
def _check_extras() -> dict[int, int]:
    # Imported where first needed: 60 ms and 353 classes that a mission without MAVLink never uses.
    from pymavlink.dialects.v20 import all as definitions

    return {message_id: message.crc_extra for message_id, message in definitions.mavlink_map.items()}
