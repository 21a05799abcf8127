"""Flights made by chance: a few of the thousands that `make bench` flies."""

from dataclasses import replace

import pytest

from tests.generated import early_end, faults, nominal

SEEDS = range(20_240_118, 20_240_118 + 25)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_nominal_flight_raises_no_alert_in_any_order(seed):
    assert faults(nominal(seed)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_an_early_end_is_raised_at_loss_and_known_one_listening_interval_later_at_most(seed):
    assert faults(early_end(seed)) == []


def test_the_measure_tells_a_miss_a_false_alert_and_a_late_one():
    """What it would say of a program that is wrong."""
    quiet, cut = nominal(1), early_end(1)
    missed = faults(replace(quiet, last_good_at=quiet.scenario.at(10.0)))
    assert [line.rpartition(": ")[2] for line in missed] == ["missed", "missed"]
    assert all("false alert: Flight 72" in line for line in faults(replace(cut, last_good_at=None)))
    late = faults(replace(cut, last_good_at=(cut.last_good_at or 0) - 10**9))
    assert any("s after the last frame; expected" in line for line in late)


def test_a_seed_gives_the_same_flight_again_and_another_seed_another():
    assert early_end(7) == early_end(7)
    assert early_end(7).scenario != early_end(8).scenario


def test_the_flights_differ_in_format_order_period_and_height():
    flights = [make(seed) for make in (nominal, early_end) for seed in range(100, 120)]
    assert {one.scenario.mission.links[0].format for one in flights} == {"tm", "aos"}
    assert len({one.order for one in flights}) >= 4
    assert len({one.scenario.flights[0].period_s for one in flights}) == 4
    heights = [max(part.altitude_m for part in one.scenario.flights[0].profile) for one in flights]
    assert min(heights) < 6 < 18 < max(heights)
