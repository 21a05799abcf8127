"""Files of kinds that are not read: what they are, by their first octets, and what can be done with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipeline.frames.mavlink import starts_whole_message

_READ: Final = 256 * 1024
_ULOG: Final = b"ULog\x01\x12\x35"
_DATAFLASH: Final = b"\xa3\x95\x80"
_SYNC_MARKER: Final = bytes.fromhex("1acffc1d")
_PACKETS_LOOKED_AT: Final = 8


def other_kind(path: Path) -> str | None:
    """What a file is that is neither recording nor tlog, and what to do; None: it may hold frames one after the other.

    Raises OSError where it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_READ)
    return next((answer for is_kind, answer in _KINDS if is_kind(head)), None)


def _holds_bits(head: bytes) -> bool:
    return len(head) > 64 and set(head) <= {0, 1}


def _holds_marker(head: bytes) -> bool:
    return _SYNC_MARKER in head[:2048]


def _is_mavlink(head: bytes) -> bool:
    return bool(starts_whole_message(head, 0))


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as fault:
        text = head[: fault.start].decode() if len(head) - fault.start < 4 else ""
    return bool(text) and all(one.isprintable() or one.isspace() for one in text)


def _holds_packets(head: bytes) -> bool:
    """Space packets one after the other: version 0, and each header where the length before it says."""
    at = 0
    for _ in range(_PACKETS_LOOKED_AT):
        header = head[at : at + 6]
        if len(header) < 6 or header[0] >> 5 != 0:
            return False
        at += 7 + int.from_bytes(header[4:6], "big")
    return True


_KINDS: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (
        lambda head: head.startswith(_ULOG),
        "a ULog, which the autopilot wrote on board: it was not received by anybody, so it says nothing of a link. "
        "Give the ground station's telemetry log (.tlog)",
    ),
    (
        lambda head: head.startswith(_DATAFLASH),
        "a DataFlash log, which the autopilot wrote on board: it was not received by anybody, so it says nothing of a "
        "link. Give the ground station's telemetry log (.tlog)",
    ),
    (
        _is_mavlink,
        "MAVLink messages without the time at which each was received: nothing can be said of silence. Have the ground "
        "station write a .tlog, which has eight octets of time before each message",
    ),
    (
        _holds_marker,
        "it holds attached sync markers (1ACFFC1D), so channel access data units (CADUs): take marker, randomisation "
        "and Reed-Solomon check symbols off first; then: relaywatch inspect FILE --format aos --frame-length N --fecf",
    ),
    (
        _holds_bits,
        "one bit an octet, as a demodulator writes: find the sync markers and pack the bits into frames first; then: "
        "relaywatch inspect FILE --format tm --frame-length N --fecf",
    ),
    (_is_text, "it is text. Give a recording (.mcap), a .tlog, or transfer frames as octets"),
    (
        _holds_packets,
        "space packets without transfer frames: without counts of frames nothing can be said of a link. Give the "
        "frames that carried them, or a recording (.mcap)",
    ),
)
