"""The share of the newest records that were rejected."""

from pipeline.measures.share import WINDOW_RECORDS, RecentShare


def test_a_share_counts_only_once_a_whole_window_has_come() -> None:
    recent = RecentShare()
    recent.add(WINDOW_RECORDS - 1, WINDOW_RECORDS - 1)
    assert recent.share == 1
    assert not recent.exceeds(0.5)
    recent.add(1, 0)
    assert recent.exceeds(0.5)


def test_a_share_equal_to_the_limit_is_borne_and_1_is_never_exceeded() -> None:
    recent = RecentShare()
    recent.add(WINDOW_RECORDS, WINDOW_RECORDS // 2)
    assert recent.share == 0.5
    assert not recent.exceeds(0.5)
    assert recent.exceeds(0.49)
    recent.add(WINDOW_RECORDS, WINDOW_RECORDS)
    assert not recent.exceeds(1)


def test_what_is_older_than_the_window_counts_no_more() -> None:
    recent = RecentShare()
    for _ in range(10):
        recent.add(30, 30)
    for _ in range(7):
        recent.add(30, 0)
    assert (recent.records, recent.rejected, recent.share) == (210, 0, 0.0)


def test_without_a_record_there_is_no_share() -> None:
    assert RecentShare().share == 0
    assert not RecentShare().exceeds(0.01)
