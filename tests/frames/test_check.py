"""The frame error control field."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.frames import check


def test_the_check_value_over_123456789_is_29b1() -> None:
    assert check.frame_error_control_field(b"123456789") == 0x29B1


def test_a_frame_with_its_check_has_remainder_0() -> None:
    assert check.passes(b"123456789\x29\xb1")
    assert not check.passes(b"123456789\x29\xb0")


def test_failing_names_the_places_of_bad_frames() -> None:
    good = b"123456789\x29\xb1"
    assert check.failing([good, b"x" + good[1:], good, good[:-1] + b"\x00"]) == [1, 3]


@given(st.binary(min_size=1, max_size=64), st.data())
def test_a_single_turned_bit_is_always_found(octets: bytes, data: st.DataObject) -> None:
    frame = bytearray(octets + check.frame_error_control_field(octets).to_bytes(2, "big"))
    assert check.passes(bytes(frame))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    assert not check.passes(bytes(frame))
