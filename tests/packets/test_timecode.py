"""Time codes without their P-field."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.packets.timecode import DAY, SECOND, day_segmented, unsegmented


def test_seconds_and_a_binary_fraction() -> None:
    assert unsegmented(bytes.fromhex("0000000a8000"), 4, 2) == 10_500_000_000
    assert unsegmented(bytes.fromhex("0000000a"), 4, 0) == 10 * SECOND
    assert unsegmented(bytes.fromhex("0001"), 1, 1) == 3_906_250


def test_a_fraction_is_rounded_to_the_nearest_nanosecond() -> None:
    # 1 of 2^16 is 15,258.789 ns; 1 of 2^24 is 59.605 ns.
    assert unsegmented(bytes.fromhex("000000000001"), 4, 2) == 15_259
    assert unsegmented(bytes.fromhex("00000000000001"), 4, 3) == 60


def test_18_january_2024_is_day_24123_since_1958() -> None:
    days = (dt.date(2024, 1, 18) - dt.date(1958, 1, 1)).days
    assert days == 24_123
    assert day_segmented((24_123).to_bytes(2, "big") + (43_200_000).to_bytes(4, "big")) == days * DAY + DAY // 2


def test_microseconds_and_picoseconds_of_a_millisecond() -> None:
    noon = bytes(2) + (1).to_bytes(4, "big")
    assert day_segmented(noon + (250).to_bytes(2, "big"), 2, 2) == 1_250_000
    assert day_segmented(noon + (250_000_000).to_bytes(4, "big"), 2, 4) == 1_250_000
    assert day_segmented(b"\x01\x00\x00" + bytes(4), 3) == 65_536 * DAY


def test_a_leap_second_is_a_time_and_a_millisecond_beyond_it_is_none() -> None:
    assert day_segmented(bytes(2) + (86_400_999).to_bytes(4, "big")) == DAY + 999_000_000
    assert day_segmented(bytes(2) + (86_401_000).to_bytes(4, "big")) is None


@pytest.mark.parametrize("octets", range(6))
def test_fewer_octets_than_the_code_has_are_no_time(octets: int) -> None:
    assert unsegmented(bytes(octets), 4, 2) is None
    assert day_segmented(bytes(octets)) is None


@given(st.integers(0, (1 << 32) - 1), st.integers(0, 3))
def test_whole_seconds_are_exact_whatever_the_fraction_s_length(seconds: int, fraction: int) -> None:
    assert unsegmented(seconds.to_bytes(4, "big") + bytes(fraction), 4, fraction) == seconds * SECOND
