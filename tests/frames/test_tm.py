"""TM Transfer Frames: octets made elsewhere, boundaries, and that nothing a link does raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.frames import check, tm
from pipeline.frames.frame import NO_PACKET_START, ONLY_IDLE_DATA, REASONS, Managed

# FORMATS.md: SCID 0xA8, VC 1, master channel count 5, virtual channel count 7.
STARTS_AT_0 = bytes.fromhex("0a8205071800")
NONE_STARTS = bytes.fromhex("0a8205071fff")
ONLY_IDLE = bytes.fromhex("0a8205071ffe")


def with_check(octets: bytes) -> bytes:
    return octets + check.frame_error_control_field(octets).to_bytes(2, "big")


def frame(header: bytes, length: int = 64) -> bytes:
    """A frame of that length in all, filled with 0x55, with its check."""
    return with_check(header + b"\x55" * (length - 2 - len(header)))


def managed(length: int = 64, *, fecf: bool = True) -> Managed:
    return Managed(frame_length=length, frame_error_control_field=fecf)


@pytest.mark.parametrize(
    ("header", "pointer"), [(STARTS_AT_0, 0), (NONE_STARTS, NO_PACKET_START), (ONLY_IDLE, ONLY_IDLE_DATA)]
)
def test_golden_headers(header: bytes, pointer: int) -> None:
    frames = tm.read([frame(header)], managed())
    assert frames.reasons == [None]
    assert frames.scids == [0xA8]
    assert frames.vcids == [1]
    assert frames.virtual_channel_frame_counts == [7], "not the master channel's, which is 5"
    assert frames.moduli == [256]
    assert frames.first_header_pointers == [pointer]
    assert (frames.zone_starts, frames.zone_ends) == ([6], [62])
    assert frames.replayed == [False]


def test_an_only_idle_frame_of_64_octets_filled_with_55_ends_in_19fa() -> None:
    assert frame(ONLY_IDLE)[-2:].hex() == "19fa"
    assert tm.read([ONLY_IDLE + b"\x55" * 56 + b"\x19\xfa"], managed()).reasons == [None]


def test_spacecraft_0_is_spacecraft_0() -> None:
    frames = tm.read([frame(bytes.fromhex("000000001800"))], managed())
    assert (frames.reasons, frames.scids, frames.vcids) == ([None], [0], [0])


def test_the_highest_of_every_field() -> None:
    frames = tm.read([frame(bytes.fromhex("3ffeffff1fff"))], managed())
    assert (frames.reasons, frames.scids, frames.vcids) == ([None], [1023], [7])
    assert frames.virtual_channel_frame_counts == [255]


def test_a_frame_of_2048_octets_is_taken() -> None:
    frames = tm.read([frame(STARTS_AT_0, 2048)], managed(2048))
    assert frames.reasons == [None]
    assert frames.zone_ends == [2046]


@pytest.mark.parametrize("length", [0, 1, 5, 6, 63, 65, 128])
def test_any_other_length_than_the_managed_one_is_bad_by_its_length(length: int) -> None:
    assert tm.read([bytes(length)], managed()).reasons == ["length"]


@pytest.mark.parametrize("length", range(8))
def test_a_managed_length_shorter_than_header_and_check_takes_no_frame(length: int) -> None:
    assert tm.read([bytes(length)], managed(length)).reasons == ["length"]


def test_a_frame_that_is_header_and_check_and_nothing_else_is_taken_and_has_no_packets() -> None:
    frames = tm.read([with_check(STARTS_AT_0)], managed(8))
    assert frames.reasons == [None]
    assert frames.zone_starts == frames.zone_ends == [6]
    assert frames.first_header_pointers == [NO_PACKET_START]


def test_length_then_check_then_version_then_fields() -> None:
    version_1 = bytes.fromhex("4a8205071800")
    wrong_check = frame(version_1)[:-1] + b"\x00"
    frames = tm.read([frame(version_1)[:-1], wrong_check, frame(version_1)], managed())
    assert frames.reasons == ["length", "fecf", "version"]


def test_without_a_managed_check_the_last_two_octets_are_data() -> None:
    octets = STARTS_AT_0 + bytes(58)
    frames = tm.read([octets], managed(fecf=False))
    assert frames.reasons == [None]
    assert frames.zone_ends == [64]


def test_the_operational_control_field_is_no_packet_data() -> None:
    frames = tm.read([frame(bytes.fromhex("0a8305071800"))], managed())
    assert frames.vcids == [1], "the flag beside the VCID is not part of it"
    assert frames.zone_ends == [58]


@pytest.mark.parametrize(("length_field", "start"), [(0, 7), (3, 10), (54, 61), (55, 62), (63, 62)])
def test_a_secondary_header_is_no_packet_data_however_long_it_says_it_is(length_field: int, start: int) -> None:
    frames = tm.read([frame(bytes.fromhex("0a8205079800") + bytes((length_field,)))], managed())
    assert frames.reasons == [None]
    assert frames.zone_starts == [start]
    assert frames.first_header_pointers == [0 if start < 62 else NO_PACKET_START]


def test_a_virtual_channel_access_frame_carries_no_packets() -> None:
    frames = tm.read([frame(bytes.fromhex("0a8205075800"))], managed())
    assert frames.reasons == [None]
    assert frames.zone_starts == frames.zone_ends
    assert frames.first_header_pointers == [NO_PACKET_START]


def test_every_frame_of_a_record_is_read_from_its_own_start() -> None:
    """An index into the record and not into the frame is right only for the first."""
    octets = [frame(STARTS_AT_0[:3] + bytes((count,)) + STARTS_AT_0[4:]) for count in (7, 8, 9)]
    assert tm.read(octets, managed()).virtual_channel_frame_counts == [7, 8, 9]


def test_a_bad_frame_between_good_ones_spoils_none() -> None:
    frames = tm.read([frame(STARTS_AT_0), b"", frame(ONLY_IDLE)], managed())
    assert frames.reasons == [None, "length", None]
    assert frames.first_header_pointers[2] == ONLY_IDLE_DATA


@given(st.lists(st.binary(max_size=80), max_size=6), st.integers(0, 80), st.booleans())
def test_random_octets_never_raise_and_every_frame_has_one_reason_or_none(
    octets: list[bytes], length: int, fecf: bool
) -> None:
    octets = [one[:length].ljust(length, b"\x00") if place % 2 else one for place, one in enumerate(octets)]
    frames = tm.read(octets, managed(length, fecf=fecf))
    assert len(frames.reasons) == len(octets)
    for place, reason in enumerate(frames.reasons):
        assert reason is None or reason in REASONS
        if reason is None:
            assert 0 <= frames.zone_starts[place] <= frames.zone_ends[place] <= length
            assert 0 <= frames.scids[place] < 1024
            assert 0 <= frames.virtual_channel_frame_counts[place] < 256
