"""What every frame format gives: the frames of a record as columns. Knows what formats have in common; does not
know any format's layout, who expects the frame, or when it came.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.frames.mavlink import Message

NO_PACKET_START: Final = 0x7FF
"""First header pointer: octets of a packet that began in an earlier frame, and no packet begins here."""
ONLY_IDLE_DATA: Final = 0x7FE
"""First header pointer: nothing but idle data."""

# The words a bad frame is counted under; also the metric's label.
LENGTH: Final = "length"
FRAME_ERROR_CONTROL_FIELD: Final = "fecf"
VERSION: Final = "version"
IMPLAUSIBLE: Final = "implausible"
UNKNOWN_MESSAGE: Final = "unknown_message"
CHECK: Final = "check"

TOGETHER: Final = 48
"""From so many frames on a format reads them faster as columns than one by one."""

REASONS: Final = (LENGTH, FRAME_ERROR_CONTROL_FIELD, VERSION, IMPLAUSIBLE, UNKNOWN_MESSAGE, CHECK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """What both ends of the link agreed and no frame says."""

    frame_length: int = 0
    """Octets; 0 for formats whose frames say their own length."""
    frame_error_control_field: bool = True
    operational_control_field: bool = False
    """AOS; a TM frame says it itself."""
    insert_zone_octets: int = 0
    frame_header_error_control: bool = False


class FrameColumns(NamedTuple):
    """Those columns of Frames as arrays that are reckoned with."""

    virtual_channel_frame_counts: npt.NDArray[np.int64]
    replayed: npt.NDArray[np.bool_]
    first_header_pointers: npt.NDArray[np.int64]
    zone_starts: npt.NDArray[np.int64]
    zone_ends: npt.NDArray[np.int64]


@dataclass(slots=True)
class Frames:
    """The frames of one record, a column each. Where `reasons` has a word the frame is bad and its other columns
    mean nothing."""

    octets: list[bytes]
    reasons: list[str | None]
    scids: list[int]
    vcids: list[int]
    virtual_channel_frame_counts: list[int]
    moduli: list[int]
    """Of the virtual channel frame count."""
    replayed: list[bool]
    """The AOS replay flag: played-back data."""
    first_header_pointers: list[int]
    """Offset in the packet zone; NO_PACKET_START; ONLY_IDLE_DATA also for a frame that is idle by its channel."""
    zone_starts: list[int]
    """Where the octets of packets begin in the frame, and where they end."""
    zone_ends: list[int]
    messages: list[Message | None] = field(default_factory=list)
    """MAVLink: what stands in the frame; empty for formats that carry space packets."""
    read_as: FrameColumns | None = None
    """The arrays, where the format had them."""
    joined: bytes = b""
    """All octets one after the other, where somebody has them so."""

    @classmethod
    def of(cls, octets: list[bytes]) -> "Frames":
        """Columns for these frames, all bad by their length until a format has read them."""
        n = len(octets)
        return cls(
            octets=octets, reasons=[LENGTH] * n, scids=[0] * n, vcids=[0] * n, virtual_channel_frame_counts=[0] * n,
            moduli=[1] * n, replayed=[False] * n, first_header_pointers=[NO_PACKET_START] * n,
            zone_starts=[0] * n, zone_ends=[0] * n,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.octets)

    def fill(self, columns: FrameColumns) -> None:
        """What a format read of all frames at once; none is bad so far."""
        self.read_as = columns
        self.reasons = [None] * len(self)
        (
            self.virtual_channel_frame_counts,
            self.replayed,
            self.first_header_pointers,
            self.zone_starts,
            self.zone_ends,
        ) = (column.tolist() for column in columns)

    def find(self, reason: str, places: Iterable[int]) -> None:
        """These frames are bad, whatever was found before."""
        for place in places:
            self.reasons[place] = reason

    @property
    def columns(self) -> FrameColumns:
        if self.read_as is None:
            self.read_as = FrameColumns(
                np.array(self.virtual_channel_frame_counts), np.array(self.replayed),
                np.array(self.first_header_pointers), np.array(self.zone_starts), np.array(self.zone_ends),
            )  # fmt: skip
        return self.read_as

    def bad(self) -> list[tuple[int, str]]:
        """(place, reason) of those that are."""
        return [(place, reason) for place, reason in enumerate(self.reasons) if reason] if any(self.reasons) else []

    def by_channel(self) -> dict[tuple[int, int, int], list[int]]:
        """(SCID, VCID, modulus of the count) → places of its frames that are not bad."""
        keys = self.scids, self.vcids, self.moduli
        if self.octets and not any(self.reasons) and all(key.count(key[0]) == len(key) for key in keys):
            return {(self.scids[0], self.vcids[0], self.moduli[0]): list(range(len(self.octets)))}
        places: dict[tuple[int, int, int], list[int]] = {}
        for place, (reason, key) in enumerate(zip(self.reasons, zip(*keys, strict=True), strict=True)):
            if reason is None:
                places.setdefault(key, []).append(place)
        return places


class FrameFormat(Protocol):
    """A format: the octets of some frames and the managed parameters of their link → columns. Never raises: what a
    noisy link can do is a word in `reasons`."""

    def __call__(self, octets: list[bytes], managed: Managed) -> Frames: ...


def split(octets: bytes, frame_length: int, lengths: tuple[int, ...] | None = None) -> list[bytes]:
    """The frames that stand one after the other in `octets`: all of one length, or of the lengths given."""
    if lengths is None:
        return [octets[at : at + frame_length] for at in range(0, len(octets), frame_length)] if frame_length else []
    frames, at = [], 0
    for length in lengths:
        frames.append(octets[at : at + length])
        at += length
    return frames
