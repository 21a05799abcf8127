"""A real Kafka for the tests: one broker a run, one namespace a test."""

import asyncio
import os
import re
import uuid
from collections.abc import Iterator

import pytest

from pipeline.shells.kafka_clients import Cluster
from pipeline.shells.local_kafka import local_kafka
from pipeline.shells.topics_admin import create_topics


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap server of TEST_KAFKA, else of a broker started for the run. Never skips: a machine
    that cannot start one fails, and says why."""
    given = os.environ.get("TEST_KAFKA")
    if given:
        yield given
        return
    with local_kafka() as bootstrap:
        yield bootstrap


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, with no topic yet."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))
    return f"{name[:40].strip('-')}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def topics(kafka: str, namespace: str) -> str:
    """A namespace whose topics are made."""
    asyncio.run(create_topics(Cluster(kafka), namespace))
    return namespace
