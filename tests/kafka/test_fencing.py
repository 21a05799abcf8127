"""A worker that was thought dead and wakes writes nothing: the others have its partitions."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from pipeline.shells.exits import EXIT_FENCED
from pipeline.shells.files.analyze import analyze
from pipeline.shells.kafka.topics_needed import changelog_topic
from pipeline.topics import TOPICS
from tests.build import scenario, scenario_records
from tests.kafka.cluster import RUN, found, process, publish, wait_for, wait_until_done, worker, written

pytestmark = pytest.mark.kafka

STOPS_BEFORE_IT_WRITES = """
import os, signal, sys
from pipeline.shells.worker import guard
from pipeline.shells.cli import main

write, batches = guard.Guard._write, 0

async def stop(self, entries):
    global batches
    batches += self.lives.stage.source == "telemetry" and len(entries) > 1
    if batches == 5:
        batches += 1
        os.kill(os.getpid(), signal.SIGSTOP)
    await write(self, entries)

guard.Guard._write = stop
sys.exit(main(["worker", "--no-supervisor", *sys.argv[1:]]))
"""


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_worker_that_is_stopped_in_the_midst_of_a_batch_wakes_and_ends_with_nothing_written(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    """Stopped where a batch's outputs are acknowledged and its state is about to be written."""
    records, mission = scenario_records("frames-late")[:500], scenario("frames-late").mission
    asyncio.run(publish(kafka, topics, records, mission))
    stops = tmp_path / "stops.py"
    stops.write_text(STOPS_BEFORE_IT_WRITES)
    ours = ["--session-seconds", "4", "--batch-records", "20"]
    command = [sys.executable, str(stops), "--kafka", kafka, "--namespace", topics, "--metrics-port", "0", *ours]
    with process([*command, "--instance", "sleeper"], tmp_path) as sleeper:
        wait_for(lambda: _is_stopped(sleeper.pid), sleeper.text, sleeper)
        with worker(kafka, topics, tmp_path, *ours, "--instance", "other", supervised=True) as other:
            asyncio.run(wait_until_done(kafka, topics, other))
            before = [asyncio.run(written(kafka, one)) for one in _written_by_a_worker(topics)]
            os.kill(sleeper.pid, signal.SIGCONT)
            assert sleeper.process.wait(30) == EXIT_FENCED, sleeper.text()
            assert [asyncio.run(written(kafka, one)) for one in _written_by_a_worker(topics)] == before
            assert other.end() == 0
    assert "others may have its partitions (the group says: unknown member)" in sleeper.text()
    seen = asyncio.run(found(kafka, topics))
    assert seen.digest == analyze(records, mission, RUN).digest
    assert other.text().count(" started") == 1, other.text()


def _written_by_a_worker(namespace: str) -> list[str]:
    return [
        *(TOPICS[name].full_name(namespace) for name in ("telemetry", "alerts", "flights", "rejected")),
        *(changelog_topic(namespace, table) for table in ("links", "commands", "vehicles")),
    ]
