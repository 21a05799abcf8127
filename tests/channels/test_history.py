"""Which frames of a channel came, in runs that are kept for ever."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.channels.history import CHUNK, History
from pipeline.records import SECOND

PERIOD = SECOND // 10


def history(modulus: int = 256, frames: list[tuple[int, int]] | None = None) -> History:
    """Frames as (count, time)."""
    made = History("a", modulus, PERIOD)
    for count, at in frames or []:
        made.add(count, at)
    return made


def stream(first: int, frames: int, modulus: int = 256, at: int = 0) -> list[tuple[int, int]]:
    return [((first + n) % modulus, at + n * PERIOD) for n in range(frames)]


def test_a_frame_that_came_is_covered_and_its_neighbours_that_did_not_are_not() -> None:
    came = history(frames=[*stream(0, 10), *stream(12, 10, at=12 * PERIOD)])
    assert all(came.covers(count, count * PERIOD) for count in (0, 5, 9, 12, 21))
    assert not any(came.covers(count, count * PERIOD) for count in (10, 11))


def test_the_same_count_a_cycle_later_is_another_frame() -> None:
    came = history(frames=stream(0, 100))
    assert came.covers(50, 50 * PERIOD)
    assert not came.covers(50, (50 + 256) * PERIOD)


def test_in_a_run_longer_than_the_modulus_the_time_tells_which_is_meant() -> None:
    came = history(frames=stream(0, 600))
    assert came.covers(10, 10 * PERIOD)
    assert came.covers(10, 266 * PERIOD)
    assert came.covers(599 % 256, 599 * PERIOD)


def test_counts_go_round_within_a_run() -> None:
    came = history(frames=stream(250, 12))
    assert came.covers(255, 5 * PERIOD)
    assert came.covers(0, 6 * PERIOD)


@given(st.permutations(range(6)))
def test_frames_of_one_time_come_in_any_order_of_their_counts(counts: list[int]) -> None:
    came = history(frames=[(2 * count, 0) for count in counts])
    assert all(came.covers(2 * count, 0) for count in counts)


def test_the_nearest_frame_is_nearest_in_time_and_has_its_count() -> None:
    came = history(frames=[*stream(0, 10), *stream(100, 10, at=100 * PERIOD)])
    near = came.nearest(40 * PERIOD, 30 * SECOND)
    assert near is not None
    assert (near.at, near.frame_count) == (9 * PERIOD, 9)
    near = came.nearest(99 * PERIOD, 30 * SECOND)
    assert near is not None
    assert (near.at, near.frame_count, near.period) == (100 * PERIOD, 100, PERIOD)
    assert came.nearest(109 * PERIOD + 31 * SECOND, 30 * SECOND) is None


def test_nothing_is_near_where_nothing_came() -> None:
    assert history().nearest(0, 30 * SECOND) is None
    assert not history().covers(0, 0)


def test_a_time_before_1970_is_a_time() -> None:
    came = history(frames=stream(0, 10, at=-5 * PERIOD))
    assert came.covers(2, -3 * PERIOD)


@given(st.permutations(stream(200, 120)), st.sets(st.integers(0, 119), max_size=20))
def test_no_order_of_arrival_changes_what_came(frames: list[tuple[int, int]], lost: set[int]) -> None:
    kept = {frame for place, frame in enumerate(stream(200, 120)) if place not in lost}
    came = history(frames=[frame for frame in frames if frame in kept])
    assert {frame for frame in stream(200, 120) if came.covers(*frame)} == kept


@given(st.lists(st.integers(0, 4 * CHUNK // PERIOD), unique=True, min_size=1, max_size=60))
def test_what_is_stored_in_chunks_comes_back(places: list[int]) -> None:
    frames = [(place % 256, place * PERIOD) for place in places]
    came = history(frames=frames)
    stored = {tuple(map(int, name.split("/")[2:])): part for name, part in came.chunks.take_changes()}
    again = history()
    again.chunks.restore(stored)  # type: ignore[arg-type]
    assert all(again.covers(*frame) for frame in frames)
    assert list(came.chunks.take_changes()) == []
