"""The primary header of a space packet, on octets made elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.packets.space_packet import IDLE_APID, read_primary_header


def test_golden_packet_with_a_secondary_header() -> None:
    header = read_primary_header(bytes.fromhex("0923c02a0013"))
    assert header is not None
    assert (header.version, header.is_command, header.has_secondary_header) == (0, False, True)
    assert (header.apid, header.sequence_flags, header.sequence_count, header.octets) == (0x123, 3, 42, 26)


def test_golden_idle_packet_of_ten_octets_of_data() -> None:
    header = read_primary_header(bytes.fromhex("07ffc0000009"))
    assert header is not None
    assert (header.apid, header.sequence_count, header.octets) == (IDLE_APID, 0, 16)
    assert IDLE_APID == 2047


@pytest.mark.parametrize(("flags", "word"), [(0, "continuation"), (1, "first"), (2, "last"), (3, "unsegmented")])
def test_every_sequence_flag_is_its_own_number(flags: int, word: str) -> None:
    header = read_primary_header(bytes((0, 1, flags << 6, 0, 0, 0)))
    assert header is not None
    assert header.sequence_flags == flags, word


def test_the_highest_of_every_field() -> None:
    header = read_primary_header(b"\xff" * 6)
    assert header == (7, True, True, 2047, 3, 16383, 65_542)


@given(st.binary(max_size=12))
def test_fewer_octets_than_a_header_are_none(octets: bytes) -> None:
    assert (read_primary_header(octets) is None) is (len(octets) < 6)
