"""New frames, and an on-board clock that stands still in them."""

from typing import Any

import pytest

from tests.verdicts.flown import LANDED, episodes, flown, judged, kinds, only, planned


def stuck(after: float, until: float, *, behind: bool = False) -> Any:
    """The clock stands still in between; after it, it is right, or behind by the time for which it stood."""

    def change(at: float) -> dict[str, Any]:
        if after < at <= until:
            return {"clock": 1000 + after}
        return {"clock": 1000 + at - (until - after)} if at > until and behind else {}

    return change


def test_an_on_board_clock_that_stands_still_for_3_s_in_flight_is_a_stuck_source() -> None:
    incident = only(judged(flown(12.0, stuck(5.0, 12.0))), "source_stuck")
    assert (incident.severity, incident.state, incident.flight) == ("warning", "open", "72")
    assert episodes(incident) == [(8.0, None)]
    assert incident.known[0].startswith("Last new data at 2024-01-18 12:00:05.0 UTC")


def test_a_clock_that_stands_still_for_less_than_3_s_is_nothing() -> None:
    assert kinds(judged(flown(12.0, stuck(5.0, 7.9, behind=True)))) == []


def test_a_clock_that_stands_still_on_the_ground_is_nothing() -> None:
    def change(at: float) -> dict[str, Any]:
        return (LANDED if at >= 5.0 else {}) | ({"clock": 1006.0} if at > 6.0 else {})

    assert kinds(judged(flown(12.0, change), of=planned(2.0))) == []


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("until", [9.9, 10.0, 10.3, 10.8])
def test_new_data_end_it_by_the_resume_rule_wherever_the_clock_goes_on(behind: bool, until: float) -> None:
    incident = only(judged(flown(16.0, stuck(5.0, until, behind=behind))), "source_stuck")
    assert episodes(incident) == [(8.0, pytest.approx(until + 1.1))]
    assert incident.close_reason == "resumed_in_flight"


def test_a_clock_that_is_right_again_after_it_has_not_jumped() -> None:
    assert kinds(judged(flown(16.0, stuck(5.0, 10.0)))) == ["source_stuck"]


def test_a_loss_after_it_names_the_last_new_data_and_leaves_it_open() -> None:
    analysis = judged(flown(12.0, stuck(5.0, 12.0)), until=20.0)
    assert kinds(analysis) == ["ended_before_landing", "source_stuck"]
    assert only(analysis, "source_stuck").state == "open"
    loss = only(analysis, "ended_before_landing")
    assert (
        "Last new data at 2024-01-18 12:00:05.0 UTC; in the frames after it the on-board clock stood still."
        in loss.known
    )


def test_one_frame_after_a_silence_that_repeats_an_old_time_is_no_stuck_source() -> None:
    def change(at: float) -> dict[str, Any] | None:
        return None if 5.0 < at < 12.0 or at > 12.0 else {"clock": 1005.0} if at == 12.0 else {}

    assert kinds(judged(flown(12.0, change), until=14.0)) == ["ended_before_landing"]
