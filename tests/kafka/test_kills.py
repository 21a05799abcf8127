"""Once in effect: a worker that is killed in the midst of its work loses nothing and says nothing twice."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.mission.model import Mission
from pipeline.records import FramesReceived, Record
from pipeline.shells.files.analyze import analyze
from pipeline.shells.kafka.topics_needed import application_id, changelog_topic
from pipeline.topics import TOPICS
from tests.build import scenario, scenario_records
from tests.chaos.proof import prove
from tests.chaos.scene import scene
from tests.chaos.stream import stream
from tests.kafka.cluster import (
    RUN,
    WorkerProcess,
    ends_of,
    found,
    process,
    publish,
    publish_in_transactions,
    read,
    read_raw,
    wait_for,
    wait_until_done,
    worker,
    written,
)

pytestmark = pytest.mark.kafka

KILLS = 5


def _wait_until_written(kafka: str, topic: str, records: int, running: WorkerProcess) -> None:
    wait_for(
        lambda: asyncio.run(written(kafka, topic)) >= records,
        lambda: f"{topic} never had {records} records:\n{running.text()}",
        running,
    )


async def _publish_and_kill(
    kafka: str, namespace: str, records: Sequence[Record], mission: Mission, topic: str, more: int, one: WorkerProcess
) -> None:
    """SIGKILL as soon as so many records more stand in a topic, also while others are still being published."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        places = list(await ends_of(kafka, consumer, topic))

        async def stand() -> int:
            return sum((await consumer.end_offsets(places)).values())

        before, deadline = await stand(), time.monotonic() + 60
        publishing = asyncio.ensure_future(publish(kafka, namespace, records, mission))
        while await stand() < before + more:
            assert time.monotonic() < deadline, f"{topic} never had {more} records more:\n{one.text()}"
        os.kill(one.pid, signal.SIGKILL)
        await publishing


def test_a_worker_killed_again_and_again_says_what_an_undisturbed_one_says(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    """Two vehicles, two links, records of 64 KiB and of one frame; `make chaos` does it for longer."""
    replayed = stream(72, rate_hz=35, ground_s=3, lost=0.85)
    # Now in the first stage, now in the second, at places that a seed chooses; each kill has records of its own, so
    # that it finds the worker at work.
    records, part = replayed.records, len(replayed.records) // (KILLS + 1)
    with scene(kafka, topics, tmp_path, replayed, 72) as running:
        running.start("one")
        one, at_work = running.workers["one"], 0
        for kill in range(KILLS):
            topic, more = [
                (TOPICS["telemetry"].full_name(topics), running.chance.randrange(20, part // 2)),
                (changelog_topic(topics, "vehicles"), running.chance.randrange(4, 16)),
            ][kill % 2]
            published, starts = (kill + 1) * part, one.starts
            those = records[kill * part : published]
            asyncio.run(_publish_and_kill(kafka, topics, those, replayed.mission, topic, more, one))
            at_work += asyncio.run(written(kafka, TOPICS["telemetry"].full_name(topics))) < published
            wait_for(lambda: one.starts > starts, one.text, one)  # noqa: B023 (waited for here)
        asyncio.run(publish(kafka, topics, records[KILLS * part :], replayed.mission))
        asyncio.run(wait_until_done(kafka, topics, one))
        assert one.text().count("worker ended with signal SIGKILL") == KILLS
        running.end_all()
    assert max(len(record.octets) for record in records if isinstance(record, FramesReceived)) >= 64 << 10
    proof = asyncio.run(prove(kafka, topics, records, replayed.mission, RUN))
    assert proof.revisions > 1
    assert at_work > 0


def test_sigterm_in_the_midst_ends_cleanly_and_the_next_worker_goes_on(kafka: str, topics: str, tmp_path: Path) -> None:
    records, mission = scenario_records("frames-late")[:500], scenario("frames-late").mission
    asyncio.run(publish(kafka, topics, records, mission))
    with worker(kafka, topics, tmp_path, "--instance", "one") as first:
        _wait_until_written(kafka, TOPICS["telemetry"].full_name(topics), 200, first)
        assert first.end() == 0
        assert "Traceback" not in first.text()
    with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as second:
        asyncio.run(wait_until_done(kafka, topics, second))
        assert second.end() == 0
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, mission, RUN).digest


def test_the_committed_offset_decides_nothing(kafka: str, topics: str, tmp_path: Path) -> None:
    """Committed to the end by someone else, before any record was taken: Faust alone would read nothing."""
    records, mission = scenario_records("relay-outage")[:500], scenario("relay-outage").mission
    asyncio.run(publish(kafka, topics, records, mission))

    async def commit_the_end() -> None:
        async with AIOKafkaConsumer(
            bootstrap_servers=kafka, group_id=application_id(topics), enable_auto_commit=False
        ) as consumer:
            place = TopicPartition(TOPICS["frames"].full_name(topics), 0)
            consumer.assign([place])
            await consumer.commit({place: len(records) - 100})

    asyncio.run(commit_the_end())
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, mission, RUN).digest


def test_a_gap_that_a_transaction_leaves_is_no_hole(kafka: str, topics: str, tmp_path: Path) -> None:
    records, mission = scenario_records("relay-outage")[:500], scenario("relay-outage").mission
    asyncio.run(publish_in_transactions(kafka, topics, records, mission))
    frames = asyncio.run(read_raw(kafka, TOPICS["frames"].full_name(topics)))
    assert frames[-1].offset > len(frames) - 1
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(wait_until_done(kafka, topics, running, in_transactions=True))
        assert running.end() == 0
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, mission, RUN).digest


LOSES_ONE_RECORD = """
import pathlib, sys
from pipeline.shells.worker import guard
from pipeline.shells.cli import main

marker, step = pathlib.Path(sys.argv[1]), guard.Guard._step

async def lose(self, taken):
    if self.lives.stage.source == "telemetry" and len(taken) > 5 and not marker.exists():
        marker.touch()
        del taken[3]
    await step(self, taken)

guard.Guard._step = lose
sys.exit(main(["worker", "--no-supervisor", *sys.argv[2:]]))
"""

SUPERVISES = """
import os, sys
from pipeline.shells.worker.logs import log_to_stderr
from pipeline.shells.worker.supervisor import Supervisor

log_to_stderr(20)
sys.exit(Supervisor([sys.executable, *sys.argv[1:]], dict(os.environ)).run())
"""


def test_a_record_that_faust_loses_is_noticed_and_the_restart_takes_it(kafka: str, topics: str, tmp_path: Path) -> None:
    """A fault put in: one record of a batch vanishes, as records were seen to vanish at a rebalance."""
    records, mission = scenario_records("frames-late")[:500], scenario("frames-late").mission
    asyncio.run(publish(kafka, topics, records, mission))
    loses = tmp_path / "loses.py"
    loses.write_text(LOSES_ONE_RECORD)
    command = [
        "-c", SUPERVISES, str(loses), str(tmp_path / "lost"), "--kafka", kafka, "--namespace", topics,
        "--metrics-port", "0",
    ]  # fmt: skip
    with process([sys.executable, *command], tmp_path) as running:
        wait_for(lambda: "ended with exit status 71" in running.text(), running.text, running)
        asyncio.run(wait_until_done(kafka, topics, running))
        assert running.end() == 0
    assert re.search(rf"{topics}.telemetry/0: record \d+ was not delivered, \d+ came; starting again", running.text())
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, mission, RUN).digest


ENDS_RUNS_AT_ONCE = """
import sys
from pipeline.shells.worker import lives, app as worker
from pipeline.shells.cli import main

lives.FINISHED_AFTER, worker.DROP_EVERY_SECONDS = 1, 1.0
sys.exit(main(["worker", "--no-supervisor", *sys.argv[1:]]))
"""


def test_the_state_of_a_finished_run_is_dropped_from_the_changelog(kafka: str, topics: str, tmp_path: Path) -> None:
    """With the day made a nanosecond."""
    records, mission = scenario_records("relay-outage")[:200], scenario("relay-outage").mission
    asyncio.run(publish(kafka, topics, records, mission))
    ends = tmp_path / "ends.py"
    ends.write_text(ENDS_RUNS_AT_ONCE)
    links = changelog_topic(topics, "links")

    def standing() -> dict[bytes, bytes | None]:
        return {record.key: record.value for record in asyncio.run(read_raw(kafka, links))}

    def is_over() -> bool:
        values = [value for key, value in standing().items() if key.startswith(b'"run-1|')]
        return sum(value is not None for value in values) == 1 < len(values)

    # One name: it gets its partitions back at once.
    with worker(kafka, topics, tmp_path, "--instance", "one") as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        assert running.end() == 0
    command = [
        sys.executable, str(ends), "--kafka", kafka, "--namespace", topics, "--metrics-port", "0", "--instance", "one",
    ]  # fmt: skip
    with process(command, tmp_path) as running:
        wait_for(is_over, lambda: f"{standing()}\n{running.text()}", running)
        assert running.end() == 0
    with worker(kafka, topics, tmp_path, "--instance", "one") as running:
        asyncio.run(publish(kafka, topics, records[:1], mission))
        asyncio.run(wait_until_done(kafka, topics, running))
        text = running.get("/metrics")[1]
    assert 'relay_records_rejected_total{reason="run_over"} 1.0' in text, text[-1500:]
    [refused] = asyncio.run(read(kafka, topics, "rejected"))
    assert orjson.loads(refused.value)["reason"] == "run_over"
