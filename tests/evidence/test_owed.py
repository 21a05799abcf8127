"""What is owed is found by its interval."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.owed import OwedMap

keys = st.tuples(st.sampled_from(["rover-a", "rover-b"]), st.just(0), st.integers(0, 50), st.integers(0, 50))
intervals = st.lists(keys.map(lambda key: (key[0], key[1], min(key[2:]), max(key[2:]))), max_size=30)


@given(intervals, st.lists(st.integers(0, 29), max_size=10), st.integers(-1, 51), st.integers(-1, 51))
def test_what_reaches_into_an_interval_is_found_and_what_is_settled_is_not(
    owed: list[tuple[str, int, int, int]], settled: list[int], since: int, until: int
) -> None:
    made = OwedMap(lambda key: key[2], lambda at: None)
    for key in owed:
        made.add(key, 1)
    for number in settled:
        if number < len(owed) and owed[number] in made.values:
            made.remove(owed[number])
    expected = {key for key in made.values if key[3] > since and key[2] < until}
    assert set(made.reaching(since, until)) == expected
    assert set(made.reaching(since, until, "rover-a")) == {key for key in expected if key[0] == "rover-a"}
