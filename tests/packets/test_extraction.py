"""Packets across frames: what is lost, what is not, and that no order of arrival changes it."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.frames.frame import NO_PACKET_START, ONLY_IDLE_DATA
from pipeline.packets.extraction import KEPT_FRAMES, Extraction
from pipeline.packets.space_packet import IDLE_APID, SpacePacket

SECOND = 1_000_000_000
ZONE = 20


def packet(number: int, octets: int, apid: int = 100) -> bytes:
    """A whole packet of that length, recognisable by its number."""
    data = bytes((number + place) % 256 for place in range(octets - 6))
    return apid.to_bytes(2, "big") + (0xC000 | number).to_bytes(2, "big") + (octets - 7).to_bytes(2, "big") + data


Frame = tuple[int, int, bytes]
"""(count, first header pointer, packet zone)"""


def frames_of(packets: list[bytes], zone: int = ZONE, count: int = 0, modulus: int = 256) -> list[Frame]:
    """Packets one after the other in frames of that zone, the last filled up with one idle packet."""
    stream = b"".join(packets)
    starts = [0]
    for one in packets:
        starts.append(starts[-1] + len(one))
    left = -len(stream) % zone
    if left:
        stream += packet(0, left if left >= 7 else left + zone, IDLE_APID)
    else:
        starts.pop()
    frames = []
    for place in range(0, len(stream), zone):
        pointers = [start - place for start in starts if place <= start < place + zone]
        frames.append((count % modulus, pointers[0] if pointers else NO_PACKET_START, stream[place : place + zone]))
        count += 1
    return frames


def extract(frames: list[Frame], extraction: Extraction | None = None) -> list[SpacePacket]:
    """The packets of frames that come in this order, a tenth of a second apart by their place in the list."""
    extraction = Extraction(256) if extraction is None else extraction
    for place, (count, pointer, zone) in enumerate(frames):
        extraction.add(count, place * SECOND // 10, True, pointer, zone)
    return extraction.completed


def wanted(packets: list[SpacePacket]) -> list[bytes]:
    return [one.octets for one in packets if one.apid != IDLE_APID]


THREE = [packet(1, 15), packet(2, 47), packet(3, 11)]


def test_packets_that_span_frames_are_whole_again() -> None:
    assert wanted(extract(frames_of(THREE))) == THREE


def test_a_packet_has_the_time_of_the_last_of_its_frames() -> None:
    assert [one.at for one in extract(frames_of(THREE)) if one.apid == 100] == [0, 3 * SECOND // 10, 3 * SECOND // 10]


def test_a_recording_that_starts_mid_packet_waits_for_the_first_header() -> None:
    frames = frames_of(THREE)
    assert [pointer for _, pointer, _ in frames] == [0, NO_PACKET_START, NO_PACKET_START, 2]
    assert wanted(extract(frames[1:])) == THREE[2:]
    assert wanted(extract(frames[3:])) == THREE[2:]


@pytest.mark.parametrize(("lost", "left"), [(0, [3]), (1, [1, 3]), (2, [1, 3]), (3, [1])])
def test_a_lost_frame_drops_the_packets_it_carried_and_no_other(lost: int, left: list[int]) -> None:
    frames = frames_of(THREE)
    del frames[lost]
    assert wanted(extract(frames)) == [THREE[number - 1] for number in left]


def test_a_header_split_across_frames_is_read() -> None:
    for first in range(14, 21):
        packets = [packet(1, first), packet(2, 30)]
        assert wanted(extract(frames_of(packets))) == packets


def test_a_packet_that_ends_with_its_frame_leaves_nothing_waiting() -> None:
    extraction = Extraction(256)
    packets = [packet(1, ZONE), packet(2, ZONE)]
    assert wanted(extract(frames_of(packets), extraction)) == packets
    assert extraction.chains == {}


def test_a_packet_goes_on_over_the_wrap_of_the_count() -> None:
    packets = [packet(1, 90)]
    assert wanted(extract(frames_of(packets, count=254))) == packets


def test_a_frame_of_only_idle_data_does_not_end_a_packet() -> None:
    frames = frames_of([packet(1, 60)])
    idle = (1, ONLY_IDLE_DATA, b"\x55" * ZONE)
    moved = [frames[0], idle, *((count + 1, pointer, zone) for count, pointer, zone in frames[1:])]
    assert wanted(extract(moved)) == [packet(1, 60)]


def test_what_only_idle_data_says_is_never_a_packet() -> None:
    extraction = Extraction(256)
    assert not extraction.add(0, 0, True, ONLY_IDLE_DATA, packet(1, ZONE))
    assert extraction.completed == []


@pytest.mark.parametrize("pointer", [ZONE + 1, 2045])
def test_a_pointer_beyond_the_zone_drops_what_goes_on_and_nothing_after_it(pointer: int) -> None:
    frames = frames_of(THREE)
    count, _, zone = frames[1]
    after = frames_of([packet(9, 12)], count=4)
    assert wanted(extract([frames[0], (count, pointer, zone), *frames[2:], *after])) == [
        THREE[0], THREE[2], packet(9, 12),
    ]  # fmt: skip


def test_a_pointer_that_disagrees_with_the_packet_that_goes_on_is_believed() -> None:
    frames = frames_of([packet(1, 35)])
    new = packet(2, 10)
    disagreeing = (1, 4, frames[1][2][:4] + new + packet(0, 6 + ZONE - 20 + 1, IDLE_APID)[: ZONE - 14])
    assert packet(2, 10) in wanted(extract([frames[0], disagreeing]))
    assert packet(1, 35) not in wanted(extract([frames[0], disagreeing]))


def test_a_header_that_is_no_packet_s_ends_the_reading_of_its_frame_only() -> None:
    garbage = (0, 0, b"\xff" * ZONE)
    after = frames_of([packet(1, 15)], count=1)
    assert wanted(extract([garbage, *after])) == [packet(1, 15)]


def test_a_frame_carries_telemetry_if_a_packet_that_is_not_idle_has_octets_in_it() -> None:
    extraction = Extraction(256)
    frames = [*frames_of([packet(1, 50)]), *frames_of([packet(0, ZONE, IDLE_APID)], count=3)]
    told = [extraction.add(count, 0, True, pointer, zone) for count, pointer, zone in frames]
    assert told == [True, True, True, False]


def test_only_the_wanted_packets_are_kept_and_the_others_are_walked_over() -> None:
    packets = [packet(1, 15, 7), packet(2, 30, 8), packet(3, 15, 7)]
    assert wanted(extract(frames_of(packets), Extraction(256, None, frozenset((8,))))) == [packets[1]]


def test_a_count_that_may_have_gone_round_joins_nothing() -> None:
    frames = frames_of([packet(1, 35)])
    for later, found in ((SECOND, 1), (SECOND + 1, 0)):
        extraction = Extraction(256, near=SECOND)
        extraction.add(*_at(frames[0], 0))
        extraction.add(*_at(frames[1], later))
        assert len(wanted(extraction.completed)) == found


def _at(frame: Frame, at: int) -> tuple[int, int, bool, int, bytes]:
    count, pointer, zone = frame
    return count, at, True, pointer, zone


def test_a_part_of_a_packet_waits_for_its_frame_among_the_kept_ones_and_no_longer() -> None:
    extraction = Extraction(1 << 24)
    first, second, *_ = frames_of([packet(1, 35)])
    extraction.add(*_at(first, 0))
    for other in range(KEPT_FRAMES + 40):
        extraction.add(1000 + other, other, True, NO_PACKET_START, b"\x00" * ZONE)
    assert extraction.chains == {}
    extraction.add(*_at(second, 10_000))
    assert extraction.completed == []


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Frame], list[bytes]]:
    lengths = draw(st.lists(st.integers(7, 70), min_size=1, max_size=12))
    packets = [packet(number, octets) for number, octets in enumerate(lengths)]
    frames = frames_of(packets, zone=draw(st.integers(7, 40)), count=draw(st.integers(0, 255)))
    lost = draw(st.sets(st.integers(0, len(frames) - 1), max_size=2))
    return [one for place, one in enumerate(frames) if place not in lost], packets


@given(streams(), st.data())
def test_any_order_of_arrival_gives_the_same_packets(
    stream: tuple[list[Frame], list[bytes]], data: st.DataObject
) -> None:
    frames, packets = stream
    timed = list(enumerate(frames))
    straight, swapped = Extraction(256), Extraction(256)
    for extraction, order in ((straight, timed), (swapped, data.draw(st.permutations(timed)))):
        for at, frame in order:
            extraction.add(*_at(frame, at))
    assert sorted(swapped.completed) == sorted(straight.completed)
    assert set(wanted(straight.completed)) <= set(packets)


@given(streams())
def test_a_packet_is_complete_once_and_in_its_order_wherever_frames_are_lost(
    stream: tuple[list[Frame], list[bytes]],
) -> None:
    frames, packets = stream
    found = wanted(extract(frames))
    assert found == [one for one in packets if one in found]


@given(streams(), st.data())
def test_a_state_saved_and_restored_after_any_frame_gives_the_same_packets(
    stream: tuple[list[Frame], list[bytes]], data: st.DataObject
) -> None:
    frames, _ = stream
    order = data.draw(st.permutations(list(enumerate(frames))))
    cut = data.draw(st.integers(0, len(order)))
    straight, before, after = Extraction(256), Extraction(256), Extraction(256)
    for at, frame in order:
        straight.add(*_at(frame, at))
    slots = {}
    for at, frame in order[:cut]:
        before.add(*_at(frame, at))
        slots.update(before.take_changes())
    stored = orjson.loads(orjson.dumps({str(slot): value for slot, value in slots.items() if value is not None}))
    after.restore(before.order, before.latest, stored.values())
    for at, frame in order[cut:]:
        after.add(*_at(frame, at))
    assert before.completed + after.completed == straight.completed


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2047), st.binary(max_size=40)), max_size=30))
def test_random_zones_and_pointers_never_raise(frames: list[Frame]) -> None:
    for one in extract(frames):
        assert len(one.octets) == int.from_bytes(one.octets[4:6], "big") + 7
