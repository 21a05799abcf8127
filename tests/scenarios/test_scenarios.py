"""Every shipped scenario, in both frame formats and in every order of arrival it names, against its truth."""

from functools import cache
from typing import Any

import pytest

from pipeline.mission.model import FrameFormat
from pipeline.shells.files.analyze import Analysis, analyze
from pipeline.shells.files.resources import scenario_names
from pipeline.simulate.scenario import Order
from pipeline.simulate.truth import differences, noise
from tests.build import scenario, scenario_records

FORMATS: tuple[FrameFormat, ...] = ("tm", "aos")


@cache
def result(name: str, order: Order | None, frame_format: FrameFormat) -> Analysis:
    return analyze(scenario_records(name, order, frame_format), scenario(name, frame_format).mission)


def of(name: str, frame_format: FrameFormat, *more: Any) -> Any:
    """Those of one scenario run in one process, which computes its base order once."""
    return pytest.param(
        name,
        *more,
        frame_format,
        id="-".join((name, *more, frame_format)),
        marks=pytest.mark.xdist_group(f"{name}-{frame_format}"),
    )


@pytest.mark.parametrize("name, frame_format", [of(name, one) for name in scenario_names() for one in FORMATS])
def test_a_scenario_is_told_as_its_truth_says(name: str, frame_format: FrameFormat) -> None:
    found = result(name, None, frame_format)
    assert differences(scenario(name, frame_format), found.revisions, found.flights.values()) == []
    assert noise(scenario(name, frame_format), found.revisions) == []


def _final(found: Analysis) -> list[tuple[object, ...]]:
    """Beside the digest, since that says only whether something differs and not what."""
    return [
        (one.type, one.subject, one.flight, one.severity, one.state, one.close_reason, one.episodes)
        for one in found.incidents
        if one.state != "retracted" and one.close_reason != "superseded"
    ]


AOS_TWINS = ("nearby", "reversed_passes", "twice")
"""The order matters after the frames are read; the harder counts are those of TM, which go round."""

TWINS = [
    of(name, frame_format, order)
    for name in scenario_names()
    for frame_format in FORMATS
    for order in scenario(name, frame_format).twins
    if frame_format == "tm" or order in AOS_TWINS
]


@pytest.mark.parametrize("name, order, frame_format", TWINS)
def test_another_order_of_arrival_ends_in_the_same_result(name: str, order: Order, frame_format: FrameFormat) -> None:
    base, twin = result(name, None, frame_format), result(name, order, frame_format)
    assert _final(twin) == _final(base)
    assert twin.digest == base.digest


def test_each_row_that_is_not_about_delivery_has_its_twins() -> None:
    about_delivery = {"7", "7b", "8"}
    without = [
        name for name in scenario_names() if not scenario(name).twins and scenario(name).row not in about_delivery
    ]
    assert without == []
