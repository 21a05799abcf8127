"""Each type of evidence joins: in any order, in any grouping, and more than once, the same."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence import stretches as cut
from pipeline.evidence.bins import BinMap
from pipeline.evidence.maxima import MaximumMap
from pipeline.evidence.runs import RunMap
from pipeline.evidence.segments import POINTS_KEPT, SegmentMap, fuse, smallest

GAP = 10
PERIOD = 4

instants = st.integers(0, 200)
stretches = st.tuples(instants, st.integers(0, 30)).map(lambda pair: (pair[0], pair[0] + pair[1]))
segments = st.lists(st.tuples(st.sampled_from("ab"), stretches), max_size=12)
totals = st.lists(st.tuples(st.sampled_from("ab"), st.integers(-5, 5)), max_size=8)
bins = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 12_000), st.integers(1, 9), st.integers(0, 9)), max_size=8
)
frames = st.lists(st.integers(0, 600), max_size=40)
"""Numbers of the frames of one channel that came; the count is the number modulo 256, the time grows with it."""


def segment_map(items: list[tuple[str, tuple[int, int]]]) -> SegmentMap:
    made = SegmentMap(GAP)
    for key, (first, last) in items:
        made.add((key,), first, last, (smallest([(first,), (last,)]),))
    return made


def maximum_map(items: list[tuple[str, int]]) -> MaximumMap:
    made = MaximumMap()
    for key, value in items:
        made.add((key,), value)
    return made


def bin_map(items: list[tuple[str, int, int, int]]) -> BinMap:
    made = BinMap()
    for link, number, heard, bad in items:
        made.add(link, number, heard, min(heard, bad))
    return made


def run_map(numbers: list[int]) -> RunMap:
    made = RunMap(128 * PERIOD)
    for number in numbers:
        made.add_frames(("link", 0, 1, 0, True, 256), 256, [number * PERIOD], [number % 256])
    return made


def content(of: Any) -> object:
    if isinstance(of, SegmentMap):
        return sorted((key, *segment) for key, segment in of.items())
    if isinstance(of, RunMap):
        return sorted((key, tuple(row)) for key, row in of.runs.items())
    if isinstance(of, BinMap):
        return sorted((key, rows.tobytes()) for key, rows in of.items())
    return sorted(of.values.items())


TYPES = [
    pytest.param(segment_map, segments, id="segment map"),
    pytest.param(maximum_map, totals, id="maxima"),
    pytest.param(bin_map, bins, id="bins"),
    pytest.param(run_map, frames, id="runs of counts"),
]


def joined(make: Callable[[Any], Any], *parts: Any) -> Any:
    whole = make([])
    for part in parts:
        whole.merge(make(part) if isinstance(part, list) else part)
    return whole


@pytest.mark.parametrize("make, items", TYPES)
@given(data=st.data())
def test_a_join_is_commutative_associative_and_idempotent(
    make: Callable[[Any], Any], items: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    a, b, c = (data.draw(items) for _ in range(3))
    assert content(joined(make, a, b)) == content(joined(make, b, a))
    assert content(joined(make, joined(make, a, b), c)) == content(joined(make, a, joined(make, b, c)))
    assert content(joined(make, a, a)) == content(joined(make, a))
    assert content(joined(make, a, [])) == content(joined(make, a))


@pytest.mark.parametrize("make, items", TYPES)
@given(data=st.data())
def test_items_in_any_order_and_grouping_give_the_same(
    make: Callable[[Any], Any], items: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    whole = data.draw(items)
    shuffled = data.draw(st.permutations(whole))
    cut = data.draw(st.integers(0, len(shuffled)))
    assert content(joined(make, shuffled[:cut], shuffled[cut:], shuffled[:cut])) == content(joined(make, whole))


@given(times=st.lists(instants, min_size=1), gap=st.integers(0, 20))
def test_a_silence_longer_than_the_gap_keeps_its_two_ends_and_a_shorter_one_vanishes(
    times: list[int], gap: int
) -> None:
    made = SegmentMap(gap)
    for at in times:
        made.add((), at, at)
    ordered = sorted(times)
    silences = [(a, b) for a, b in zip(ordered, ordered[1:], strict=False) if b - a > gap]
    row = made.of(())
    assert [(a.last, b.first) for a, b in zip(row, row[1:], strict=False)] == silences
    assert (row[0].first, row[-1].last) == (ordered[0], ordered[-1])


@given(times=st.lists(instants, min_size=1))
def test_a_segment_keeps_its_five_smallest_points(times: list[int]) -> None:
    made = SegmentMap(1_000)
    for stretch in cut.instants(sorted(times), made.gap):
        made.add((), *stretch)
    assert made.of(())[0].payload == (tuple((at,) for at in sorted(set(times))[:POINTS_KEPT]),)


def test_an_absent_value_among_points_is_ordered_and_never_an_error() -> None:
    assert smallest([(1, 2.0), (1, None), (0, None), (1, 1.0)]) == ((0, None), (1, None), (1, 1.0), (1, 2.0))


@given(items=st.lists(stretches))
def test_fused_stretches_cover_what_their_parts_cover_and_nothing_else(items: list[tuple[int, int]]) -> None:
    fused = fuse(items, 0)
    covered = {at for first, last in items for at in range(first, last)}
    assert {at for first, last in fused for at in range(first, last)} == covered
    assert all(a[1] < b[0] for a, b in zip(fused, fused[1:], strict=False))


@given(numbers=st.sets(st.integers(0, 120), min_size=1), order=st.randoms(use_true_random=False))
def test_runs_of_an_eight_bit_count_hold_every_frame_whatever_the_order(numbers: set[int], order: Any) -> None:
    shuffled = list(numbers)
    order.shuffle(shuffled)
    made = run_map(shuffled)
    assert sum(run.frames for row in made.runs.values() for run in row) == len(numbers)


@given(a=frames, b=frames)
def test_a_union_of_many_is_the_union_of_all(a: list[int], b: list[int]) -> None:
    parts = [run_map([number]) for number in (*a, *b)]
    whole = reduce(lambda left, right: joined(run_map, left, right), parts, run_map([]))
    assert content(whole) == content(run_map([*b, *a]))
