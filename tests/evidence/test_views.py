"""What is said to be news: nothing that is kept of an earlier instant has changed."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.evidence.samples import Entry
from pipeline.evidence.segments import SegmentMap
from pipeline.evidence.stretches import sample_stretches
from pipeline.evidence.views import Views
from tests.evidence.test_stretches import empty
from tests.link import START, Receiver, Sender, decoded, mission

GAP = 5

KEYS = [(42, "hover", "flight", False), (42, "climb", "flight", False), (42, "landed", "ground", True)]
said = st.tuples(st.sampled_from([*3 * KEYS[:1], *KEYS[1:]]), st.sampled_from([None, 1.0, 2.0, 3.0]))
one_after_another = st.lists(st.tuples(st.sampled_from([*12 * [1], 0, GAP + 1]), said), min_size=20, max_size=60)
"""Mostly so many that only some of them are kept, each so long after the one before it."""


def shown(entries: Sequence[Entry], until: int) -> list[Any]:
    """All that can be found in a line without looking beyond an instant."""
    return [
        (
            entry.key,
            entry.segment.first,
            min(entry.segment.last, until + 1),
            [values for values in entry.kept(set()) if values.at <= until],
            sorted(point for point in entry.segment.payload[2] if point[1] <= until),
        )
        for entry in entries
        if entry.segment.first <= until
    ]


@example(steps=20 * [(1, (KEYS[0], None))], late=[(10, (KEYS[0], 3.0))])
@example(steps=12 * [(1, (KEYS[1], 1.0)), (0, (KEYS[0], 1.0))], late=[])
@given(steps=one_after_another, late=st.lists(st.tuples(st.integers(0, 60), said), max_size=8))
def test_a_sample_changes_nothing_before_the_instant_of_which_something_is_new(steps: Any, late: Any) -> None:
    views = Views(GAP)
    grown = SegmentMap(GAP, follow=views.follow_samples)
    instants = accumulate(step for step, _ in steps)
    for at, (key, altitude) in [*zip(instants, (one for _, one in steps), strict=True), *late]:
        lines = (views.samples, views.flying, views.ground, views.down)
        number, before = views.news.number, [tuple(line.entries) for line in lines]
        row = [[at], [at], [altitude], [None], *([part] for part in key)]
        for name, stretch in sample_stretches(row, GAP, live=True):
            grown.add(name, *stretch)
        until = views.news.since(number) - 1
        assert [shown(was, until) for was in before] == [shown(line.entries, until) for line in lines]


def test_a_sample_that_only_goes_on_is_no_news_of_the_beginning() -> None:
    views = Views(GAP)
    grown = SegmentMap(GAP, follow=views.follow_samples)
    for at in range(100):
        number = views.news.number
        for name, stretch in sample_stretches(
            [[at], [at], [2.0], [0.0], *([part] for part in KEYS[0])], GAP, live=True
        ):
            grown.add(name, *stretch)
    assert views.news.since(number) == 94


def test_a_session_that_turns_out_to_be_reported_is_another_context() -> None:
    """Until then its frames said how far it was listened to."""
    evidence, receiver = empty(), Receiver()
    heard, listened = decoded([receiver.frames(Sender().frames(range(5))), receiver.listened(0.0, 1.0)], mission())[1]
    evidence.absorb(heard)
    assert evidence.views.unreported == {(receiver.link, START)}
    before = evidence.views.context
    evidence.absorb(listened)
    assert not evidence.views.unreported
    assert evidence.views.context > before
