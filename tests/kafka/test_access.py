"""The rules of access that `relaywatch acls` prints, on a real Kafka that holds everybody to them: each role can do
what it is for, and nothing else."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from pipeline.outputs import Revision
from pipeline.records import Run
from pipeline.shells.cli import main
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.simulate import write_scenario
from pipeline.shells.kafka.access import Access, Role, access, acl_command
from pipeline.shells.kafka.clients import Cluster, KafkaUnavailableError
from pipeline.shells.kafka.permissions import NotAllowedError, allowed_operations, check_permissions
from pipeline.shells.kafka.publish import publish
from pipeline.shells.kafka.subscribe import alerts
from pipeline.shells.kafka.topics_needed import application_id, needed_topics
from pipeline.shells.security import Secret
from pipeline.topics import TOPICS
from tests.build import scenario, scenario_records
from tests.kafka.cluster import found, read, wait_until_done, worker
from tests.kafka.cluster import publish as publish_records
from tests.kafka.secured import ALICE, PASSWORD, ROLES, SecuredKafka, allow, environment_of

pytestmark = pytest.mark.kafka


def everything(namespace: str) -> list[Access]:
    topics = [Access(resource="topic", name=one.name, operations=()) for one in needed_topics(namespace)]
    return [*topics, Access(resource="group", name=application_id(namespace), operations=())]


@pytest.mark.parametrize("role", [role for role in ROLES if role != "administrator"])
def test_a_role_may_do_what_its_rules_say_and_nothing_else(secured: SecuredKafka, rules: str, role: Role) -> None:
    """By the broker's own word, over every topic and the group; Kafka adds Describe to whoever may read or write."""
    asyncio.run(make_group(secured.administer(), application_id(rules), TOPICS["frames"].full_name(rules)))
    may = asyncio.run(allowed_operations(secured.login(role), everything(rules)))
    said = {one.name: {*one.operations, "Describe"} for one in access(rules, role)}
    assert {name: operations for name, operations in may.items() if operations} == said


def test_an_administrator_may_make_and_change_topics_of_the_namespace_and_neither_read_nor_write_them(
    secured: SecuredKafka, rules: str
) -> None:
    may = asyncio.run(allowed_operations(secured.login("administrator"), everything(rules)))
    assert not may.pop(application_id(rules))
    assert set(map(frozenset, may.values())) == {
        frozenset(("Create", "Alter", "Describe", "DescribeConfigs", "AlterConfigs"))
    }
    other = [Access(resource="topic", name="elsewhere.frames", operations=("Create",))]
    with pytest.raises(NotAllowedError):
        asyncio.run(check_permissions(secured.login("administrator"), other))


async def make_group(cluster: Cluster, group: str, topic: str) -> None:
    """Kafka says what may be done with a group once it is there."""
    async with AIOKafkaConsumer(topic, bootstrap_servers=cluster.servers, group_id=group) as consumer:
        place = TopicPartition(topic, 0)
        await consumer.getmany(timeout_ms=100)
        await consumer.commit({place: 0})


async def send(cluster: Cluster, topic: str) -> None:
    async with cluster.producer() as producer:
        await producer.send_and_wait(topic, b"x", partition=0)


async def read_one(cluster: Cluster, topic: str) -> Any:
    async with cluster.consumer() as consumer:
        partitions = await cluster.subscribe(consumer, topic)
        return await asyncio.wait_for(consumer.getmany(*partitions, timeout_ms=5000), 8)


def test_a_publisher_cannot_read_and_a_subscriber_cannot_write(secured: SecuredKafka, rules: str) -> None:
    frames, found_alerts = (TOPICS[name].full_name(rules) for name in ("frames", "alerts"))
    asyncio.run(send(secured.login("publisher"), frames))
    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(read_one(secured.login("publisher"), frames))
    with pytest.raises(KafkaUnavailableError, match="does not allow it to User:subscriber"):
        asyncio.run(send(secured.login("subscriber"), found_alerts))
    with pytest.raises(KafkaUnavailableError, match="does not show it to User:subscriber"):
        asyncio.run(read_one(secured.login("subscriber"), frames))


def words(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert PASSWORD not in printed.out + printed.err
    return printed.out + printed.err


def test_flight_72_goes_from_publisher_to_subscriber_and_an_operator_acknowledges_it(
    secured: SecuredKafka, rules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each by the commands of its role, over TLS, with its own login; passwords by variables alone."""

    def become(role: Role) -> None:
        for name, value in {**secured.environment(role), "RELAYWATCH_NAMESPACE": rules}.items():
            monkeypatch.setenv(name, value)

    recording = tmp_path / "flight-72.mcap"
    write_scenario("flight-72", recording)
    run = Run(id="run-1", origin="replay")
    replay = ["replay", str(recording), "--speed", "max", "--run", run.id]
    become("publisher")
    assert main(replay) == 2
    said = words(capsys)
    assert f"does not allow User:publisher Read on topic {rules}.frames. An administrator allows it: kafka-acls" in said
    assert "Or say --into-live" in said
    assert main([*replay, "--into-live"]) == 0
    # And one record that cannot be taken: the worker has to be allowed to say so.
    asyncio.run(send(secured.login("publisher"), TOPICS["frames"].full_name(rules)))
    become("worker")
    with worker(secured.listeners["SASLTLS"], rules, tmp_path, supervised=True) as running:
        asyncio.run(wait_until_done(secured.open, rules, running))
        for process in (running.process.pid, running.pid):
            assert PASSWORD.encode() not in Path(f"/proc/{process}/cmdline").read_bytes()
        become("subscriber")
        words(capsys)
        assert main(["alerts", "--all-origins", "--json"]) == 0
        shown = capsys.readouterr().out.splitlines()
        become("operator")
        incident = next(one for line in shown if (one := orjson.loads(line))["type"] == "ended_before_landing")
        assert main(["ack", incident["incident_id"], "--by", "m.ortiz", "--why", "seen"]) == 0
        assert f"acknowledged: {incident['incident_id']}" in words(capsys)
        assert running.end() == 0
        assert PASSWORD not in running.text()
    expected = analyze(scenario_records("flight-72"), scenario("flight-72").mission, run)
    seen = asyncio.run(found(secured.open, rules, run))
    assert len(shown) == len(expected.revisions)
    assert len(seen.revisions) == len(expected.revisions) + 1
    assert len(asyncio.run(read(secured.open, rules, "rejected"))) == 1
    assert seen.flights.keys() == expected.flights.keys()
    _check_same(list(seen.revisions.values()), expected.revisions)


def _check_same(bodies: list[dict[str, Any]], expected: list[Revision]) -> None:
    for body, revision in zip(bodies, expected, strict=False):
        assert (body["incident_id"], body["revision"], body["state"]) == (
            revision.incident_id, revision.revision, revision.state,
        )  # fmt: skip


def test_a_worker_that_may_not_is_told_every_rule_that_is_missing(
    secured: SecuredKafka, rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secured.environment("subscriber").items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.shells.cli", "worker", "--namespace", rules, "--metrics-port", "0",
         "--log-level", "debug", "--no-supervisor"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert PASSWORD not in done.stdout + done.stderr
    has = {one.name: one.operations for one in access(rules, "subscriber")}
    for one in access(rules, "worker"):
        missing = [word for word in one.operations if word not in has.get(one.name, ())]
        operations = " ".join(f"--operation {word}" for word in missing)
        assert f"--allow-principal User:subscriber {operations} --{one.resource} {one.name}\n" in done.stderr


def test_a_program_that_may_not_is_told_which_rule_is_missing(secured: SecuredKafka, rules: str) -> None:
    async def subscribe() -> None:
        cluster = secured.login("publisher")
        async for _ in alerts(cluster.servers, namespace=rules, security=cluster.security, follow=False):
            pass

    with pytest.raises(NotAllowedError, match=rf"does not allow User:publisher Read on topic {rules}\.alerts"):
        asyncio.run(subscribe())
    mission = scenario("flight-72").mission
    with pytest.raises(NotAllowedError, match=rf"User:subscriber --operation Write --topic {rules}\.frames"):
        asyncio.run(publish([], secured.login("subscriber"), namespace=rules, mission=mission, partitions=4, run=Run()))


def test_a_kafka_that_does_not_know_the_question_hinders_nobody(
    secured: SecuredKafka, rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One before 2.3: what it does not allow shows where it is done."""
    monkeypatch.setattr("pipeline.shells.kafka.permissions._MetadataRequestStruct.API_VERSION", 99)
    asyncio.run(check_permissions(secured.login("subscriber"), access(rules, "worker")))


def test_a_worker_by_mutual_tls_takes_records_and_shows_no_password_in_the_log_of_the_finest_level(
    secured: SecuredKafka, rules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key has a password; the rules are for the name that its certificate says."""
    lines = [acl_command(secured.open, f"User:{ALICE}", one) for one in access(rules, "worker")]
    allow(secured.administer(), lines)
    files = secured.certificates
    cluster = secured.tls(
        "MUTUAL", tls_cert_file=files.client, tls_key_file=files.client_locked_key, tls_key_password=Secret(PASSWORD)
    )
    for name, value in environment_of(cluster).items():
        monkeypatch.setenv(name, value)
    mission = scenario("relay-outage").mission
    asyncio.run(publish_records(secured.open, rules, scenario_records("relay-outage")[:20], mission))
    with worker(cluster.servers, rules, tmp_path, "--log-level", "debug") as running:
        asyncio.run(wait_until_done(secured.open, rules, running))
        assert running.end() == 0
        assert "DEBUG" in running.text()
        assert PASSWORD not in running.text()
