"""Where no flight was judged the account says what was looked for and not found."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.shells.files.analyze import Analysis
from tests.link import mission
from tests.verdicts.flown import flown, judged, sent


def why(said: Analysis) -> str | None:
    (account,) = [one.facts for one in said.flights.values() if not one.name]
    reason: Any = account.get("no_flight")
    return None if reason is None else str(reason)


def test_a_vehicle_that_flew_has_no_such_word() -> None:
    assert why(judged(flown(20.0), until=30)) is None


def test_a_vehicle_that_stayed_on_the_ground_met_no_condition_in_flight() -> None:
    assert why(judged(flown(20.0, lambda at: {"phase": "preflight"}), until=30)) == (
        "No packet of it meets the mission's condition in_flight (vehicles.meanings)."
    )


def test_frames_without_packets_of_the_mission_are_named_by_what_was_looked_for() -> None:
    assert why(judged(flown(20.0, lambda at: {"idle": True}), until=30)) == (
        "Its frames carried none of the packets that the mission reads (APID 100, 101)."
    )


def test_frames_of_another_spacecraft_are_named() -> None:
    frames = [(n / 10, sent(n / 10, n, {}, scid=42)) for n in range(100)]
    assert why(judged(frames, until=30)) == (
        "No good frame of ingenuity came (SCID 168). Good frames of SCID 42 came on rover-a, which the mission does "
        "not expect there."
    )


@pytest.mark.parametrize("frames", [2, 4])
def test_a_few_frames_in_flight_after_nothing_are_told_to_be_too_few(frames: int) -> None:
    said = judged(flown(5.0 + frames / 10 - 0.1, since=5.0), until=30, of=replace(mission()))
    assert why(said) == (
        "It said in flight, and not as is asked for: in two frames after one on the ground, or in 5 frames over 1 s."
    )
