"""What independent streams taught, on a real Kafka: the worker says what is said without a broker."""

import asyncio
from pathlib import Path

import pytest
import tomli_w

from pipeline.records import Run
from pipeline.shells.files.analyze import analyze
from tests.build import scenario, scenario_records
from tests.kafka.cluster import found, publish, wait_until_done, worker

pytestmark = pytest.mark.kafka

ROWS = (
    "first-heard-in-flight", "first-heard-and-lands", "next-flight-in-the-same-stretch", "stored-on-the-live-channel",
)  # fmt: skip


def test_rows_23_26_and_27_come_to_the_same_digest_as_without_a_broker(kafka: str, topics: str, tmp_path: Path) -> None:
    mission = scenario(ROWS[0]).mission
    with worker(kafka, topics, tmp_path) as running:
        running.wait_ready()
        for name in ROWS:
            asyncio.run(publish(kafka, topics, scenario_records(name), mission, Run(id=name, origin="test")))
        asyncio.run(wait_until_done(kafka, topics, running))
        for name in ROWS:
            run = Run(id=name, origin="test")
            assert asyncio.run(found(kafka, topics, run)).digest == analyze(scenario_records(name), mission, run).digest


def test_what_two_relays_heard_comes_to_the_same_digest_as_without_a_broker(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    told, run = scenario("two-relays"), Run(id="two-relays", origin="test")
    mission = tmp_path / "mission.toml"
    mission.write_text(tomli_w.dumps(dict(told.mission_data)))
    records = scenario_records("two-relays")
    with worker(kafka, topics, tmp_path, "--mission", str(mission)) as running:
        running.wait_ready()
        asyncio.run(publish(kafka, topics, records, told.mission, run))
        asyncio.run(wait_until_done(kafka, topics, running))
        assert asyncio.run(found(kafka, topics, run)).digest == analyze(records, told.mission, run).digest
