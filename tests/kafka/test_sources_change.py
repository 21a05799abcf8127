"""What happens to the topics of a worker, and to its clock, is noticed and said; nothing is passed over in silence."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete

from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_admin import create_topics
from pipeline.shells.kafka.topics_needed import changelog_topic
from pipeline.topics import TOPICS
from tests.build import scenario, scenario_records
from tests.kafka.cluster import process, publish, wait_for, wait_until_done, worker, written

pytestmark = pytest.mark.kafka

RECORDS, MISSION = scenario_records("relay-outage"), scenario("relay-outage").mission


async def make_anew(kafka: str, namespace: str) -> None:
    async with Cluster(kafka).admin() as admin:
        await admin.delete_topics([TOPICS["frames"].full_name(namespace)])
    async with asyncio.timeout(60):
        while not any(one.outcome == "made" for one in await create_topics(Cluster(kafka), namespace)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("runs", [False, True], ids=["before a start", "under a worker"])
def test_a_topic_made_anew_with_more_records_than_were_read_is_noticed(
    kafka: str, topics: str, tmp_path: Path, runs: bool
) -> None:
    asyncio.run(publish(kafka, topics, RECORDS[:50], MISSION))

    def anew() -> None:
        asyncio.run(make_anew(kafka, topics))
        asyncio.run(publish(kafka, topics, RECORDS[:100], MISSION))

    with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        if runs:
            anew()
            assert running.process.wait(90) == 2
        else:
            assert running.end() == 0
    if not runs:
        anew()
    # Another member: Kafka gives a known one what it had, and that may be nothing of a topic that was away.
    with worker(kafka, topics, tmp_path, "--instance", "two", supervised=True) as again:
        assert again.process.wait(60) == 2
        assert f"{topics}.frames is another topic (" in again.text()
        assert "it was deleted and made anew" in again.text()


def test_records_deleted_under_a_running_worker_are_named(kafka: str, topics: str, tmp_path: Path) -> None:
    frames = TopicPartition(TOPICS["frames"].full_name(topics), 0)

    async def delete(end: int) -> None:
        async with Cluster(kafka).admin() as admin:
            await admin.delete_records({frames: RecordsToDelete(end)})

    with worker(kafka, topics, tmp_path, "--instance", "one", "--session-seconds", "30") as running:
        running.wait_ready()
        os.kill(running.pid, signal.SIGSTOP)
        try:
            # The fetch that is out brings the first one; then no other is sent.
            asyncio.run(publish(kafka, topics, RECORDS[:1], MISSION))
            wait_for(lambda: asyncio.run(written(kafka, frames.topic)) == 1, lambda: "not written")
            time.sleep(0.5)
            asyncio.run(publish(kafka, topics, RECORDS[1:40], MISSION))
            asyncio.run(delete(30))
        finally:
            os.kill(running.pid, signal.SIGCONT)
        asyncio.run(wait_until_done(kafka, topics, running))
        said = f"{frames.topic}/0: records 1 to 29 were deleted before they were read; going on without them"
        assert said in running.text()
        assert running.end() == 0


AHEAD = """
import sys, time
from aiokafka.producer.message_accumulator import BatchBuilder
append, now = BatchBuilder.append, time.time
time.time = lambda: now() + 7200
# Where no time is given, aiokafka asks the system for it, past Python's clock.
BatchBuilder.append = lambda self, *, timestamp, **content: append(self, timestamp=int(time.time() * 1000), **content)
from pipeline.shells.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_worker_whose_clock_is_two_hours_ahead_goes_on_and_where_kafka_refuses_its_times_that_is_said(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    words = [
        sys.executable, "-c", AHEAD, "worker", "--no-supervisor", "--kafka", kafka, "--namespace", topics,
        "--metrics-port", "0", "--instance", "one",
    ]  # fmt: skip

    async def take_the_producer_s_time() -> None:
        async with Cluster(kafka).admin() as admin:
            resource = ConfigResource(
                ConfigResourceType.TOPIC, changelog_topic(topics, "links"),
                {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": "3600000"},
            )  # fmt: skip
            await admin.alter_configs([resource])

    asyncio.run(publish(kafka, topics, RECORDS[:20], MISSION))
    with process(words, tmp_path) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        asyncio.run(take_the_producer_s_time())
        asyncio.run(publish(kafka, topics, RECORDS[20:40], MISSION))
        assert running.process.wait(60) == 70
        assert "Kafka refuses a time of this machine" in running.text()
        assert "`relaywatch topics check` names topics" in running.text()
