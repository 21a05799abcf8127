"""What is missing between runs of counts, and what a run says of an interval."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.runs import Run, RunMap, gaps_of, period_of, runs_in
from pipeline.records import SECOND
from tests.evidence.test_stretches import channel, empty, telling

P = SECOND // 10
KEY = ("link", 0, 168, 0, True, 256)


def run(first: int, frames: int, modulus: int = 256) -> Run:
    """Frames number `first`, `first` + 1 … of a channel with one frame every period."""
    return Run(first * P, first % modulus, (first + frames - 1) * P, frames)


def missing(*runs: Run, modulus: int = 256, period: float | None = P) -> list[tuple[int, int, bool]]:
    return [(gap.missing, gap.missing_at_least, gap.ambiguous) for gap in gaps_of(list(runs), modulus, period)]


def test_count_255_then_0_is_no_loss() -> None:
    assert missing(run(200, 56), run(256, 10)) == [(0, 0, False)]


def test_a_gap_is_the_counts_that_were_skipped() -> None:
    assert missing(run(0, 10), run(13, 10)) == [(3, 3, False)]


def test_a_hole_of_exactly_256_frames_is_256_by_time_and_at_least_0_by_count() -> None:
    assert missing(run(0, 10), run(266, 10)) == [(256, 0, True)]


def test_a_hole_of_255_frames_is_255_by_time() -> None:
    """The same count again: only time tells that it is not a repetition."""
    assert missing(run(0, 10), run(265, 10)) == [(255, 0, True)]


def test_a_count_that_goes_on_over_a_long_pause_is_at_least_those_skipped_and_no_discontinuity() -> None:
    """By 391 in 900 s, where 9,000 were due: a vehicle that slept sends on."""
    last, first = run(0, 10), run(9 + 9000, 3)._replace(first_count=(9 + 391) % 256)
    (gap,) = gaps_of([last, first], 256, P)
    assert (gap.missing_at_least, gap.ambiguous, gap.unlike_time) == (134, True, False)
    assert gap.missing % 256 == 134


@pytest.mark.parametrize("modulus", [256, 1 << 24])
def test_a_sender_that_paused_and_goes_on_with_the_next_counts_is_no_discontinuity(modulus: int) -> None:
    """10 s of silence, in which it sent nothing."""
    after = run(110, 10)._replace(first_count=12)
    (gap,) = gaps_of([run(0, 10), after], modulus, P)
    assert (gap.missing, gap.unlike_time) == (2, False)


def test_without_a_period_a_gap_is_the_least_it_can_be_and_ambiguous() -> None:
    assert missing(run(0, 10), run(266 + 5, 10), period=None) == [(5, 5, True)]


def test_aos_counts_wrap_at_16777216() -> None:
    modulus = 1 << 24
    assert missing(run(modulus - 3, 3, modulus), run(modulus + 2, 5, modulus), modulus=modulus) == [(2, 2, False)]


def test_a_count_that_falls_back_is_a_discontinuity_and_no_loss_of_238_frames() -> None:
    before, after = Run(0, 0, 239 * P, 240), Run(252 * P, 0, 260 * P, 9)
    (gap,) = gaps_of([before, after], 1 << 24, P)
    assert gap.unlike_time


@given(frames=st.sets(st.integers(0, 3_000), min_size=2), jitter=st.integers(0, P // 20), seed=st.integers(0, 99))
def test_received_and_missing_add_up_whatever_was_lost_and_in_whatever_order(
    frames: set[int], jitter: int, seed: int
) -> None:
    chance = random.Random(seed)
    order = sorted(frames)
    chance.shuffle(order)
    made = RunMap(128 * P)
    for number in order:
        at = number * P + chance.randint(-jitter, jitter)
        made.add_frames(KEY, 256, [at], [number % 256])
    row = made.runs[KEY]
    received = sum(one.frames for one in row)
    lost = sum(gap.missing for gap in gaps_of(row, 256, P))
    assert received == len(frames)
    assert received + lost == max(frames) - min(frames) + 1


@given(
    first=st.integers(0, 50), frames=st.integers(1, 600), low=st.integers(0, 700), length=st.integers(0, 700)
)  # fmt: skip
def test_the_part_of_a_run_in_an_interval_has_the_frames_of_that_interval(
    first: int, frames: int, low: int, length: int
) -> None:
    whole = run(first, frames)
    inside = [number for number in range(first, first + frames) if low * P <= number * P < (low + length) * P]
    part = whole.within(low * P, (low + length) * P, 256)
    assert (part.frames if part else 0) == len(inside)
    if part:
        assert (part.first_count, part.first, part.last) == (inside[0] % 256, inside[0] * P, inside[-1] * P)


def test_the_period_is_that_between_frames_of_consecutive_counts() -> None:
    assert period_of([run(0, 11), run(500, 3)]) == P
    assert period_of([run(0, 1)]) is None


@given(numbers=st.lists(st.integers(0, 400), min_size=1, max_size=60), asked=st.sets(st.integers(0, 60)))
def test_gaps_kept_from_before_are_those_reckoned_anew(numbers: list[int], asked: set[int]) -> None:
    made = RunMap(128 * P)
    for place, number in enumerate(numbers):
        made.add_frames(KEY, 256, [number * P], [number % 256])
        if place in asked:
            made.gaps(KEY, P)
    assert made.gaps(KEY, P).found == list(gaps_of(made.runs[KEY], 256, P))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_same_frames_again_change_nothing(times: int) -> None:
    made = RunMap(128 * P)
    for _ in range(times):
        made.add_frames(KEY, 256, [number * P for number in range(300)], [number % 256 for number in range(300)])
    assert made.runs[KEY] == [run(0, 300)]


@given(
    steps=st.lists(st.tuples(st.sampled_from([0, 1, P, 3 * P]), st.sampled_from([0, 1, 2, 255])), max_size=60),
    gap=st.sampled_from([0, 1, P]),
    first=st.sampled_from([0, 254, 255]),
)
def test_a_run_ends_where_the_next_count_does_not_follow_or_time_passed(
    steps: list[tuple[int, int]], gap: int, first: int
) -> None:
    times, counts, runs = [0], [first], [Run(0, first, 0, 1)]
    for step, ahead in steps:
        times.append(times[-1] + step)
        counts.append((counts[-1] + ahead) % 256)
        last = runs[-1]
        if ahead == 1 and step <= gap:
            runs[-1] = Run(last.first, last.first_count, times[-1], last.frames + 1)
        else:
            runs.append(Run(times[-1], counts[-1], times[-1], 1))
    assert list(runs_in(times, counts, 256, gap)) == runs


def test_no_frames_make_no_run() -> None:
    assert list(runs_in([], [], 256, 0)) == []


A, B = ("rover-a", 0, 168, 0, True, 256), ("rover-b", 0, 168, 0, True, 256)


@given(
    heard=st.lists(st.sampled_from(["", "a", "b", "ab", "ab", "ab"]), min_size=2, max_size=700),
    late=st.integers(-P // 2, P // 2),
    jitter=st.integers(0, P // 20),
    seed=st.integers(0, 99),
)
def test_frames_that_two_relays_hear_count_once_in_whatever_order_they_come(
    heard: list[str], late: int, jitter: int, seed: int
) -> None:
    """Cut into records of any length, in any order, and some of them twice."""
    chance = random.Random(seed)
    pieces = []
    for key, link, offset in ((A, "a", 0), (B, "b", late)):
        numbers = [number for number, by in enumerate(heard) if link in by]
        while numbers:
            cut = chance.randint(1, 40)
            times = [number * P + offset + chance.randint(-jitter, jitter) for number in numbers[:cut]]
            pieces.append((key, times, [number % 256 for number in numbers[:cut]]))
            del numbers[:cut]
    pieces += chance.sample(pieces, len(pieces) // 3)
    chance.shuffle(pieces)
    evidence = empty()
    for (link, session, *_), times, counts in pieces:
        frames = channel([(at, count, True) for at, count in zip(times, counts, strict=True)])
        evidence.absorb(telling(link=link, session=session, channels=frames))
    row = evidence.together.runs.get(A[2:], [])
    numbers = [number for number, by in enumerate(heard) if by]
    assert sum(one.frames for one in row) == len(numbers)
    lost = sum(gap.missing for gap in gaps_of(row, 256, P))
    assert not numbers or len(numbers) + lost == numbers[-1] - numbers[0] + 1


def test_a_count_that_stands_still_hides_no_frame_of_a_single_relay() -> None:
    evidence = empty()
    evidence.absorb(telling(link="rover-a", session=0, channels=channel([(n * P, 7, True) for n in range(50)])))
    assert sum(one.frames for one in evidence.together.runs[A[2:]]) == 50
