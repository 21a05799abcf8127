"""What mission the workers of a namespace have is known, and no other gets between them."""

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.records import Run
from pipeline.shells.cli import main
from pipeline.shells.files.resources import mission_path
from pipeline.shells.files.simulate import write_scenario
from tests.build import scenario, scenario_records
from tests.kafka.cluster import publish, read, wait_for, wait_until_done, worker

pytestmark = pytest.mark.kafka


def beats(kafka: str, namespace: str) -> list[dict[str, Any]]:
    return [orjson.loads(one.value) for one in asyncio.run(read(kafka, namespace, "heartbeat"))]


def changed_mission(folder: Path) -> str:
    """A file of ingenuity's mission with another timer."""
    file = folder / "changed.toml"
    file.write_text(f"{mission_path('ingenuity').read_text()}\n[timers]\nloss_seconds = 4.0\n")
    return str(file)


def test_a_worker_says_what_it_has_and_how_far_it_is_and_that_it_ends(kafka: str, topics: str, tmp_path: Path) -> None:
    records = scenario_records("flight-72")[:300]
    asyncio.run(publish(kafka, topics, records, scenario("flight-72").mission, Run()))
    with worker(kafka, topics, tmp_path, "--instance", "one") as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        wait_for(lambda: "rover-a" in beats(kafka, topics)[-1]["watermarks"], running.text, running)
        said = beats(kafka, topics)[-1]
        assert running.end() == 0
    assert said["partitions"] == {name: [0, 1, 2, 3] for name in ("frames", "commands", "telemetry")}
    assert said["lag"]["frames/0"] == 0
    assert (said["mission"]["name"], said["mission"]["links"]) == ("ingenuity", ["rover-a"])
    last = beats(kafka, topics)[-1]
    assert last["ended"]
    assert [one["sequence"] for one in beats(kafka, topics)] == list(range(last["sequence"] + 1))


def test_a_worker_of_another_mission_refuses_to_start_until_the_other_is_gone(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    changed = changed_mission(tmp_path)
    with worker(kafka, topics, tmp_path, "--instance", "one") as running:
        running.wait_ready()
        with worker(kafka, topics, tmp_path, "--mission", changed, "--instance", "two", supervised=True) as other:
            assert other.process.wait(60) == 2
            assert "worker one of namespace" in other.text()
            assert "another version of mission ingenuity" in other.text()
            assert "--replace-mission" in other.text()
        with worker(kafka, topics, tmp_path, "--mission", changed, "--replace-mission", "--instance", "two") as other:
            other.wait_ready()
            assert other.end() == 0
        assert running.end() == 0
    # It ended as asked: nothing has to be waited for.
    with worker(kafka, topics, tmp_path, "--mission", "mavlink", "--instance", "two") as other:
        other.wait_ready()


def test_a_replay_that_the_workers_would_reject_is_refused_before_anything_is_published(
    kafka: str, topics: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "flight-72.mcap"
    write_scenario("flight-72", recording)
    replay = ["replay", str(recording), "--speed", "max", "--kafka", kafka, "--namespace", topics]
    with worker(kafka, topics, tmp_path, "--mission", "mavlink") as running:
        running.wait_ready()
        began = time.monotonic()
        assert main(replay) == 2
        assert time.monotonic() - began < 30
        said = capsys.readouterr().err
        assert "flight-72.mcap is of mission ingenuity, with link rover-a, vehicle ingenuity" in said
        assert "has mission mavlink" in said
        assert "say --anyway" in said
        assert asyncio.run(read(kafka, topics, "frames")) == []
        assert main([*replay, "--anyway"]) == 0
        assert len(asyncio.run(read(kafka, topics, "frames"))) == len(scenario_records("flight-72"))
