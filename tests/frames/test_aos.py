"""AOS Transfer Frames: octets made elsewhere, boundaries, and that nothing a link does raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.frames import aos, check
from pipeline.frames.frame import NO_PACKET_START, ONLY_IDLE_DATA, REASONS, Managed

# FORMATS.md: SCID 0xA8, VC 1, count 0xFFFFFF, cycle 3 in use; and VC 63, count 0.
WITH_CYCLE = bytes.fromhex("6a01ffffff43")
IDLE = bytes.fromhex("6a3f00000000")
PLAIN = bytes.fromhex("6a0100000700")


def with_check(octets: bytes) -> bytes:
    return octets + check.frame_error_control_field(octets).to_bytes(2, "big")


def frame(header: bytes, after: bytes = b"\x00\x00", length: int = 64) -> bytes:
    start = header + after
    return with_check(start + b"\x55" * (length - 2 - len(start)))


MANAGED = Managed(frame_length=64)


def test_golden_header_with_a_frame_count_cycle_has_a_count_of_28_bits() -> None:
    frames = aos.read([frame(WITH_CYCLE)], MANAGED)
    assert frames.reasons == [None]
    assert (frames.scids, frames.vcids) == ([0xA8], [1])
    assert frames.virtual_channel_frame_counts == [0x3FFFFFF]
    assert frames.moduli == [268_435_456]
    assert (frames.zone_starts, frames.zone_ends) == ([8], [62])
    assert frames.first_header_pointers == [0]
    assert frames.replayed == [False]


def test_golden_idle_channel_63_is_only_idle_data_whatever_its_pointer_says() -> None:
    frames = aos.read([frame(IDLE, b"\x00\x00"), frame(IDLE, b"\x55\x55")], MANAGED)
    assert frames.reasons == [None, None]
    assert frames.vcids == [63, 63]
    assert frames.first_header_pointers == [ONLY_IDLE_DATA, ONLY_IDLE_DATA]
    assert frames.virtual_channel_frame_counts == [0, 0]


def test_without_the_cycle_the_count_has_24_bits() -> None:
    frames = aos.read([frame(bytes.fromhex("6a01ffffff03"))], MANAGED)
    assert frames.virtual_channel_frame_counts == [16_777_215], "the cycle field means nothing where it is not in use"
    assert frames.moduli == [16_777_216]


@pytest.mark.parametrize(
    ("pointer", "read"), [(b"\x07\xfe", ONLY_IDLE_DATA), (b"\x07\xff", NO_PACKET_START), (b"\xf8\x05", 5)]
)
def test_the_special_pointers_are_those_of_tm_and_spare_bits_mean_nothing(pointer: bytes, read: int) -> None:
    frames = aos.read([frame(PLAIN, pointer)], MANAGED)
    assert (frames.reasons, frames.first_header_pointers) == ([None], [read])


def test_the_replay_flag_marks_played_back_data() -> None:
    assert aos.read([frame(bytes.fromhex("6a0100000780"))], MANAGED).replayed == [True]


@pytest.mark.parametrize("spare", ["10", "20", "30"])
def test_spare_bits_that_are_not_0_are_implausible_in_b4(spare: str) -> None:
    assert aos.read([frame(bytes.fromhex(f"6a01000007{spare}"))], MANAGED).reasons == ["implausible"]


def test_length_then_check_then_version_then_fields() -> None:
    tm_version = bytes.fromhex("0a0100000730")
    wrong_check = frame(tm_version)[:-1] + b"\x00"
    frames = aos.read([frame(tm_version)[:-1], wrong_check, frame(tm_version)], MANAGED)
    assert frames.reasons == ["length", "fecf", "version"]


def test_insert_zone_header_check_and_control_field_are_no_packet_data() -> None:
    managed = Managed(
        frame_length=64, insert_zone_octets=8, frame_header_error_control=True, operational_control_field=True
    )
    frames = aos.read([frame(PLAIN, bytes(10) + b"\x00\x05")], managed)
    assert (frames.zone_starts, frames.zone_ends) == ([18], [58])
    assert frames.first_header_pointers == [5]


def test_spacecraft_0_is_spacecraft_0() -> None:
    frames = aos.read([frame(bytes.fromhex("400000000700"))], MANAGED)
    assert (frames.reasons, frames.scids, frames.vcids) == ([None], [0], [0])


@pytest.mark.parametrize("length", range(10))
def test_a_managed_length_that_holds_no_headers_takes_no_frame(length: int) -> None:
    assert aos.read([bytes(length)], Managed(frame_length=length)).reasons == ["length"]


def test_a_frame_without_any_data_is_taken_and_no_packet_starts_in_it() -> None:
    frames = aos.read([with_check(PLAIN + b"\x00\x00")], Managed(frame_length=10))
    assert frames.reasons == [None]
    assert frames.first_header_pointers == [NO_PACKET_START]


@given(st.lists(st.binary(max_size=80), max_size=6), st.integers(0, 80), st.booleans(), st.integers(0, 20))
def test_random_octets_never_raise_and_every_frame_has_one_reason_or_none(
    octets: list[bytes], length: int, fecf: bool, insert_zone: int
) -> None:
    octets = [one[:length].ljust(length, b"\x00") if place % 2 else one for place, one in enumerate(octets)]
    octets = [b"\x4a" + one[1:] if one else one for one in octets]
    managed = Managed(frame_length=length, frame_error_control_field=fecf, insert_zone_octets=insert_zone)
    frames = aos.read(octets, managed)
    assert len(frames.reasons) == len(octets)
    for place, reason in enumerate(frames.reasons):
        assert reason is None or reason in REASONS
        if reason is None:
            assert 0 <= frames.zone_starts[place] <= frames.zone_ends[place] <= length
            assert 0 <= frames.virtual_channel_frame_counts[place] < frames.moduli[place]
