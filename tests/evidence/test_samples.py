"""Samples in the order of time: what a search finds is what a walk over all of them finds."""

from itertools import groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.samples import SampleKey, SampleLine, Values
from pipeline.evidence.segments import SegmentMap, smallest
from pipeline.evidence.views import Views

KEYS = [(42, "hover", "flight", False), (42, "landed", "ground", True)]
GAP = 5

sample = st.tuples(st.sampled_from(KEYS), st.integers(0, 60), st.sampled_from([None, 1, 2]))


def line_of(samples: list[Any]) -> SampleLine:
    views = Views(GAP)
    grown = SegmentMap(GAP, follow=views.follow_samples)
    for key, at, onboard in samples:
        grown.add(key, at, at, (smallest([(at, onboard, None, None)]), smallest([(-at, onboard, None, None)]), (), ()))
    return views.samples


def walked(line: SampleLine, in_conflict: set[int], after: int, until: int | None, wanted: Any) -> list[Values]:
    kept = [
        (values.at, place, number, values)
        for place, entry in enumerate(line.entries)
        if wanted(entry.key)
        for number, values in enumerate(entry.kept(in_conflict))
        if values.at > after and (until is None or values.at <= until)
    ]
    by_instant = groupby(sorted(kept), key=lambda one: one[0])
    return [values for _, those in by_instant for values in dict.fromkeys(one[3] for one in those)]


@given(
    samples=st.lists(sample, min_size=1, max_size=60),
    in_conflict=st.sets(st.integers(0, 60), max_size=3),
    after=st.integers(-1, 60),
    until=st.none() | st.integers(0, 60),
    flying=st.booleans(),
)
def test_samples_come_in_order_each_once_and_none_from_outside_the_interval(
    samples: list[Any], in_conflict: set[int], after: int, until: int | None, flying: bool
) -> None:
    line = line_of(samples)

    def wanted(key: SampleKey) -> bool:
        return not flying or key.state == "flight"

    found = list(line.samples(in_conflict, after, until, wanted))
    assert found == walked(line, in_conflict, after, until, wanted)
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert all(one.at not in in_conflict for one in found)
