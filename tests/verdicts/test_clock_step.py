"""The on-board clock against the relay's, from one frame to the next."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.link import Receiver, pass_of
from tests.verdicts.flown import episodes, flown, judged, kinds, only, told


def ahead(by: Callable[[float], float]) -> Any:
    """The on-board clock ahead by so many seconds at each moment."""
    return lambda at: {"clock": 1000 + at + by(at)}


@pytest.mark.parametrize("by", [3600.0, -900.0, 2.5, -2.5])
def test_a_clock_that_jumps_is_a_step_until_it_agrees_again_with_what_it_was(by: float) -> None:
    incident = only(judged(flown(12.0, ahead(lambda at: by if 6.0 <= at < 8.0 else 0.0))), "clock_step")
    assert (incident.severity, incident.state, incident.flight) == ("warning", "closed", "72")
    assert episodes(incident) == [(6.0, 8.0)]
    assert incident.close_reason == "resumed_in_flight"
    assert f"{by:+.1f} s" in incident.known[0]


@pytest.mark.parametrize("by", [1.8, -1.8])
def test_a_jump_of_less_than_2_s_is_nothing(by: float) -> None:
    assert kinds(judged(flown(12.0, ahead(lambda at: by if at >= 6.0 else 0.0)))) == []


def test_two_frames_with_another_time_are_no_step_and_three_are() -> None:
    assert kinds(judged(flown(12.0, ahead(lambda at: 60.0 if 6.0 <= at <= 6.1 else 0.0)))) == []
    three = judged(flown(12.0, ahead(lambda at: 60.0 if 6.0 <= at <= 6.2 else 0.0)))
    assert episodes(only(three, "clock_step")) == [(6.0, 6.3)]


def test_a_clock_that_never_agrees_again_keeps_it_open() -> None:
    assert episodes(only(judged(flown(12.0, ahead(lambda at: 60.0 if at >= 6.0 else 0.0))), "clock_step")) == [
        (6.0, None)
    ]


def test_twice_in_a_flight_is_two_episodes() -> None:
    analysis = judged(flown(18.0, ahead(lambda at: 60.0 if 6.0 <= at < 8.0 or 12.0 <= at < 14.0 else 0.0)))
    assert episodes(only(analysis, "clock_step")) == [(6.0, 8.0), (12.0, 14.0)]


def test_a_step_on_the_ground_belongs_to_no_flight() -> None:
    incident = only(judged(flown(12.0, ahead(lambda at: 60.0 if 1.0 <= at < 2.5 else 0.0))), "clock_step")
    assert (incident.flight, incident.close_reason) == ("", "contact_restored")


def test_a_clock_that_runs_wrong_has_not_jumped() -> None:
    assert kinds(judged(flown(40.0, ahead(lambda at: 0.2 * at)))) == []


def test_a_clock_that_a_restart_sets_back_is_part_of_the_restart() -> None:
    def change(at: float) -> dict[str, Any]:
        return {"boot_count": 42, "clock": at - 6.0} if at >= 6.0 else {}

    assert kinds(judged(flown(12.0, change))) == ["vehicle_restart"]


def test_clocks_on_two_sides_of_a_time_in_which_nobody_listened_are_not_compared() -> None:
    frames = flown(12.0, ahead(lambda at: 60.0 if at >= 9.0 else 0.0))
    receiver = Receiver()
    records = [
        receiver.frames([one for one in frames if one[0] < 5.0]),
        receiver.listened(0, 5),
        receiver.frames([one for one in frames if one[0] >= 9.0]),
        receiver.listened(9, 13),
        receiver.ended(13),
    ]
    assert "clock_step" not in kinds(told(records))


def test_the_order_of_arrival_does_not_move_it() -> None:
    records = pass_of(flown(12.0, ahead(lambda at: 60.0 if 6.0 <= at <= 6.4 else 0.0)))
    assert episodes(only(told(records[::-1]), "clock_step")) == episodes(only(told(records), "clock_step"))
