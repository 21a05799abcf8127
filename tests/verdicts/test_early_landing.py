"""A landing before its time."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.records import SECOND, FramesReceived
from pipeline.shells.files.analyze import analyze
from tests.build import scenario, scenario_records
from tests.verdicts.flown import LANDED, TAKEOFF, episodes, flown, judged, kinds, only, planned


def lands(at_s: float, phase: str = "hover") -> Any:
    return lambda at: LANDED if at >= at_s else {"phase": phase} if at >= at_s - 2.0 else {}


def test_a_landing_more_than_5_s_before_its_time_is_early() -> None:
    incident = only(judged(flown(30.0, lands(TAKEOFF + 20.0)), of=planned(25.2)), "early_landing")
    assert (incident.severity, incident.state, incident.flight) == ("warning", "open", "72")
    assert episodes(incident) == [(23.2, None)]
    assert "Landed 20.0 s after take-off; planned were 25.2 s." in incident.known


@pytest.mark.parametrize("duration_s", [24.8, 20.0, 10.0])
def test_a_landing_within_5_s_of_its_time_or_after_it_is_not(duration_s: float) -> None:
    assert kinds(judged(flown(30.0, lands(TAKEOFF + 20.0)), of=planned(duration_s))) == []


def test_of_a_long_flight_a_tenth_may_be_missing() -> None:
    frames = flown(100.0, lands(TAKEOFF + 91.0))
    assert kinds(judged(frames, of=planned(100.0))) == []
    assert kinds(judged(frames, of=planned(102.0))) == ["early_landing"]


def test_a_contingency_phase_makes_a_landing_early_whatever_the_time() -> None:
    incident = only(judged(flown(30.0, lands(TAKEOFF + 20.0, "land_now")), of=planned(20.0)), "early_landing")
    assert "The vehicle broke off its flight (phase land_now)." in incident.known
    assert not any("planned" in known for known in incident.known)


def test_a_contingency_phase_without_a_landing_is_a_loss_and_no_early_landing() -> None:
    analysis = judged(flown(20.0, lambda at: {"phase": "land_now"} if at >= 15.0 else {}), until=30.0)
    assert kinds(analysis) == ["ended_before_landing"]


def test_a_landing_that_only_the_log_shows_is_early_by_the_on_board_clock() -> None:
    of = scenario("last-packets-lost").mission
    flights = tuple(replace(one, planned_duration_s=125.0) for one in of.vehicles[0].flights)
    mission = replace(of, vehicles=(replace(of.vehicles[0], flights=flights),))
    analysis = analyze(scenario_records("last-packets-lost"), mission)
    assert kinds(analysis) == ["early_landing", "ended_before_landing"]
    incident = only(analysis, "early_landing")
    assert "Landed 32.2 s after take-off; planned were 125 s." in incident.known
    assert incident.raised_at == only(analysis, "ended_before_landing").ended_at


def test_what_is_heard_of_the_vehicle_on_a_later_day_says_nothing_of_when_it_landed() -> None:
    of = scenario("last-packets-lost")
    flights = tuple(replace(one, planned_duration_s=125.0) for one in of.mission.vehicles[0].flights)
    mission = replace(of.mission, vehicles=(replace(of.mission.vehicles[0], flights=flights),))
    records = scenario_records("last-packets-lost")
    # As the vehicle stands there before its flight: on the ground, the landed flag up.
    standing = [one for one in records if isinstance(one, FramesReceived) and one.relay_receive_times[-1] < of.at(-1)]
    later = 10 * 86_400 * SECOND
    again = [
        replace(
            one, session=one.session + later, earth_receive_time=one.earth_receive_time + later,
            relay_receive_times=one.relay_receive_times + later,
        )
        for one in standing
    ]  # fmt: skip
    incident = only(analyze([*records, *again], mission), "early_landing")
    assert "Landed 32.2 s after take-off; planned were 125 s." in incident.known
