"""The share of the newest records that were rejected."""

import orjson

from pipeline.measures.share import WINDOW_RECORDS, RecentShare

NOW = 1_700_000_000


def after(*batches: tuple[int, int]) -> RecentShare:
    share = RecentShare()
    for batch in batches:
        share = share.with_batch(*batch, NOW)
    return share


def test_a_share_counts_only_once_a_whole_window_has_come() -> None:
    recent = after((WINDOW_RECORDS - 1, WINDOW_RECORDS - 1))
    assert recent.share == 1
    assert not recent.exceeds(0.5)
    assert recent.with_batch(1, 0, NOW).exceeds(0.5)


def test_a_share_equal_to_the_limit_is_borne_and_1_is_never_exceeded() -> None:
    recent = after((WINDOW_RECORDS, WINDOW_RECORDS // 2))
    assert recent.share == 0.5
    assert not recent.exceeds(0.5)
    assert recent.exceeds(0.49)
    assert not recent.with_batch(WINDOW_RECORDS, WINDOW_RECORDS, NOW).exceeds(1)


def test_what_is_older_than_the_window_counts_no_more() -> None:
    recent = after(*[(30, 30)] * 10, *[(30, 0)] * 7)
    assert (recent.records, recent.rejected, recent.share) == (210, 0, 0.0)


def test_what_was_taken_more_than_an_hour_ago_counts_no_more() -> None:
    """So that a bad record now and then, on a partition that nobody uses, does not stop a worker some day."""
    recent = RecentShare()
    for minutes in range(0, 60_000, 60):
        recent = recent.with_batch(1, 1, NOW + minutes * 60)
    assert not recent.exceeds(0.5)
    drained = after((200, 200))
    assert drained.at(NOW + 3600).exceeds(0.5)
    assert not drained.at(NOW + 3601).exceeds(0.5)


def test_of_records_that_come_one_by_one_no_more_is_remembered_than_of_batches() -> None:
    recent = after(*[(1, 1)] * 1_000)
    assert recent.records < WINDOW_RECORDS + 40
    assert len(recent.lots) <= 12
    assert RecentShare.from_json(orjson.loads(orjson.dumps(recent.to_json()))) == recent


def test_without_a_record_there_is_no_share() -> None:
    assert RecentShare().share == 0
    assert not RecentShare().exceeds(0.01)
