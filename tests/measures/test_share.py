"""The share of the newest records that were rejected."""

from pipeline.measures.share import WINDOW_RECORDS, RecentShare

NOW = 1_700_000_000


def after(*batches: tuple[int, int]) -> RecentShare:
    share = RecentShare()
    for batch in batches:
        share = share.with_batch(*batch, NOW)
    return share


def test_a_share_is_that_of_the_newest_records() -> None:
    assert after((WINDOW_RECORDS, WINDOW_RECORDS // 2)).share == 0.5
    assert after((WINDOW_RECORDS, WINDOW_RECORDS), (WINDOW_RECORDS, 0)).share == 0


def test_what_is_older_than_the_window_counts_no_more() -> None:
    recent = after(*[(30, 30)] * 10, *[(30, 0)] * 7)
    assert (recent.records, recent.rejected, recent.share) == (210, 0, 0.0)


def test_what_was_taken_more_than_an_hour_ago_counts_no_more() -> None:
    drained = after((200, 200))
    assert drained.at(NOW + 3600).share == 1
    assert drained.at(NOW + 3601).records == 0


def test_of_records_that_come_one_by_one_no_more_is_remembered_than_of_batches() -> None:
    recent = after(*[(1, 1)] * 1_000)
    assert recent.records < WINDOW_RECORDS + 40
    assert len(recent.lots) <= 12


def test_without_a_record_there_is_no_share() -> None:
    assert RecentShare().share == 0
