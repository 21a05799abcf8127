"""A real Kafka for the tests: one broker a run (two where security is tried), one namespace a test."""

import asyncio
import os
import re
import uuid
from collections.abc import Iterator

import pytest

from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_admin import create_topics
from tests.kafka.broker import MortalBroker, mortal_broker
from tests.kafka.secured import ROLES, SecuredKafka, secured_kafka


@pytest.fixture(scope="session")
def broker() -> Iterator[MortalBroker]:
    """A broker started for the run, which a test may kill and start again. Never skips: a machine that cannot start one
    fails, and says why."""
    with mortal_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """The bootstrap server of TEST_KAFKA, else of the run's own broker."""
    given = os.environ.get("TEST_KAFKA")
    if given:
        return given
    own: MortalBroker = request.getfixturevalue("broker")
    return own.bootstrap


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


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A second broker, which asks who is there and has rules of access."""
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


@pytest.fixture
def rules(secured: SecuredKafka, namespace: str) -> str:
    """A namespace on it whose topics are made and whose roles have what `relaywatch acls` says, and no more."""
    secured.allow(namespace, *ROLES)
    asyncio.run(create_topics(secured.login("administrator"), namespace))
    return namespace
