from hypothesis import given
from hypothesis import strategies as st

from pipeline.channels.history import History
from pipeline.channels.plausibility import REFERENCE_WITHIN, is_plausible

steps = st.tuples(st.integers(0, 4) | st.integers(0, 255), st.integers(1, 5_000_000_000))


@given(frames=st.lists(steps, min_size=1, max_size=40), period=st.sampled_from([None, 100_000_000, 1_000_000]))
def test_what_goes_on_with_the_newest_run_is_plausible_and_was_not_there_before(frames, period):
    history, count, at, newest = History("168.0.256", 256, period), 0, 0, None
    for step, later in frames:
        count, at = (count + step) % 256, at + later
        if newest is not None and history.follows(count, at, newest):
            reference = history.nearest(at, REFERENCE_WITHIN)
            assert reference is not None
            assert is_plausible(reference, count, at, 256, period)
            assert not history.covers(count, at)
        history.add(count, at)
        newest = at


def test_a_run_that_is_not_the_newest_is_not_gone_on_with():
    history = History("168.0.256", 256, 100)
    history.add(1, 1_000)
    history.add(9, 2_000)
    history.add(2, 1_100)  # late: it joins the older run
    assert not history.follows(3, 2_100, 2_000)
    history.add(10, 2_100)
    assert history.follows(11, 2_200, 2_100)
    assert not history.follows(12, 2_200, 2_100)
