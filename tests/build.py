"""Small builders that the tests share."""

from functools import cache
from pathlib import Path

from pipeline.mission.model import FrameFormat
from pipeline.records import Record
from pipeline.shells.files.simulate import read_scenario
from pipeline.simulate.scenario import Order, Scenario
from pipeline.simulate.simulation import simulate


@cache
def scenario(name: str, frame_format: FrameFormat | None = None) -> Scenario:
    """One of the shipped scenarios with its mission and its truth."""
    return read_scenario(name, frame_format=frame_format)


@cache
def scenario_records(
    name: str, order: Order | None = None, frame_format: FrameFormat | None = None
) -> tuple[Record, ...]:
    """Its records in order of arrival."""
    return tuple(simulate(scenario(name, frame_format), order=order))


def root() -> Path:
    """Of the checkout."""
    return Path(__file__).resolve().parent.parent
