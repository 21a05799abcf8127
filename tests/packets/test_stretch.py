"""Frames that are walked together give the packets that they give one by one."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from pipeline.frames.frame import NO_PACKET_START, ONLY_IDLE_DATA
from pipeline.packets.extraction import Extraction
from pipeline.packets.space_packet import IDLE_APID, SpacePacket
from pipeline.packets.stretch import Stretch

NOT_ENDED = -1
WANTED = 8
APIDS = (WANTED, 9, IDLE_APID)
MODULUS = 256
Frame = tuple[int, int, bool, int, bytes]
"""Count, time, live or played back, first header pointer, packet zone."""


def packet(apid: int, octets: int, fill: int = 0) -> bytes:
    return apid.to_bytes(2, "big") + bytes(2) + (octets - 7).to_bytes(2, "big") + bytes([fill]) * (octets - 6)


def stream(chance: random.Random, *, faults: bool = True) -> list[Frame]:
    """Packets one after the other over frames of one length or of several, some with only idle data among them; and
    now and then a pointer or an octet that is wrong."""
    several, zone = chance.random() < 0.3, chance.randint(1, 40)
    lengths = [(chance.choice(APIDS), chance.randint(7, 90)) for _ in range(chance.randint(6, 30))]
    octets = b"".join(packet(apid, length, number) for number, (apid, length) in enumerate(lengths))
    starts = np.cumsum([0, *(length for _, length in lengths)]).tolist()
    begin, count, at = chance.randint(0, 30), chance.randint(0, 255), 0
    frames: list[Frame] = []
    while begin < len(octets):
        at += chance.randint(1, 3)
        live = chance.random() < 0.9
        if chance.random() < 0.1:
            frames.append((count, at, live, ONLY_IDLE_DATA, b"\xff" * zone))
        else:
            end = begin + (chance.randint(0, 40) if several else zone)
            pointer = next((one - begin for one in starts if begin <= one < end), NO_PACKET_START)
            data = bytearray(octets[begin:end].ljust(end - begin, b"\x07"))
            if faults and data and chance.random() < 0.02:
                data[chance.randrange(len(data))] = chance.randrange(256)
            if faults and chance.random() < 0.02:
                pointer = chance.choice((0, 1, 7, len(data), len(data) + 1, NO_PACKET_START))
            frames.append((count, at, live, pointer, bytes(data)))
            begin = end
        count = (count + 1) % MODULUS
    return frames


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
        assert not self.extraction.told_late
        self.extraction.completed.clear()
        self.extraction.spilled.clear()

    def kept(self) -> Any:
        """The state, as it is stored."""
        extraction = self.extraction
        extraction.changed.update(range(128))
        return extraction.order, extraction.latest, list(extraction.take_changes())


@pytest.mark.parametrize("near", [None, 3, 5])
@pytest.mark.parametrize("seed", range(100))
def test_frames_taken_together_give_what_they_give_one_by_one(seed: int, near: int | None) -> None:
    chance = random.Random(seed)
    frames = stream(chance)
    straight, together = Extracted(near), Extracted(near)
    straight.add(frames)
    begin = 0
    while begin < len(frames):
        lot = frames[begin : begin + chance.choice((1, 3, 10, 60))]
        if chance.random() < 0.8:
            together.add_together(lot)
        else:
            together.add(lot)
        begin += len(lot)
    assert together.packets == straight.packets
    assert together.telemetry == straight.telemetry
    assert together.ended == straight.ended
    assert together.kept() == straight.kept()


@pytest.mark.parametrize("seed", range(50))
def test_frames_without_a_fault_are_taken_together(seed: int) -> None:
    """Once a packet has begun, and where one of them carries any."""
    chance = random.Random(seed)
    frames, extracted = stream(chance, faults=False), Extracted(None)
    first = next(place for place, one in enumerate(frames) if one[3] not in (NO_PACKET_START, ONLY_IDLE_DATA))
    extracted.extraction.latest = frames[first][0] - 1
    for begin in range(first, len(frames), 20):
        lot = frames[begin : begin + 20]
        carry = any(one[3] != ONLY_IDLE_DATA and one[4] for one in lot)
        assert extracted.add_together(lot) is carry


def test_a_packet_goes_from_one_stretch_into_the_next() -> None:
    frames = [(count, count, True, 0 if count == 0 else NO_PACKET_START, bytes(10)) for count in range(6)]
    frames[0] = (0, 0, True, 0, packet(WANTED, 60)[:10])
    extracted = Extracted(None)
    extracted.extraction.latest = 255
    assert extracted.add_together(frames[:3])
    assert extracted.packets == []
    assert extracted.add_together(frames[3:])
    assert extracted.packets == [SpacePacket(WANTED, packet(WANTED, 60), 5, True)]
    assert extracted.ended == {(count, count): 5 for count in range(5)}
    assert extracted.telemetry == [True] * 6
