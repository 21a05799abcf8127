"""A broker that is killed: nothing is lost and nothing is said twice. `make chaos` does it again and again, and for a
minute."""

import asyncio
import time
from pathlib import Path

import pytest

from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_admin import create_topics
from tests.chaos.proof import prove
from tests.chaos.scene import scene
from tests.chaos.stream import stream
from tests.kafka.broker import MortalBroker
from tests.kafka.cluster import RUN, publish, wait_for, wait_until_done, worker

pytestmark = pytest.mark.kafka


def test_a_broker_that_is_killed_and_comes_back_loses_nothing_and_the_worker_goes_on(
    broker: MortalBroker, namespace: str, tmp_path: Path
) -> None:
    kafka, replayed = broker.bootstrap, stream(2, rate_hz=10, ground_s=3, lost=0.7)
    asyncio.run(create_topics(Cluster(kafka), namespace))
    asyncio.run(publish(kafka, namespace, replayed.records, replayed.mission))
    with scene(kafka, namespace, tmp_path, replayed, 2, broker) as running:
        running.start("one")
        running.wait_for_progress(20)
        running.kill_broker(away_seconds=2.0)
        asyncio.run(wait_until_done(kafka, namespace, running.workers["one"]))
        running.end_all()
    asyncio.run(prove(kafka, namespace, replayed.records, replayed.mission, RUN))


def test_a_worker_says_that_its_kafka_is_away_and_ends_as_asked_all_the_same(
    broker: MortalBroker, namespace: str, tmp_path: Path
) -> None:
    asyncio.run(create_topics(Cluster(broker.bootstrap), namespace))
    away = f"Kafka at {broker.bootstrap} is away; waiting for it"
    with worker(broker.bootstrap, namespace, tmp_path) as running:
        running.wait_ready()
        broker.kill()
        try:
            wait_for(lambda: away in running.text(), running.text, running, 30)
            asked = time.monotonic()
            assert running.end() == 0
            took = time.monotonic() - asked
        finally:
            broker.restart()
    assert took < 20, "its supervisor would kill it after 30 s"
    assert "Traceback" not in running.text()
