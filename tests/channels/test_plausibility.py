"""Whether a frame can be what it says, by its count and the time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.channels.history import Reference
from pipeline.channels.plausibility import confirms, is_plausible, signed
from pipeline.records import SECOND

PERIOD = SECOND // 10


@pytest.mark.parametrize(
    ("difference", "modulus", "nearest"),
    [(0, 256, 0), (1, 256, 1), (255, 256, -1), (127, 256, 127), (128, 256, -128), (-1, 256, -1), (1 << 24, 1 << 24, 0)],
)
def test_a_difference_of_counts_is_the_nearest_of_forward_and_backward(
    difference: int, modulus: int, nearest: int
) -> None:
    assert signed(difference, modulus) == nearest


@given(st.integers(0, (1 << 24) - 1), st.integers(-300, 300), st.sampled_from([256, 1 << 24, 1 << 28]))
def test_a_frame_where_time_expects_it_is_plausible_whatever_the_count(count: int, ahead: int, modulus: int) -> None:
    reference = Reference(0, count % modulus, PERIOD)
    assert is_plausible(reference, (count + ahead) % modulus, ahead * PERIOD, modulus, PERIOD)
    assert confirms(reference, (count + ahead) % modulus, ahead * PERIOD, modulus, PERIOD)


@pytest.mark.parametrize("count", [70_000, 8_000_000, (1 << 24) - 70_000])
def test_a_count_far_from_where_time_expects_it_is_not_plausible(count: int) -> None:
    assert not is_plausible(Reference(0, 0, PERIOD), count, 5 * PERIOD, 1 << 24, PERIOD)


def test_a_sender_that_paused_goes_on_with_the_next_count() -> None:
    assert is_plausible(Reference(0, 1000, PERIOD), 1001, 25 * SECOND, 1 << 24, PERIOD)


def test_without_a_period_an_8_bit_count_proves_nothing() -> None:
    assert is_plausible(Reference(0, 0, None), 128, SECOND, 256, None)
    assert not is_plausible(Reference(0, 0, None), 8_000_000, SECOND, 1 << 24, None)


def test_two_frames_confirm_each_other_only_closely() -> None:
    first = Reference(0, 5_000_000, None)
    assert confirms(first, 5_000_001, PERIOD, 1 << 24, PERIOD)
    assert not confirms(first, 5_000_200, PERIOD, 1 << 24, PERIOD)


def test_a_frame_of_noise_is_not_confirmed_by_a_count_that_came_round_to_it() -> None:
    noise = Reference(0, 128, None)  # where 0 was due
    assert confirms(noise, 129, PERIOD, 256, PERIOD)
    assert not confirms(noise, 130, 130 * PERIOD, 256, PERIOD)
