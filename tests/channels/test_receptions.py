"""How many receptions a link had in each tenth of a second."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.channels.receptions import BIN, Receptions
from pipeline.records import SECOND, Times


def at(times: list[int]) -> Times:
    return np.array(times, np.int64)


def test_totals_run_on_and_a_reception_found_bad_later_is_one_of_them() -> None:
    receptions = Receptions()
    receptions.received(at([0, SECOND // 20, SECOND]))
    assert receptions.take_touched() == ((0, 2, 0), (10, 1, 0))
    assert receptions.take_touched() == ()
    receptions.found_bad(5)
    receptions.received(at([SECOND + 1]))
    assert receptions.take_touched() == ((0, 2, 1), (10, 2, 0))


def test_a_tenth_ends_before_the_next_begins_also_before_1970() -> None:
    receptions = Receptions()
    receptions.received(at([SECOND // 10 - 1, SECOND // 10, -1]))
    assert receptions.take_touched() == ((-1, 1, 0), (0, 1, 0), (1, 1, 0))


def test_totals_stored_and_restored_run_on() -> None:
    receptions = Receptions()
    receptions.received(at([0, 1, 200 * SECOND]))
    receptions.found_bad(0)
    stored = dict(receptions.chunks.take_changes())
    again = Receptions()
    again.chunks.restore({(int(name.split("/")[1]), int(name.split("/")[2])): part for name, part in stored.items()})
    again.received(at([2]))
    assert again.take_touched() == ((0, 3, 1),)


def test_more_receptions_in_a_tenth_than_16_bits_hold_are_counted() -> None:
    receptions = Receptions()
    receptions.received(at([0] * 70_000))
    stored = dict(receptions.chunks.take_changes())
    again = Receptions()
    again.chunks.restore({(0, 0): stored["bins/0/0"]})
    again.found_bad(0)
    assert again.take_touched() == ((0, 70_000, 1),)


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 3 * SECOND), min_size=1, max_size=200))
def test_many_at_once_are_counted_as_they_are_one_by_one(times: list[int]) -> None:
    together, alone = Receptions(), Receptions()
    together.received(at(times))
    for one in times:
        alone.received(at([one]))
    assert dict(together.chunks.take_changes()) == dict(alone.chunks.take_changes())
    totals = together.take_touched()
    assert totals == alone.take_touched()
    assert {number: receptions for number, receptions, _ in totals} == Counter(one // BIN for one in times)
