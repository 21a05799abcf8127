"""The digest: equal results, equal digest; a run, revision numbers and moments of knowing are no part of it."""

from dataclasses import replace
from functools import cache

import pytest

from pipeline.digest import digest
from pipeline.records import Run
from pipeline.shells.files.analyze import Analysis, analyze
from tests.build import scenario, scenario_records


@cache
def analysis(run: Run = Run(id="one", origin="replay")) -> Analysis:  # noqa: B008 - frozen
    return analyze(scenario_records("flight-72"), scenario("flight-72").mission, run)


def test_two_runs_of_one_recording_have_one_digest() -> None:
    assert analysis().digest == analysis(Run(id="two", origin="test")).digest == analysis(Run()).digest


@pytest.mark.parametrize(
    "change", [{"revision": 9}, {"known_at": 5}, {"changed": ("x",)}, {"confirmed": False}, {"evidence": {}}]
)
def test_how_and_when_it_became_known_is_no_part_of_the_result(change: dict[str, object]) -> None:
    found = analysis()
    incidents = [replace(one, **change).body() for one in found.incidents]  # type: ignore[arg-type]
    assert digest(incidents, [one.body() for one in found.flights.values()]) == found.digest


@pytest.mark.parametrize(
    "change",
    [{"severity": "notice"}, {"raised_at": 5}, {"close_reason": "operator"}, {"statement": "x"}, {"known": ()},
     {"not_known": ("x",)}, {"state": "open"}],
)  # fmt: skip
def test_what_is_said_is_part_of_the_result(change: dict[str, object]) -> None:
    found = analysis()
    incidents = [replace(one, **change).body() for one in found.incidents]  # type: ignore[arg-type]
    assert digest(incidents, [one.body() for one in found.flights.values()]) != found.digest


def test_a_retracted_incident_is_no_part_of_the_result() -> None:
    found = analysis()
    retracted = replace(found.incidents[0], incident_id="x:y:z:t", state="retracted").body()
    assert (
        digest([*(one.body() for one in found.incidents), retracted], [one.body() for one in found.flights.values()])
        == found.digest
    )
