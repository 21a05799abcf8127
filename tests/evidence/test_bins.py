"""Receptions by the tenth of a second: where much of them was bad."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.bins import BIN, BINS_IN_CHUNK, BINS_IN_PART, OPEN_CHUNKS, BinMap, Crowd

WINDOW, LEAST = 10, 5
EDGE = 3 * BINS_IN_CHUNK
"""The first bin of a chunk."""

Bins = dict[int, tuple[int, int]]
"""Number → (receptions, bad among them)."""

bins = st.dictionaries(
    st.integers(EDGE - 30, EDGE + 30), st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda n: (max(n), n[0]))
)


def filled(said: Bins) -> BinMap:
    made = BinMap()
    for number, counts in said.items():
        made.add("rover-a", number, *counts)
    return made


def ends(crowds: Iterable[Crowd]) -> set[int]:
    """The last bins of all windows in them."""
    return {end for crowd in crowds for end in range(crowd.since, crowd.until + 1)}


def expected(said: Bins) -> set[int]:
    found = set()
    for end in range(EDGE - 60, EDGE + 60):
        inside = [said.get(number, (0, 0)) for number in range(end - WINDOW + 1, end + 1)]
        heard, bad = sum(one[0] for one in inside), sum(one[1] for one in inside)
        if bad >= LEAST and 2 * bad >= heard:
            found.add(end)
    return found


@given(bins)
def test_a_window_with_five_bad_and_half_of_all_bad_is_found_also_across_two_chunks(said: Bins) -> None:
    crowds = list(filled(said).crowds("rover-a", WINDOW, LEAST))
    assert ends(crowds) == expected(said)
    for crowd in crowds:
        inside = [n for n, (_, bad) in said.items() if bad and crowd.since - WINDOW < n <= crowd.until]
        assert crowd.last_bad == max(inside)


@given(bins, bins)
def test_what_is_derived_is_no_other_for_having_been_asked_before(before: Bins, after: Bins) -> None:
    asked = filled(before)
    list(asked.crowds("rover-a", WINDOW, LEAST))
    for number, counts in after.items():
        asked.add("rover-a", number, *counts)
    fresh = filled(before)
    fresh.merge(filled(after))
    assert list(asked.crowds("rover-a", WINDOW, LEAST)) == list(fresh.crowds("rover-a", WINDOW, LEAST))


@given(bins)
def test_what_was_stored_finds_the_same(said: Bins) -> None:
    stored, restored = filled(said), BinMap()
    for link, part in {("rover-a", number // BINS_IN_PART) for number in said}:
        restored.load(link, part, stored.dump(link, part))
    assert list(restored.crowds("rover-a", WINDOW, LEAST)) == list(stored.crowds("rover-a", WINDOW, LEAST))


def test_a_link_on_which_nothing_was_bad_has_no_crowds() -> None:
    assert list(filled({EDGE: (9, 0)}).crowds("rover-a", WINDOW, LEAST)) == []
    assert list(filled({EDGE: (9, 9)}).crowds("rover-b", WINDOW, LEAST)) == []


def test_what_was_not_asked_for_lately_is_kept_packed_and_is_the_same() -> None:
    days = {number * BINS_IN_CHUNK + number: (number % 7, number % 3) for number in range(3 * OPEN_CHUNKS)}
    whole = filled(days)
    found = {number: whole.count("rover-a", number * BIN, (number + 1) * BIN) for number in days}
    assert found == days
    assert {key[1] for key, rows in whole.items() if rows.any()} == {
        n // BINS_IN_CHUNK for n, counts in days.items() if any(counts)
    }
