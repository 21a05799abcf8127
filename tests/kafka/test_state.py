"""State on a real Kafka: what is half-written when a worker dies never counts; a state that cannot be used stops only
its own, is named, and is made anew beside the workers."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from pipeline.records import Run
from pipeline.shells.exits import COULD_NOT_RUN, EXIT_FAILED, EXIT_FENCED
from pipeline.shells.files.analyze import analyze
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_needed import changelog_topic
from pipeline.shells.worker.states import check_states
from tests.build import scenario, scenario_records
from tests.kafka.broker import MortalBroker
from tests.kafka.cluster import RUN, found, publish, read_raw, wait_for, wait_until_done, worker, written

pytestmark = pytest.mark.kafka

KILLS = 10
BATCHES = (1, 7, 10, 50, 200)
MISSION = scenario("flight-72").mission


def state_command(kafka: str, namespace: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pipeline.shells.cli", "state", *words, "--kafka", kafka, "--namespace", namespace],
        text=True, capture_output=True, timeout=90, check=False,
    )  # fmt: skip


def test_ten_workers_that_die_while_the_broker_does_not_answer_leave_the_state_whole(
    broker: MortalBroker, topics: str, tmp_path: Path
) -> None:
    """Each takes the records in other batches than the one before it; packets span frames."""
    kafka, records, chance = broker.bootstrap, scenario_records("flight-72"), random.Random(72)
    links, logs, part = changelog_topic(topics, "links"), [], len(records) // (KILLS + 1)
    for kill in range(KILLS):
        options = ["--instance", "one", "--batch-records", str(BATCHES[kill % len(BATCHES)])]
        with worker(kafka, topics, tmp_path, *options) as running:
            running.wait_ready()
            before = asyncio.run(written(kafka, links))
            asyncio.run(publish(kafka, topics, records[kill * part : (kill + 1) * part], MISSION))
            wait_for(
                lambda: asyncio.run(written(kafka, links)) > before,  # noqa: B023 (waited for here)
                running.text, running,
            )  # fmt: skip
            with broker.paused(chance.uniform(0.0, 0.05)):
                os.kill(running.pid, signal.SIGKILL)
                running.process.wait()
            logs.append(running.text())
    asyncio.run(publish(kafka, topics, records[KILLS * part :], MISSION))
    with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        logs.append(running.text())
        assert running.end() == 0
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, MISSION, RUN).digest
    states = asyncio.run(check_states(Cluster(kafka), topics, MISSION))
    assert {one.name for one in states} == {"rover-a", "ingenuity"}
    assert not [one.fault for one in states if one.fault]
    assert not [log for log in logs if "set aside" in log]


async def spoil(kafka: str, namespace: str, table: str, run: Run) -> None:
    """One chunk of a run's state is dropped, as if compaction had lost it."""
    topic = changelog_topic(namespace, table)
    entries = [one for one in await read_raw(kafka, topic) if orjson.loads(one.key).startswith(f"{run.id}|")]
    last = {one.key: one for one in entries}
    chunk = next(one for key, one in last.items() if one.value is not None and not orjson.loads(key).endswith("|"))
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, None, chunk.key, partition=chunk.partition, headers=list(chunk.headers))


def test_a_state_that_is_not_whole_stops_only_its_own_and_is_made_anew_while_workers_run(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    records, half, other = scenario_records("flight-72"), 900, Run(id="run-2", origin="test")
    asyncio.run(publish(kafka, topics, records[:half], MISSION))
    with worker(kafka, topics, tmp_path, "--instance", "one") as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        assert running.end() == 0
    asyncio.run(spoil(kafka, topics, "links", RUN))
    checked = state_command(kafka, topics, "check", "--json")
    assert checked.returncode == 1
    faults = [one for one in map(orjson.loads, checked.stdout.splitlines()) if one["fault"]]
    assert [(one["table"], one["run"], one["name"]) for one in faults] == [("links", RUN.id, "rover-a")]
    assert "is not whole" in checked.stderr

    with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as running:
        running.wait_ready()
        asyncio.run(publish(kafka, topics, records[half:], MISSION))
        asyncio.run(publish(kafka, topics, records, MISSION, other))
        asyncio.run(wait_until_done(kafka, topics, running))
        labels: dict[str, Any] = {"stage": "decode", "subject": "rover-a", "run": RUN.id}
        assert running.metric("relay_state_unusable", **labels) == 1
        refused = running.metric("relay_records_rejected_total", reason="state_unusable")
        assert refused == len(records) - half
        assert asyncio.run(found(kafka, topics, other)).digest == analyze(records, MISSION, other).digest
        copies = [orjson.loads(one.value) for one in asyncio.run(read_raw(kafka, f"{topics}.rejected"))]
        assert {one["reason"] for one in copies} == {"state_unusable"}
        assert 0 < len(copies) <= 100

        made = state_command(kafka, topics, "rebuild", "--link", "rover-a", "--run", RUN.id)
        assert made.returncode == 0, made.stderr
        assert re.search(rf"made anew from {len(records):,} records of {topics}.frames/0, the first at", made.stdout)
        # What was refused is said now, and the worker goes on from the new state.
        asyncio.run(publish(kafka, topics, records[-1:], MISSION))
        wait_for(lambda: running.metric("relay_state_unusable", **labels) is None, running.text, running)
        asyncio.run(wait_until_done(kafka, topics, running))
        assert running.end() == 0
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, MISSION, RUN).digest
    assert state_command(kafka, topics, "check").returncode == 0
    again = state_command(kafka, topics, "rebuild", "--link", "rover-a", "--run", RUN.id)
    assert again.returncode == 2
    assert "is whole: there is nothing to make anew" in again.stderr


def test_two_workers_of_one_name_on_two_machines_leave_the_state_whole(
    kafka: str, topics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the second is not refused: the group ends the first, whose last writes count for nothing."""
    records, part = scenario_records("flight-72"), 300
    asyncio.run(publish(kafka, topics, records[:part], MISSION))
    with worker(kafka, topics, tmp_path, "--instance", "one", "--batch-records", "7") as first:
        wait_for(lambda: asyncio.run(written(kafka, changelog_topic(topics, "links"))) > 40, first.text, first)
        monkeypatch.setenv("RELAYWATCH_STATE", str(tmp_path / "elsewhere"))
        with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as second:
            asyncio.run(publish(kafka, topics, records[part:], MISSION))
            assert first.process.wait(60) in (EXIT_FAILED, EXIT_FENCED), first.text()
            asyncio.run(wait_until_done(kafka, topics, second))
            assert second.end() == 0
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, MISSION, RUN).digest
    states = asyncio.run(check_states(Cluster(kafka), topics, MISSION))
    assert not [one.fault for one in states if one.fault]


def test_a_worker_whose_name_beats_on_another_machine_is_refused(kafka: str, topics: str, tmp_path: Path) -> None:
    """That of one that was killed there a moment ago does not."""
    beats = tmp_path / "beats.py"
    beats.write_text(BEATS_ELSEWHERE)
    words = [sys.executable, str(beats), kafka, topics]
    with subprocess.Popen([*words, "60"], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "beats\n"
        with worker(kafka, topics, tmp_path, "--instance", "one") as refused:
            assert refused.process.wait(40) == COULD_NOT_RUN, refused.text()
        assert "worker one of namespace" in refused.text()
        assert "runs already, on another-machine: give this one another --instance" in refused.text()
        other.kill()
    with worker(kafka, topics, tmp_path, "--instance", "one") as taken:
        taken.wait_ready()
        assert taken.end() == 0


BEATS_ELSEWHERE = """
import asyncio, sys
from pipeline.heartbeat import MissionNames
from pipeline.shells.files.resources import read_mission
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.worker.heart import Heart, Vitals

async def beat():
    mission = MissionNames.of(read_mission("ingenuity"))
    heart = Heart(Cluster(sys.argv[1]), sys.argv[2], "one", mission, Vitals, process="another-machine/1")
    async with heart.beating():
        print("beats", flush=True)
        await asyncio.sleep(float(sys.argv[3]))

asyncio.run(beat())
"""
