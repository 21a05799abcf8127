"""The packets of many frames with consecutive counts at once. Their zones are laid one after the other; the first
header pointers say where packets begin, and from there all frames are walked together, a packet of each in every step.
Knows counts and first header pointers. What is unusual (a pointer that disagrees with the packets before it, a packet
of another version) it leaves to `extraction`, which takes frame by frame.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.frames.frame import NO_PACKET_START, ONLY_IDLE_DATA
from pipeline.packets.lot import Flags, Numbers, Octets, PacketLot
from pipeline.packets.space_packet import IDLE_APID, SHORTEST_PACKET

_LENGTH_AT: Final = 4
"""Where in a packet its length stands: two octets."""
_BEHIND: Final = 6
"""Octets laid behind the last zone: a header may be cut off there."""


class Stretch(NamedTuple):
    """Frames with consecutive counts, each later than the one before it and so soon that a packet may go on in it; a
    column each."""

    octets: Octets
    """A row for each frame, which all have one length."""
    counts: Numbers
    at: Numbers
    live: Flags
    pointers: Numbers
    zone_starts: Numbers
    zone_ends: Numbers

    def part(self, start: int, stop: int) -> "Stretch":
        return Stretch(
            self.octets[start:stop], self.counts[start:stop], self.at[start:stop], self.live[start:stop],
            self.pointers[start:stop], self.zone_starts[start:stop], self.zone_ends[start:stop],
        )  # fmt: skip


class Begun(NamedTuple):
    """A packet that goes on in the first frame."""

    octets: bytes
    at: int
    live: bool


class Tail(NamedTuple):
    """A packet that goes on after the last frame."""

    octets: bytes
    places: list[int]
    """The frames of the stretch that have octets of it."""
    is_begun: bool
    """It began before the stretch."""


class Walked(NamedTuple):
    telemetry: Flags
    """Whether a frame carries octets of a packet that is not idle."""
    ended: Numbers
    """When the wanted packet ended that goes on after a frame; `not_ended` where there is none."""
    packets: PacketLot
    """The wanted ones that are whole."""
    begun_ended_at: int | None
    """The same as `ended`, for the frames before the stretch."""
    tail: Tail | None

    @classmethod
    def without_packets(cls, frames: int, not_ended: int) -> "Walked":
        """Of so many frames of which nobody wants packets."""
        none = np.zeros(0, np.int64)
        packets = PacketLot(np.zeros(0, np.uint8), none, none, none, none, np.zeros(0, np.bool_), none)
        return cls(np.zeros(frames, np.bool_), np.full(frames, not_ended), packets, None, None)


def walk(stretch: Stretch, begun: Begun | None, near: int | None, wanted: Flags, not_ended: int) -> Walked | None:
    """None where a frame has to be looked at by itself.

    `near`: a packet goes on in the next frame that carries packets if that came at most so many nanoseconds later;
    None: always. `wanted`: by APID.
    """
    carrying = ((stretch.pointers != ONLY_IDLE_DATA) & (stretch.zone_ends > stretch.zone_starts)).nonzero()[0]
    at = stretch.at[carrying]
    if not carrying.size or not _are_near(stretch, at, begun, near):
        return None
    found = _found(stretch, carrying, b"" if begun is None else begun.octets)
    if found is None:
        return None
    octets, zones, starts, stops, first, last, goes_on = found
    apids = (found.words[starts] & 0x7FF).astype(np.int64)
    is_wanted = wanted[apids]
    if goes_on:
        is_wanted[-1] = False
    live, ended_at = stretch.live[carrying][first], at[last]
    if begun is not None:
        live[0] = begun.live
    ended = np.full(len(stretch.at), not_ended)
    if np.count_nonzero((last > first) & is_wanted):
        over = starts.searchsorted(zones[1:], "left") - 1  # the packet of each frame's last octet
        goes_over = (over >= 0) & is_wanted[over] & (stops[over] > zones[1:])
        ended[carrying[goes_over]] = ended_at[over[goes_over]]
    telemetry = np.zeros(len(stretch.at), np.bool_)
    # A packet shows what it is in the frame that has both octets of its APID.
    shown = first + (zones[first + 1] - starts < 2)
    telemetry[carrying] = _covered(apids != IDLE_APID, shown, last, len(carrying))
    tail = None
    if goes_on:
        is_begun = begun is not None and len(starts) == 1
        tail = Tail(octets[starts[-1] : zones[-1]].tobytes(), carrying[first[-1] :].tolist(), is_begun)
    return Walked(
        telemetry, ended,
        PacketLot(octets, starts, stops, apids, ended_at, live, stretch.counts[carrying][last]).those(is_wanted),
        int(ended_at[0]) if begun is not None and is_wanted[0] else None, tail,
    )  # fmt: skip


class _Found(NamedTuple):
    """Packets in the zones of frames, which are laid one after the other."""

    octets: Octets
    zones: Numbers
    """Where each zone begins, and where the last one ends."""
    starts: Numbers
    stops: Numbers
    first: Numbers
    """The zone in which each packet starts, and the one that has its last octet."""
    last: Numbers
    goes_on: bool
    """Behind the last zone: the last packet."""

    @property
    def words(self) -> npt.NDArray[np.uint16]:
        return _words(self.octets)


def _found(stretch: Stretch, carrying: Numbers, head: bytes) -> _Found | None:
    """None where the first header pointers do not agree with the packets. `head`: of the packet that began before."""
    octets, zones = _laid_out(stretch, carrying, head)
    pointers, begun = stretch.pointers[carrying], len(head) > 0
    # Where the first packet of each frame starts, or behind its zone where none does.
    has_start = pointers != NO_PACKET_START
    stated = np.where(has_start, zones[:-1] + pointers, zones[1:])
    if np.count_nonzero(has_start & (stated >= zones[1:])):
        return None
    zones[0] = 0  # the octets of the packet that began before are the first frame's
    walked = _walked(octets, np.concatenate(([0], stated[has_start])) if begun else stated[has_start], int(zones[-1]))
    if walked is None:
        return None
    starts, goes_on = walked
    first = zones.searchsorted(starts, "right") - 1
    if np.count_nonzero(starts[begun:] < stated[first[begun:]]) or np.count_nonzero(octets[starts] >> 5):
        return None
    stops = np.concatenate((starts[1:], zones[-1:]))
    return _Found(octets, zones, starts, stops, first, zones.searchsorted(stops, "left") - 1, goes_on)


def _are_near(stretch: Stretch, at: Numbers, begun: Begun | None, near: int | None) -> bool:
    """Whether a packet may go on all along, over frames that carry none."""
    if near is None or (begun is None and len(at) == len(stretch.at)):
        return True
    before = at[0] if begun is None else begun.at
    times = np.concatenate(([before], at, stretch.at[-1:]))
    return not np.count_nonzero(times[1:] - times[:-1] > near)


def _laid_out(stretch: Stretch, carrying: Numbers, head: bytes) -> tuple[Octets, Numbers]:
    """`head`, the packet zones of those frames, and some octets more; where in them each zone begins, and where the
    last one ends."""
    frames = stretch.octets if len(carrying) == len(stretch.at) else stretch.octets[carrying]
    starts, ends = stretch.zone_starts[carrying], stretch.zone_ends[carrying]
    zones = np.zeros(len(frames) + 1, np.int64)
    (ends - starts).cumsum(out=zones[1:])
    zones += len(head)
    octets = np.empty(int(zones[-1]) + _BEHIND, np.uint8)
    octets[: len(head)] = np.frombuffer(head, np.uint8)
    octets[-_BEHIND:] = 0
    start, end = int(starts[0]), int(ends[0])
    if not (np.count_nonzero(starts != start) or np.count_nonzero(ends != end)):
        octets[len(head) : -_BEHIND].reshape(len(frames), -1)[:] = frames[:, start:end]
    else:
        places = np.arange(frames.shape[1])
        octets[len(head) : -_BEHIND] = frames[(places >= starts[:, None]) & (places < ends[:, None])]
    return octets, zones


def _words(octets: Octets) -> npt.NDArray[np.uint16]:
    """At each place two octets as a number."""
    return np.ndarray(len(octets) - 1, ">u2", octets, strides=(1,))


def _walked(octets: Octets, begins: Numbers, end: int) -> tuple[Numbers, bool] | None:
    """Where packets start, from those places on, and whether the last one goes on behind the end. None where the
    packets from one place on do not end at the next, or there is none."""
    if not begins.size:
        return None
    words, starts, goes_on = _words(octets), [], False
    at, ends = begins, np.concatenate((begins[1:], [end]))
    while at.size:
        starts.append(at)
        following = words[at + _LENGTH_AT] + (at + SHORTEST_PACKET)
        beyond = following > ends
        if over := np.count_nonzero(beyond):
            if over > 1 or not beyond[-1] or ends[-1] != end:
                return None
            goes_on = True
        more = following < ends
        at, ends = following[more], ends[more]
    found = np.concatenate(starts)
    found.sort()
    return found, goes_on


def _covered(busy: Flags, first: Numbers, last: Numbers, zones: int) -> Flags:
    """Which zones have octets of a busy packet, each of which has some from its first zone to its last."""
    begun = np.bincount(first[busy], minlength=zones + 1)
    ended = np.bincount(last[busy] + 1, minlength=zones + 1)
    return (begun - ended).cumsum()[:zones] > 0
