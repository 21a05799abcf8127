"""Packets across frames: the packet zones of one virtual channel, in any order of arrival → whole packets. Knows
counts and first header pointers; does not know a frame's check, its duplicates, or what a packet means.

A packet that spills over a frame is a *chain*: it is known by the frame it starts in, waits at the count of the
last frame it has, and goes on in the frame whose count follows. The front of a frame that came before its chain
*waits* at its own count. So frames may come swapped; every packet is complete once and sent once. A chain whose next
frame never comes is dropped after 1,024 frames of the channel, and with it that one packet and no other.

Where a good frame cannot be right about its packets (a pointer beyond the zone, or one that disagrees with the length
of the packet that goes on) the packet that goes on is dropped, and what the frame itself starts is believed.

A frame of only idle data on the same channel does not end a packet: the packet goes on in the frame after it. The
count of an only-idle frame belongs to the channel's sequence, so the chain steps over it and nothing is lost; a
sender that restarts its packets afterwards says so by its first header pointer, which then disagrees.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

import numpy as np

from pipeline.frames.frame import NO_PACKET_START, ONLY_IDLE_DATA
from pipeline.packets.space_packet import APIDS, IDLE_APID, SpacePacket
from pipeline.packets.stretch import Begun, Stretch, Walked, walk

KEPT_FRAMES: Final = 1024
"""Of a channel: how long a part of a packet waits for the frame that is missing."""
SLOTS: Final = 128
"""What waits is stored by its count modulo this: one record changes few slots, however much waits."""

_PRUNE_EVERY: Final = 16


class Chain:
    """A packet that began and has not ended yet."""

    __slots__ = ("at", "frames", "live", "octets", "order")

    def __init__(self, octets: bytes, frames: list[tuple[int, int]], at: int, live: bool, order: int) -> None:
        self.octets = octets
        self.frames = frames
        """(count, relay receive time) of each of its frames."""
        self.at = at
        """The highest of these times."""
        self.live = live
        self.order = order
        """Number of its last frame among all of the channel, by arrival."""

    @property
    def is_telemetry(self) -> bool:
        """Whether it is known not to be an idle packet."""
        octets = self.octets
        return len(octets) >= 2 and (octets[0] << 8 | octets[1]) & 0x7FF != IDLE_APID

    @property
    def packet_octets(self) -> int | None:
        octets = self.octets
        return (octets[4] << 8 | octets[5]) + 7 if len(octets) >= 6 else None


class Front:
    """The octets at the front of a frame that belong to a packet begun earlier, before that packet is here."""

    __slots__ = ("at", "live", "octets", "order", "through", "told")

    def __init__(self, octets: bytes, at: int, live: bool, through: bool, told: bool, order: int) -> None:
        self.octets = octets
        self.at = at
        self.live = live
        self.through = through
        """No packet starts in this frame: the packet may go on in the next one."""
        self.told = told
        """The frame is already known to carry telemetry."""
        self.order = order


P = TypeVar("P", Chain, Front)


class Extraction:
    """The packets of one virtual channel. `wanted`: the APIDs whose octets are kept; None keeps all."""

    __slots__ = (
        "_is_wanted", "chains", "changed", "completed", "fronts", "latest", "modulus", "near", "order", "spilled",
        "told_late", "wanted",
    )  # fmt: skip

    def __init__(self, modulus: int, near: int | None = None, wanted: frozenset[int] | None = None) -> None:
        self.modulus = modulus
        self.near = near
        """Two frames with consecutive counts are neighbours if they came at most this many nanoseconds apart: a
        small count may have gone round in a longer time. None: always."""
        self.wanted = wanted
        self._is_wanted = np.full(APIDS, wanted is None)
        self._is_wanted[list(wanted or ())] = True
        self.chains: dict[int, list[Chain]] = {}
        """By the count of the last frame each has; several where a small count has gone round."""
        self.fronts: dict[int, list[Front]] = {}
        """By the count of the frame."""
        self.order = 0
        self.latest: int | None = None
        """Count of the frame that was added last."""
        self.changed: set[int] = set()
        """Slots in which something changed since they were last stored."""
        # What came of the frames added since the lists were last emptied:
        self.completed: list[SpacePacket] = []
        self.told_late: list[tuple[int, int, bool]] = []
        """(count, time, live) of frames that only now are known to carry telemetry."""
        self.spilled: list[tuple[int, int, int]] = []
        """(count, time, time of the last frame): frames that a packet completed in a later frame has octets of."""

    def add(self, count: int, at: int, live: bool, pointer: int, zone: bytes) -> bool:
        """Take one new frame; whether it is known to carry octets of a packet that is not idle."""
        self.order += 1
        if not (pointer or self.chains or self.fronts):  # nothing waits and nothing goes on: the short way
            self.latest = count
            telemetry, tail = self._walk(zone, 0, count, at, live)
            if tail < len(zone):
                self._stand(Chain(zone[tail:], [(count, at)], at, live, self.order), count)
            return telemetry
        if self.order % _PRUNE_EVERY == 0:
            self._prune(self.order)
        before = (count - 1) % self.modulus
        chain = self._take_chain(before, at)
        orphaned = chain is None and self.latest == before and not self._goes_on(before, at)
        self.latest = count
        if pointer == ONLY_IDLE_DATA:
            if chain is not None:
                self._stand(chain, count)
            elif not orphaned:
                self._wait(Front(b"", at, live, True, True, self.order), count)
            return False
        through = pointer == NO_PACKET_START
        start, tail = len(zone) if through else pointer, len(zone)
        if start > len(zone):
            return False
        telemetry = False
        if chain is not None:  # first: the packet that ends here began before those that start here
            telemetry = self._extend(chain, zone[:start], count, at, through)
        if not through:
            starts_telemetry, tail = self._walk(zone, start, count, at, live)
            telemetry |= starts_telemetry
        if chain is None and start and not orphaned:
            self._wait(Front(zone[:start], at, live, through, telemetry, self.order), count)
        if tail < len(zone):
            self._stand(Chain(zone[tail:], [(count, at)], at, live, self.order), count)
        return telemetry

    def add_together(self, stretch: Stretch, not_ended: int) -> Walked | None:
        """What `add` does with each of these frames, `completed` and the new `spilled` being in what is returned. None,
        and nothing is done, where one of them has to be looked at by itself."""
        counts, at, frames = stretch.counts, stretch.at, len(stretch.at)
        before = (int(counts[0]) - 1) % self.modulus
        chain = self._chain_for(before, int(at[0]))
        if (chain is None and self.latest != before and stretch.pointers[0]) or self._meets(stretch, before, chain):
            return None
        begun = None if chain is None else Begun(chain.octets, chain.at, chain.live)
        walked = walk(stretch, begun, self.near, self._is_wanted, not_ended)
        if walked is None:
            return None
        self.order += frames
        self.latest = int(counts[-1])
        if chain is not None:
            self._taken(self.chains, before, chain)
            if (ended := walked.begun_ended_at) is not None:
                self.spilled.extend((count, time, ended) for count, time in chain.frames if time != ended)
        if self.order % _PRUNE_EVERY < frames:
            self._prune(self.order - self.order % _PRUNE_EVERY)
        if (tail := walked.tail) is not None:
            if chain is None or not tail.is_begun:
                chain = Chain(b"", [], int(at[0]), bool(stretch.live[tail.places[0]]), self.order)
            chain.octets = tail.octets
            chain.frames += zip(counts[tail.places].tolist(), at[tail.places].tolist(), strict=True)
            chain.at = chain.frames[-1][1]
            self._stand(chain, self.latest)
        return walked

    def _meets(self, stretch: Stretch, before: int, chain: Chain | None) -> bool:
        """Whether something that waits, other than this chain, may have to do with a frame of the stretch."""
        at, frames = stretch.at, len(stretch.at)
        for count, chains in self.chains.items():
            place = (count - before) % self.modulus  # in the stretch, of the frame that goes on with them
            if place < frames and any(self._follows(one.at, int(at[place])) for one in chains if one is not chain):
                return True
        since = int(at[0]) if chain is None else chain.at
        for count, fronts in self.fronts.items():
            place = (count - before) % self.modulus
            for one in fronts:
                if place < frames and one.through and self._follows(one.at, int(at[place])):
                    return True
                if 1 < place < frames + 2 and one.at >= since:
                    return True
        return False

    def _goes_on(self, count: int, at: int) -> bool:
        """Whether the packet at the front of that frame, whose beginning is not here yet, may go on in the next."""
        return any(one.through and self._follows(one.at, at) for one in self.fronts.get(count, ()))

    def _walk(self, zone: bytes, at_octet: int, count: int, at: int, live: bool) -> tuple[bool, int]:
        """Send the packets that are whole in the frame. Whether one that is not idle starts here, and where the
        one begins that goes on in the next frame."""
        end, telemetry, wanted, completed = len(zone), False, self.wanted, self.completed
        while at_octet + 6 <= end:
            if zone[at_octet] >> 5:  # the packet version is 000: from here on this frame cannot be read
                return telemetry, end
            apid = (zone[at_octet] << 8 | zone[at_octet + 1]) & 0x7FF
            telemetry = telemetry or apid != IDLE_APID
            stop = at_octet + (zone[at_octet + 4] << 8 | zone[at_octet + 5]) + 7
            if stop > end:
                return telemetry, at_octet
            if wanted is None or apid in wanted:
                completed.append(SpacePacket(apid, zone[at_octet:stop], at, live, count))
            at_octet = stop
        if at_octet + 2 <= end:
            telemetry = telemetry or (zone[at_octet] << 8 | zone[at_octet + 1]) & 0x7FF != IDLE_APID
        return telemetry, at_octet

    def _extend(self, chain: Chain, octets: bytes, count: int, at: int, through: bool) -> bool:
        """Go on with a chain by the front of the frame that follows; whether that shows telemetry in it."""
        if not octets:
            if not through:
                return False  # the pointer says that nothing goes on here: drop the packet
            self._stand(chain, count)
            return False
        chain.octets += octets
        chain.frames.append((count, at))
        chain.at = max(chain.at, at)
        chain.order = self.order
        if chain.octets[0] >> 5:
            return False
        packet_octets, length = chain.packet_octets, len(chain.octets)
        telemetry = chain.is_telemetry
        if packet_octets == length:
            self._complete(chain)
        elif through and (packet_octets is None or length < packet_octets):
            self._stand(chain, count)
        return telemetry

    def _stand(self, chain: Chain, count: int) -> None:
        """The chain now waits at this count; what followed and came earlier is taken at once."""
        following = (count + 1) % self.modulus
        front = self._take_front(following, chain.at)
        if front is None:
            chain.order = self.order
            self.chains.setdefault(count, []).append(chain)
            self.changed.add(count % SLOTS)
            return
        telemetry = self._extend(chain, front.octets, following, front.at, front.through)
        if telemetry and not front.told:
            self.told_late.append((following, front.at, front.live))

    def _wait(self, front: Front, count: int) -> None:
        self.fronts.setdefault(count, []).append(front)
        self.changed.add(count % SLOTS)

    def _take_chain(self, count: int, at: int) -> Chain | None:
        chain = self._chain_for(count, at)
        return None if chain is None else self._taken(self.chains, count, chain)

    def _chain_for(self, count: int, at: int) -> Chain | None:
        """The chain that goes on in a frame of that time: of several the last one before it."""
        fitting = [one for one in self.chains.get(count, ()) if self._follows(one.at, at)]
        return max(fitting, key=lambda one: one.at, default=None)

    def _take_front(self, count: int, at: int) -> Front | None:
        """The front that goes on with a chain of that time: of several the first one after it."""
        waiting = self.fronts.get(count)
        if waiting is None:
            return None
        fitting = [one for one in waiting if self._follows(at, one.at)]
        return self._taken(self.fronts, count, min(fitting, key=lambda one: one.at)) if fitting else None

    def _taken(self, parts: dict[int, list[P]], count: int, part: P) -> P:
        waiting = parts[count]
        waiting.remove(part)
        if not waiting:
            del parts[count]
        self.changed.add(count % SLOTS)
        return part

    def _complete(self, chain: Chain) -> None:
        octets, at = chain.octets, chain.at
        apid = (octets[0] << 8 | octets[1]) & 0x7FF
        if self.wanted is None or apid in self.wanted:
            self.completed.append(SpacePacket(apid, octets, at, chain.live, chain.frames[-1][0]))
            self.spilled.extend((count, time, at) for count, time in chain.frames if time != at)

    def _follows(self, before: int, at: int) -> bool:
        return before <= at and (self.near is None or at - before <= self.near)

    def _prune(self, order: int) -> None:
        oldest = order - KEPT_FRAMES
        waiting: tuple[dict[int, list[Any]], ...] = (self.chains, self.fronts)
        for parts in waiting:
            for count, part in [(count, one) for count, row in parts.items() for one in row if one.order < oldest]:
                self._taken(parts, count, part)

    def take_changes(self) -> Iterator[tuple[int, Any]]:
        """(slot, what waits in it as JSON) of the slots that changed since the last call; None for an empty one."""
        for slot in sorted(self.changed):
            chains = [
                [count, _text(one.octets), one.frames, one.at, one.live, one.order]
                for count, row in self.chains.items()
                if count % SLOTS == slot
                for one in row
            ]
            fronts = [
                [count, _text(one.octets), one.at, one.live, one.through, one.told, one.order]
                for count, row in self.fronts.items()
                if count % SLOTS == slot
                for one in row
            ]
            yield slot, {"chains": chains, "fronts": fronts} if chains or fronts else None
        self.changed.clear()

    def restore(self, order: int, latest: int | None, slots: Iterable[Mapping[str, Any]]) -> None:
        """The inverse: from the slots that are not empty."""
        self.order, self.latest = order, latest
        for slot in slots:
            for count, octets, frames, at, live, placed in slot["chains"]:
                chain = Chain(base64.b64decode(octets), [(c, t) for c, t in frames], at, live, placed)
                self.chains.setdefault(count, []).append(chain)
            for count, octets, at, live, through, told, placed in slot["fronts"]:
                front = Front(base64.b64decode(octets), at, live, through, told, placed)
                self.fronts.setdefault(count, []).append(front)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
