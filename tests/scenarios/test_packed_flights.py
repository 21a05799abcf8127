"""Flights with several packets a frame, two relays and other orders: a few of the thousands that `make bench` flies."""

import pytest

from tests.packed_flights import faults, make

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ends_early", [True, False])
def test_a_flight_that_ends_early_is_told_and_one_that_lands_is_not(seed: int, ends_early: bool) -> None:
    assert faults(make(seed, ends_early=ends_early)) == []
