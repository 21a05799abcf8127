"""40 minutes at 50 frames a second with 5 % of them lost."""

from functools import cache

import pytest

from pipeline.mission.model import FrameFormat
from pipeline.outputs import Flight
from tests.long_flight import Outcome, fly

LARGEST_ENTRY = 64 * 1024


@cache
def flown(minutes: float, frame_format: FrameFormat) -> Outcome:
    return fly(minutes, frame_format)


LENGTHS = pytest.mark.parametrize("minutes, frame_format", [(40, "tm"), (4, "aos")])


@LENGTHS
def test_every_entry_of_both_states_stays_under_64_kib(minutes, frame_format):
    largest = flown(minutes, frame_format).largest
    assert set(largest) == {"decode", "watch"}
    assert all(0 < octets < LARGEST_ENTRY for octets in largest.values()), largest


@LENGTHS
def test_what_is_missing_is_counted_exactly(minutes, frame_format):
    outcome = flown(minutes, frame_format)
    assert outcome.missing > 0.04 * outcome.received
    assert (outcome.accounting["received"], outcome.accounting["missing"]) == (outcome.received, outcome.missing)
    assert not outcome.accounting["ambiguous"]
    (flight,) = {one.name: one for one in outcome.outputs if isinstance(one, Flight) and one.name}.values()
    assert flight.facts["state"] == "landed"


@LENGTHS
def test_five_percent_of_loss_raises_nothing(minutes, frame_format):
    assert flown(minutes, frame_format).alerts == set()


def test_the_state_grows_by_a_few_octets_a_loss_and_not_by_the_frame():
    short, long = flown(4, "aos"), flown(40, "tm")
    assert sum(long.stored.values()) < 512 * 1024
    assert sum(long.stored.values()) / long.received < sum(short.stored.values()) / short.received
