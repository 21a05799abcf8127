"""Frames that are walked together give the packets that they give one by one."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from pipeline.frames.frame import NO_PACKET_START, ONLY_IDLE_DATA
from pipeline.packets.extraction import KEPT_FRAMES, Extraction
from pipeline.packets.space_packet import IDLE_APID, SpacePacket
from pipeline.packets.stretch import Stretch

NOT_ENDED = -1
WANTED = 8
APIDS = (WANTED, WANTED, 9, IDLE_APID, IDLE_APID, IDLE_APID)
MODULUS = 64
Frame = tuple[int, int, bool, int, bytes]
"""Count, time, live or played back, first header pointer, packet zone."""


def packet(apid: int, octets: int, fill: int = 0) -> bytes:
    return apid.to_bytes(2, "big") + bytes(2) + (octets - 7).to_bytes(2, "big") + bytes([fill]) * (octets - 6)


def stream(chance: random.Random, faults: float) -> list[Frame]:
    """Packets one after the other over frames of one length or of several, some with only idle data among them. In that
    part of the frames a pointer or an octet is wrong, and fewer are lost."""
    several, zone = chance.random() < 0.3, chance.randint(1, 40)
    lengths = [(chance.choice(APIDS), chance.randint(7, 60)) for _ in range(chance.randint(6, 60))]
    octets = b"".join(packet(apid, length, number) for number, (apid, length) in enumerate(lengths))
    starts = np.cumsum([0, *(length for _, length in lengths)]).tolist()
    begin, count, at = chance.randint(0, 30), chance.randrange(MODULUS), 0
    frames: list[Frame] = []
    while begin < len(octets):
        at += chance.randint(1, 3)
        live = chance.random() < 0.9
        if chance.random() < 0.1:
            frames.append((count, at, live, ONLY_IDLE_DATA, b"\xff" * zone))
        else:
            end = begin + (chance.randint(0, 40) if several else zone)
            here = [one - begin for one in starts if begin <= one < end]
            data, pointer = octets[begin:end].ljust(end - begin, b"\x07"), here[0] if here else NO_PACKET_START
            if chance.random() < faults:
                pointer, data = wrong(chance, pointer, here, data)
            frames.append((count, at, live, pointer, data))
            begin = end
        if chance.random() < faults / 5:
            frames.pop()
        count = (count + 1) % MODULUS
    return frames


def wrong(chance: random.Random, pointer: int, starts: list[int], data: bytes) -> tuple[int, bytes]:
    """Another pointer, another octet, or another version of a packet."""
    kind = chance.randrange(3)
    if kind == 0 or not data:
        return chance.choice((0, 1, 7, len(data), len(data) + 1, NO_PACKET_START, *starts)), data
    place = chance.choice(starts) if starts and kind == 1 else chance.randrange(len(data))
    value = data[place] | 0x20 if kind == 1 else chance.randrange(256)
    return pointer, data[:place] + bytes([value]) + data[place + 1 :]


def stretch(frames: Sequence[Frame]) -> Stretch:
    """With something before and after each zone."""
    counts, at, live, pointers, zones = zip(*frames, strict=True)
    longest = max(map(len, zones))
    rows = [b"head" + zone.ljust(longest, b"\xff") + b"check" for zone in zones]
    return Stretch(
        np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1), np.array(counts), np.array(at),
        np.array(live), np.array(pointers), np.full(len(rows), 4), 4 + np.array([len(zone) for zone in zones]),
    )  # fmt: skip


class Extracted:
    """What came of frames, one by one or together."""

    def __init__(self, near: int | None) -> None:
        self.extraction = Extraction(MODULUS, near, frozenset((WANTED,)))
        self.packets: list[SpacePacket] = []
        self.telemetry: list[bool] = []
        self.ended: dict[tuple[int, int], int] = {}
        self.told_late: list[tuple[int, int, bool]] = []

    def add(self, frames: Iterable[Frame]) -> None:
        for count, at, live, pointer, zone in frames:
            self.telemetry.append(self.extraction.add(count, at, live, pointer, zone))
            self._hear()

    def add_together(self, frames: Sequence[Frame]) -> bool:
        """Whether they could be taken together."""
        before = self.kept()
        walked = self.extraction.add_together(stretch(frames), NOT_ENDED)
        if walked is None:
            assert self.kept() == before, "nothing is done"
            self.add(frames)
            return False
        self.telemetry += walked.telemetry.tolist()
        self.packets += walked.packets.packets()
        self.ended |= {
            (frame[0], frame[1]): ended for frame, ended in zip(frames, walked.ended.tolist()) if ended != NOT_ENDED
        }
        self._hear()
        return True

    def _hear(self) -> None:
        self.packets += self.extraction.completed
        self.ended |= {(count, at): ended for count, at, ended in self.extraction.spilled}
        self.told_late += self.extraction.told_late
        self.extraction.told_late.clear()
        self.extraction.completed.clear()
        self.extraction.spilled.clear()

    def kept(self) -> Any:
        """The state, as it is stored."""
        extraction = self.extraction
        extraction.changed.update(range(128))
        return extraction.order, extraction.latest, list(extraction.take_changes())


@pytest.mark.parametrize("near", [None, 3, 5])
@pytest.mark.parametrize("faults", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("seed", range(60))
def test_frames_taken_together_give_what_they_give_one_by_one(seed: int, faults: float, near: int | None) -> None:
    chance = random.Random(seed)
    frames = stream(chance, faults)
    straight, together = Extracted(near), Extracted(near)
    straight.add(frames)
    for lot in lots(frames, chance):
        if chance.random() < 0.8:
            together.add_together(lot)
        else:
            together.add(lot)
    assert together.packets == straight.packets
    assert together.telemetry == straight.telemetry
    assert together.ended == straight.ended
    assert together.told_late == straight.told_late
    assert together.kept() == straight.kept()


def lots(frames: list[Frame], chance: random.Random) -> Iterator[list[Frame]]:
    """Frames with consecutive counts, as many as it happens."""
    lot: list[Frame] = []
    longest = chance.choice((1, 3, 10, 60))
    for one in frames:
        if lot and (len(lot) == longest or one[0] != (lot[-1][0] + 1) % MODULUS):
            yield lot
            lot, longest = [], chance.choice((1, 3, 10, 60))
        lot.append(one)
    yield lot


def test_a_packet_that_waits_in_vain_is_dropped_at_the_same_frame() -> None:
    """Its next frame is lost; the frames after that one go on, and each begins with a packet of its own."""
    begun, whole = packet(WANTED, 60)[:10], packet(9, 10)
    frames = [(0, 0, True, 0, begun), *((n % MODULUS, n * 1_000, True, 0, whole) for n in range(2, KEPT_FRAMES + 60))]
    for size in (7, 16, 50):
        straight, together = Extracted(3_000), Extracted(3_000)
        together.add(frames[:2])
        straight.add(frames[:2])
        for begin in range(2, len(frames), size):
            straight.add(frames[begin : begin + size])
            assert together.add_together(frames[begin : begin + size])
            assert together.kept() == straight.kept()
        assert straight.extraction.chains == {}


@pytest.mark.parametrize("seed", range(50))
def test_frames_without_a_fault_are_taken_together(seed: int) -> None:
    """Once a packet has begun, and where one of them carries any."""
    chance = random.Random(seed)
    frames, extracted = stream(chance, 0.0), Extracted(None)
    first = next(place for place, one in enumerate(frames) if one[3] not in (NO_PACKET_START, ONLY_IDLE_DATA))
    extracted.extraction.latest = (frames[first][0] - 1) % MODULUS
    for begin in range(first, len(frames), 20):
        lot = frames[begin : begin + 20]
        carry = any(one[3] != ONLY_IDLE_DATA and one[4] for one in lot)
        assert extracted.add_together(lot) is carry


def test_a_packet_goes_from_one_stretch_into_the_next() -> None:
    frames = [(count, count, True, 0 if count == 0 else NO_PACKET_START, bytes(10)) for count in range(6)]
    frames[0] = (0, 0, True, 0, packet(WANTED, 60)[:10])
    extracted = Extracted(None)
    extracted.extraction.latest = MODULUS - 1
    assert extracted.add_together(frames[:3])
    assert extracted.packets == []
    assert extracted.add_together(frames[3:])
    assert extracted.packets == [SpacePacket(WANTED, packet(WANTED, 60), 5, True, 5)]
    assert extracted.ended == {(count, count): 5 for count in range(5)}
    assert extracted.telemetry == [True] * 6


def test_a_packet_that_would_reach_into_the_next_one_is_looked_at_by_itself() -> None:
    """In any frame but the last, whose one packet is whole."""
    zones = [*[packet(9, 8) + packet(9, 12)] * 3, packet(9, 20)]
    frames = [(count, count, True, 0, zone) for count, zone in enumerate(zones, 1)]
    for place in range(3):
        changed = list(frames)
        changed[place] = (*frames[place][:4], packet(9, 8) + packet(9, 22)[:12])
        extracted = Extracted(None)
        extracted.extraction.latest = 0
        assert not extracted.add_together(changed)
        assert extracted.add_together([(count + 4, at + 4, *rest) for count, at, *rest in frames])


@pytest.mark.parametrize(("octets", "known"), [(1, False), (2, True)])
def test_a_frame_carries_telemetry_as_soon_as_the_apid_is_there(octets: int, known: bool) -> None:
    zone = packet(IDLE_APID, 10) + packet(WANTED, 10)[:octets]
    extracted = Extracted(None)
    extracted.add([(0, 0, True, 0, packet(9, 10))])
    assert extracted.add_together([(1, 1, True, 0, zone)])
    assert extracted.telemetry == [True, known]
