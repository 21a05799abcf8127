"""What an alert on a transmission that ended in flight says beside its severity: loss shape, touchdown, outlook."""

from dataclasses import replace
from functools import cache

import pytest

from pipeline.mission.model import Plan, Window
from pipeline.outputs import Revision
from pipeline.records import SECOND, Listened
from pipeline.shells.files.analyze import analyze
from tests.build import scenario, scenario_records


@cache
def revisions(name: str) -> tuple[Revision, ...]:
    return tuple(analyze(scenario_records(name), scenario(name).mission).revisions)


@pytest.mark.parametrize("name, shape", [("flight-72", "cliff"), ("flight-17", "slide"), ("expected-loss", "slide")])
def test_a_cliff_and_a_slide_are_told_apart_by_what_the_height_does_not_explain(name: str, shape: str) -> None:
    last = revisions(name)[-1]
    assert last.evidence["loss_shape"] == shape
    assert any(f"loss shape: {shape}" in sentence for sentence in last.inferred)


def test_without_signal_levels_the_shape_of_the_loss_is_unknown_and_nothing_is_said_of_it() -> None:
    silent = [
        replace(one, signal_level_dbm=None) if isinstance(one, Listened) else one
        for one in scenario_records("flight-17")
    ]
    (*_, last) = analyze(silent, scenario("flight-17").mission).revisions
    assert last.evidence["loss_shape"] == "unknown"
    assert not any("loss shape" in sentence for sentence in last.inferred)


def test_touchdown_is_an_interval_around_what_the_last_altitude_and_rate_predict() -> None:
    """3.0 m at 1.0 m/s from 26.0 s: 3 s, divided by one and a quarter and by three quarters."""
    assert revisions("flight-17")[0].inferred[0] == (
        "Touchdown between 2021-12-05 12:00:28.4 UTC and 2021-12-05 12:00:30.0 UTC, from the last reported altitude, "
        "if the last reported rate held within 25%."
    )


def test_no_alert_ever_names_a_cause() -> None:
    for name in ("flight-72", "flight-17", "expected-loss"):
        for one in revisions(name):
            assert "Why communications ended: frames do not say." in one.not_known


def test_an_open_alert_says_until_when_is_listened_and_which_window_is_next() -> None:
    mission = scenario("flight-72").mission
    start = scenario("flight-72").starts_at
    windows = tuple(
        Window(name=name, vehicle="ingenuity", link="rover-a", starts_at=start + a * SECOND, ends_at=start + b * SECOND)
        for name, a, b in (("today", -120, 900), ("tomorrow", 86_400, 87_000))
    )
    (first, *_) = analyze(scenario_records("flight-72"), replace(mission, plan=Plan(windows=windows))).revisions
    assert first.what_next[:3] == (
        "Listening goes on in window 'today' until 2024-01-18 12:15:00.0 UTC.",
        "Next window: 'tomorrow' from 2024-01-19 12:00:00.0 UTC.",
        "What the vehicle stored of this flight after 2024-01-18 12:00:30.0 UTC has not been received.",
    )


def test_the_outlook_says_when_the_whole_log_has_come_and_until_when_it_may_be_amended() -> None:
    assert revisions("flight-17")[-1].what_next == (
        "Late data of this flight amend this alert until 2022-03-05 12:00:26.0 UTC.",
    )
