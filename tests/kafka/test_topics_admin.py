"""The topics of a namespace on a real broker."""

import asyncio
import os
import shlex
import subprocess

import orjson
import pytest
from aiokafka.admin import NewTopic

from pipeline.shells.cli import main
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.jars import fetch_jars
from pipeline.shells.kafka.local import find_java
from pipeline.shells.kafka.reach import KafkaUnreachableError
from pipeline.shells.kafka.topics_admin import TopicsError, check_topics, create_topics, partitions_of
from pipeline.shells.kafka.topics_needed import Kept, changelog_topic, needed_topics

pytestmark = pytest.mark.kafka


@pytest.mark.asyncio
async def test_topics_that_are_missing_are_made_and_those_that_are_there_are_left(kafka: str, namespace: str) -> None:
    first = await create_topics(Cluster(kafka), namespace)
    second = await create_topics(Cluster(kafka), namespace)
    assert {topic.outcome for topic in first} == {"made"}
    assert {topic.outcome for topic in second} == {"exists"}
    assert [topic.name for topic in first] == [topic.name for topic in needed_topics(namespace)]


@pytest.mark.asyncio
async def test_state_has_the_partitions_of_the_topic_it_follows(kafka: str, namespace: str) -> None:
    found = {one.name: one.partitions for one in await create_topics(Cluster(kafka), namespace, partitions=3)}
    assert found[changelog_topic(namespace, "links")] == found[f"{namespace}.frames"] == 3
    assert found[changelog_topic(namespace, "vehicles")] == found[f"{namespace}.telemetry"] == 3
    assert found[f"{namespace}.rejected"] == 1
    assert (await partitions_of(Cluster(kafka), namespace))["alerts"] == 3


@pytest.mark.asyncio
async def test_another_number_of_partitions_is_named_and_not_changed(kafka: str, namespace: str) -> None:
    await create_topics(Cluster(kafka), namespace, partitions=2)
    found = {one.name: one for one in await create_topics(Cluster(kafka), namespace, partitions=5)}
    frames = found[f"{namespace}.frames"]
    assert (frames.outcome, frames.partitions) == ("differs", 2)
    assert frames.differences == ("2 partitions, 5 were asked for: the number cannot be changed",)
    assert found[f"{namespace}.heartbeat"].outcome == "exists"


@pytest.mark.asyncio
async def test_more_copies_than_brokers_is_refused_in_kafkas_words(kafka: str, namespace: str) -> None:
    with pytest.raises(TopicsError, match=rf"did not make topic {namespace}\.frames \(copies: 9\): "):
        await create_topics(Cluster(kafka), namespace, replication=9)


@pytest.mark.asyncio
async def test_a_missing_topic_is_named_with_the_command_that_makes_it(kafka: str, namespace: str) -> None:
    with pytest.raises(TopicsError, match=rf"has no topic {namespace}\.frames.*topics create --namespace {namespace}"):
        await partitions_of(Cluster(kafka), namespace)


@pytest.mark.asyncio
async def test_a_kafka_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(KafkaUnreachableError, match=r"no Kafka answers at 127\.0\.0\.1:1 within 0\.5 s"):
        await create_topics(Cluster("127.0.0.1:1", 0.5), "nowhere")


def test_the_command_prints_a_line_a_topic(kafka: str, namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topics", "create", "--kafka", kafka, "--namespace", namespace]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line.split() for line in lines) == [f"{namespace}.frames", "4", "partitions", "made"]
    assert len(lines) == len(needed_topics(namespace))
    assert asyncio.run(partitions_of(Cluster(kafka), namespace))["frames"] == 4


@pytest.mark.asyncio
async def test_topics_that_were_made_as_needed_need_no_change(kafka: str, namespace: str) -> None:
    await create_topics(Cluster(kafka), namespace, partitions=3, kept=Kept(days=7, gibibytes=2))
    checked = await check_topics(Cluster(kafka), namespace, partitions=3, kept=Kept(days=7, gibibytes=2))
    assert [one.name for one in checked] == [one.name for one in needed_topics(namespace)]
    assert [one for one in checked if one.differences] == []
    frames, *_ = checked
    assert (frames.partitions, frames.copies) == (3, 1)
    # Seven days are not the thirty that are needed unless one says so.
    short = {one.name: one for one in await check_topics(Cluster(kafka), namespace) if one.differences}
    assert sorted(short) == [f"{namespace}.frames", f"{namespace}.telemetry"]
    [said] = short[f"{namespace}.frames"].differences
    assert said.found == (
        "retention.ms is 604800000, 2592000000 is needed, retention.bytes is 2147483648, 68719476736 is needed"
    )


def test_check_says_of_each_topic_what_to_type_and_its_exit_status_says_that_something_must_change(
    kafka: str, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ["--kafka", kafka, "--namespace", namespace]
    assert main(["topics", "check", *here]) == 1
    said = capsys.readouterr().out
    assert said.count("is not there") == len(needed_topics(namespace))
    commands = {line.removeprefix("    $ ") for line in said.splitlines() if line.startswith("    $ ")}
    assert commands == {f"relaywatch topics create --kafka {kafka} --namespace {namespace}"}
    # What it says to type is what puts it right.
    assert main(commands.pop().split()[1:]) == 0
    assert main(["topics", "check", *here]) == 0
    assert " good" in capsys.readouterr().out
    assert main(["topics", "check", *here, "--partitions", "5", "--json"]) == 1
    first = orjson.loads(capsys.readouterr().out.splitlines()[0])
    assert first["name"] == f"{namespace}.frames"
    assert first["differences"][0]["change"] == (
        f"relaywatch topics create --kafka {kafka} --namespace {namespace}-5 --partitions 5"
    )


@pytest.mark.asyncio
async def test_what_kafkas_own_tool_is_told_to_change_is_then_as_needed(kafka: str, namespace: str) -> None:
    alerts = f"{namespace}.alerts"
    async with Cluster(kafka).admin() as client:
        spoilt = {"cleanup.policy": "compact", "retention.ms": "60000", "max.message.bytes": "1000"}
        await client.create_topics([NewTopic(alerts, 4, 1, None, spoilt)])
    await create_topics(Cluster(kafka), namespace)
    [wrong] = [one for one in await check_topics(Cluster(kafka), namespace) if one.differences]
    assert wrong.name == alerts
    [difference] = wrong.differences
    tool, *words = shlex.split(difference.change)
    assert tool == "kafka-configs.sh"
    # What kafka-configs.sh runs.
    classes = os.pathsep.join(str(one) for one in fetch_jars(None))
    command = [find_java(), "-XX:TieredStopAtLevel=1", "-cp", classes, "kafka.admin.ConfigCommand", *words]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    async with asyncio.timeout(10):
        while any(one.differences for one in await check_topics(Cluster(kafka), namespace)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
