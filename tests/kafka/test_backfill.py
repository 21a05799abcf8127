"""What `relaywatch backfill` tells of a recording against what a worker on a real Kafka shows of it."""

import asyncio
import re
from math import isnan

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.backfill.openmetrics import exposition
from pipeline.backfill.retell import ALERTS, Retelling
from pipeline.metrics import DELIVERY, RUNS_SET_ASIDE
from pipeline.records import SECOND, Origin, Run
from tests.build import scenario, scenario_records
from tests.kafka.cluster import publish, wait_for, worker

pytestmark = pytest.mark.kafka

NAME = "bad-frame-burst"
RUN = Run(id="told", origin="replay")
Shown = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""Name and labels of a series → its value."""


def told_at_the_end() -> Shown:
    """Of the backfill: the last value of each series that has not ended."""
    retelling = Retelling(scenario(NAME).mission, RUN, SECOND)
    for offset, record in enumerate(scenario_records(NAME)):
        retelling.take(Origin("recording", 0, offset), record)
    retelling.end()
    # What ends with the recording is shown by a worker for as long as it runs.
    retelling.timeline.write(1 << 62)
    lines = "".join(exposition(retelling.timeline.tracks)).splitlines()
    found: Shown = {}
    for line in lines:
        if not line.startswith("#"):
            series, value, _ = line.rsplit(" ", 2)
            name, _, labels = series.partition("{")
            found[name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))] = float(value)
    return {key: value for key, value in found.items() if key[0] != ALERTS.name and not isnan(value)}


def shown(text: str) -> Shown:
    """Of the worker: all that is about a replay, but for what Kafka's own clock measures and what a file cannot do."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("origin") == RUN.origin
        and not sample.name.startswith((DELIVERY.name, RUNS_SET_ASIDE.name))
    }


def test_a_recording_is_told_as_the_worker_shows_it(kafka, topics, tmp_path):
    asyncio.run(publish(kafka, topics, scenario_records(NAME), scenario(NAME).mission, RUN))
    expected = told_at_the_end()
    with worker(kafka, topics, tmp_path) as one:
        one.wait_ready()
        wait_for(
            lambda: shown(one.get("/metrics")[1]) == expected,
            lambda: f"differs: {sorted(set(shown(one.get('/metrics')[1]).items()) ^ set(expected.items()))}",
            one,
        )
    assert {name for name, _ in expected} >= {"relay_frames_total", "relay_incidents_active", "relay_frames_missing"}
