"""The topics of a namespace on a real broker."""

import asyncio

import pytest

from pipeline.shells.cli import main
from pipeline.shells.kafka_clients import Cluster
from pipeline.shells.reach import KafkaUnreachableError
from pipeline.shells.topics_admin import TopicsError, changelog_topic, create_topics, needed_topics, partitions_of

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
    with pytest.raises(TopicsError, match=f"did not make topic {namespace}.frames with 9 copies"):
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
