"""Which records that cannot be taken are kept, and which run is set aside: a function of a partition's log."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import SECOND, Run
from pipeline.set_aside import (
    FORGOTTEN_AFTER,
    KEPT_A_SECOND,
    LONGEST_RANGE,
    MOST_RUNS,
    SET_ASIDE_AFTER,
    Range,
    SettingAside,
)

AT = 1_700_000_000 * SECOND
RUN, OTHER, LIVE = Run(id="r", origin="replay"), Run(id="o", origin="test"), Run()


def bad(aside: SettingAside, count: int, run: Run = RUN, start: int = 0, *, is_known: bool = True) -> list[bool]:
    """Whether each of so many bad records is kept, one a nanosecond."""
    return [
        aside.bad(run, offset, AT + offset, "undecodable", is_known=is_known)[0]
        for offset in range(start, start + count)
    ]


def again(aside: SettingAside) -> SettingAside:
    return SettingAside.from_json(orjson.loads(orjson.dumps(aside.to_json())))


def test_a_run_is_set_aside_after_two_hundred_bad_records_and_no_earlier() -> None:
    aside = SettingAside()
    assert all(bad(aside, SET_ASIDE_AFTER - 1))
    assert not aside.is_set_aside(RUN)
    bad(aside, 1, start=SET_ASIDE_AFTER - 1)
    assert aside.is_set_aside(RUN)
    assert not aside.is_set_aside(OTHER)


def test_one_good_record_has_a_run_counted_anew() -> None:
    aside = SettingAside()
    bad(aside, SET_ASIDE_AFTER - 1)
    aside.good(RUN)
    bad(aside, SET_ASIDE_AFTER - 1, start=SET_ASIDE_AFTER)
    assert not aside.is_set_aside(RUN)


def test_live_records_are_never_set_aside_and_those_of_a_known_link_are_all_kept() -> None:
    aside = SettingAside()
    assert all(bad(aside, 10 * SET_ASIDE_AFTER, LIVE))
    assert not aside.is_set_aside(LIVE)
    assert aside == SettingAside()


def test_of_no_known_link_a_hundred_a_second_are_kept_and_the_others_stand_in_a_range() -> None:
    aside = SettingAside()
    kept = bad(aside, 500, LIVE, is_known=False)
    assert (sum(kept), kept[:KEPT_A_SECOND]) == (KEPT_A_SECOND, [True] * KEPT_A_SECOND)
    assert aside.bad(LIVE, 500, AT + SECOND, "no_key", is_known=False) == (True, [])
    (over,) = aside.advance(AT + LONGEST_RANGE + KEPT_A_SECOND)
    assert (over.first, over.last, over.records, over.reason) == (KEPT_A_SECOND, 499, 400, "not_kept")
    assert over.why == {"undecodable": 400}


def test_a_clock_of_kafka_that_goes_back_gives_no_second_hundred() -> None:
    aside = SettingAside()
    bad(aside, KEPT_A_SECOND, LIVE, is_known=False)
    assert aside.bad(LIVE, 900, AT - 5 * SECOND, "no_key", is_known=False) == (False, [])


def test_what_is_passed_over_is_named_once_a_minute() -> None:
    aside, ranges = SettingAside(), list[Range]()
    bad(aside, SET_ASIDE_AFTER)
    for second in range(150):
        at = AT + SECOND + second * SECOND
        ranges += aside.advance(at)
        aside.pass_over(RUN, SET_ASIDE_AFTER + second, at)
    assert [(one.first, one.last, one.records) for one in ranges] == [(200, 259, 60), (260, 319, 60)]


def test_a_run_that_is_resumed_is_counted_anew_and_all_that_was_set_aside_is_said() -> None:
    aside = SettingAside()
    bad(aside, SET_ASIDE_AFTER, start=40)
    aside.pass_over(RUN, 300, AT)
    open_range, whole = aside.resume(RUN, 400, AT, "c1")
    assert (open_range.first, open_range.last, open_range.command) == (300, 300, "")
    assert (whole.first, whole.last, whole.records, whole.command) == (40, 399, SET_ASIDE_AFTER + 1, "c1")
    assert not aside.is_set_aside(RUN)
    assert list(aside.resume(RUN, 401, AT, "c2")) == []


def test_a_run_without_a_record_for_a_day_is_no_longer_set_aside() -> None:
    aside = SettingAside()
    bad(aside, SET_ASIDE_AFTER)
    aside.pass_over(RUN, 200, AT)
    (ended,) = aside.advance(AT + FORGOTTEN_AFTER + SECOND)
    assert (ended.run, ended.records) == ("r", 1)
    assert not aside.is_set_aside(RUN)


def test_however_many_runs_are_named_no_more_than_a_hundred_are_remembered() -> None:
    aside = SettingAside()
    bad(aside, SET_ASIDE_AFTER)
    for number in range(1000):
        bad(aside, 1, Run(id=f"run-{number}", origin="replay"), start=300 + number)
    assert len(aside.runs) == MOST_RUNS
    assert aside.is_set_aside(RUN), "one that is set aside is not forgotten for one that is not"


records = st.lists(
    st.tuples(st.sampled_from([RUN, OTHER, LIVE]), st.booleans(), st.integers(0, 2 * SECOND)), max_size=400
)


@settings(max_examples=50, deadline=None)
@given(log=records, often=st.integers(1, 5))
def test_every_bad_record_is_kept_or_in_one_range_wherever_the_state_is_stored_and_read_again(
    log: list[tuple[Run, bool, int]], often: int
) -> None:
    """A run of bad records, with a few good ones, of a known link and of none; stored after every few of them."""
    plain, stored = SettingAside(), SettingAside()
    said: list[list[Range]] = [[], []]
    kept = [0, 0]
    at = AT
    for offset, (run, is_known, step) in enumerate(log * 3):
        at += step // 200
        for which, aside in enumerate((plain, stored)):
            said[which] += aside.advance(at)
            if aside.is_set_aside(run):
                aside.pass_over(run, offset, at)
            else:
                is_kept, ended = aside.bad(run, offset, at, "undecodable", is_known=is_known)
                said[which] += ended
                kept[which] += is_kept
        if offset % often == 0:
            stored = again(stored)
    assert (plain, said[0], kept[0]) == (stored, said[1], kept[1])
    ranges = [*said[0], *plain.open.values()]
    assert kept[0] + sum(one.records for one in ranges) == 3 * len(log)
    assert all(one.first <= one.last and one.records <= one.last - one.first + 1 for one in ranges)
