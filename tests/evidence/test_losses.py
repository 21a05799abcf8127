"""Stretches of heavy loss: what is kept from before is what reckoning everything anew gives."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.losses import HeavyLoss, Measure, Stretch
from pipeline.evidence.runs import RunMap
from pipeline.records import SECOND

P = SECOND // 10
KEY = (168, 0, True, 1 << 24)
MEASURE = Measure(
    period=P, window=2 * SECOND, silence=SECOND // 2, missing_share=0.5, due_share=0.5, apart=SECOND
)  # fmt: skip


def received(made: RunMap, numbers: list[int]) -> None:
    for number in numbers:
        made.add_frames(KEY, KEY[-1], [number * P], [number])


def anew(made: RunMap) -> list[Stretch]:
    return HeavyLoss(MEASURE).stretches(list(made.gaps(KEY, P).found), 0)


def stretches(numbers: list[int]) -> list[Stretch]:
    made = RunMap(SECOND)
    received(made, numbers)
    return anew(made)


def test_every_second_frame_lost_for_three_seconds_is_a_stretch() -> None:
    (one,) = stretches([*range(100), *range(100, 130, 2), *range(130, 200)])
    assert 118 * P <= one.first <= 121 * P
    assert one.until == 129 * P
    assert (one.missing, one.due) == (10, 20)


def test_a_silence_of_five_seconds_is_no_loss() -> None:
    assert stretches([*range(100), *range(150, 200)]) == []


def test_one_frame_in_twenty_lost_is_no_stretch() -> None:
    assert stretches([number for number in range(4_000) if number % 20]) == []


def test_nothing_but_losses_next_to_a_silence_says_nothing() -> None:
    """One frame due and lost between two silences is not half of the link."""
    assert stretches([*range(50), 70, 72, *range(95, 200)]) == []


@given(numbers=st.lists(st.integers(0, 500), max_size=300), asked=st.sets(st.integers(0, 300)))
def test_what_is_kept_from_before_is_what_everything_anew_gives(numbers: list[int], asked: set[int]) -> None:
    made, kept = RunMap(SECOND), HeavyLoss(MEASURE)
    for place, number in enumerate(numbers):
        received(made, [number])
        if place in asked or place == len(numbers) - 1:
            gaps = made.gaps(KEY, P)
            found = list(kept.stretches(gaps.found, gaps.unchanged))
            gaps.unchanged = len(gaps.found)
            assert found == anew(made)
