"""The topics of a namespace on a cluster: makes those that are missing, says what differs, and tells the worker how
many partitions each has. Knows Kafka's admin requests; knows nothing of what is in a topic."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_check import Difference, StandingTopic, Tools, differences, unmet
from pipeline.shells.kafka.topics_needed import (
    AS_TOPICS_SAY,
    STATE_TABLES,
    Kept,
    NeededTopic,
    changelog_topic,
    durability,
    needed_topics,
    sources_of_state,
)
from pipeline.shells.security import IN_THE_CLEAR
from pipeline.topics import TOPICS, TopicName

_REPLICATION_WHERE_IT_CAN_BE: Final = 3


class TopicsError(RelayWatchError):
    """Topics that are not as the program needs them, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFound:
    """What `create_topics` found or did."""

    name: str
    partitions: int
    outcome: Literal["made", "exists", "differs"]
    differences: tuple[str, ...] = ()


async def create_topics(
    cluster: Cluster, namespace: str, *, partitions: int | None = None, replication: int | None = None,
    kept: Kept = AS_TOPICS_SAY,
) -> list[TopicFound]:  # fmt: skip
    """Make the topics of a namespace that are not there. What is there is left as it is, and what differs is named.

    `replication` None: three, or as many as the cluster has brokers. Raises TopicsError where Kafka refuses, and
    reach.KafkaUnreachableError.
    """
    async with cluster.admin() as client:
        there = await _partitions(client)
        needed = needed_topics(namespace, partitions, kept)
        missing = _following_their_source(namespace, [one for one in needed if one.name not in there], there)
        if missing:
            copies = replication or min(_REPLICATION_WHERE_IT_CAN_BE, await _brokers(client))
            await _make(client, missing, copies)
        made = {topic.name: topic for topic in missing}
        settings = await _settings(client, [one.name for one in needed if one.name not in made])
    found = []
    for topic in needed:
        if topic.name in made:
            found.append(TopicFound(name=topic.name, partitions=made[topic.name].partitions, outcome="made"))
            continue
        count = there[topic.name]
        differences = _differences(topic, count, settings[topic.name], partitions is not None)
        found.append(
            TopicFound(
                name=topic.name, partitions=count, outcome="differs" if differences else "exists",
                differences=tuple(differences),
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One topic of a namespace as `check_topics` found it."""

    name: str
    partitions: int
    copies: int
    differences: tuple[Difference, ...]


async def check_topics(
    cluster: Cluster, namespace: str, *, partitions: int | None = None, replication: int | None = None,
    kept: Kept = AS_TOPICS_SAY,
) -> list[Checked]:  # fmt: skip
    """Each topic of a namespace against what is needed, in the order of `needed_topics`; changes nothing.

    `replication` None: three, or as many as the cluster has brokers. Raises reach.KafkaUnreachableError.
    """
    needed = needed_topics(namespace, partitions, kept)
    async with cluster.admin() as client:
        standing = await _standing(client, {one.name for one in needed})
        brokers = [broker["node_id"] for broker in (await client.describe_cluster())["brokers"]]
    sources = sources_of_state(namespace)
    in_the_clear = cluster.security.security_protocol == IN_THE_CLEAR.security_protocol
    config = "" if in_the_clear else "client.properties"
    tools = Tools(bootstrap=cluster.servers, namespace=namespace, command_config=config)
    checked = []
    for topic in needed:
        found = standing.get(topic.name)
        wrong = differences(
            topic, found, source=standing.get(sources.get(topic.name, "")), partitions_asked=partitions is not None,
            copies=replication or min(_REPLICATION_WHERE_IT_CAN_BE, len(brokers)), brokers=brokers, tools=tools,
        )  # fmt: skip
        places = () if found is None else found.replicas
        copies = 0 if found is None else found.copies
        checked.append(
            Checked(name=topic.name, partitions=len(places), copies=copies, differences=tuple(wrong))
        )  # fmt: skip
    return checked


async def _standing(client: AIOKafkaAdminClient, names: AbstractSet[str]) -> dict[str, StandingTopic]:
    described = {topic["topic"]: topic["partitions"] for topic in await client.describe_topics()}
    there = sorted(names & described.keys())
    settings = await _settings(client, there)
    return {
        name: StandingTopic(
            name=name, settings=settings[name],
            replicas=[one["replicas"] for one in sorted(described[name], key=lambda one: one["partition"])],
        )
        for name in there
    }  # fmt: skip


async def partitions_of(cluster: Cluster, namespace: str) -> dict[TopicName, int]:
    """How many partitions each topic that a worker uses has on the cluster.

    Raises TopicsError where a topic is missing, or where state could not follow its source.
    """
    async with cluster.admin() as client:
        there = await _partitions(client)
    faults = []
    missing = [topic.name for topic in needed_topics(namespace) if topic.name not in there]
    if missing:
        faults.append(
            f"Kafka at {cluster.servers} has no topic {', '.join(missing)}: "
            f"run `relaywatch topics create --namespace {namespace}`"
        )
    for table, source in STATE_TABLES.items():
        state, topic = changelog_topic(namespace, table), TOPICS[source].full_name(namespace)
        if state in there and topic in there and there[state] != there[topic]:
            faults.append(
                f"topic {state} has partitions: {there[state]}, and {topic}: {there[topic]}; they must have the same "
                "number, since state lives where its records come in: use another namespace, or make both anew"
            )
    if faults:
        raise TopicsError("\n".join(faults))
    return {name: there[TOPICS[name].full_name(namespace)] for name in TOPICS}


async def partitions_of_topic(cluster: Cluster, namespace: str, name: TopicName) -> int:
    """How many partitions a topic has. Raises kafka_clients.KafkaUnavailableError where it is missing."""
    topic = TOPICS[name].full_name(namespace)
    async with cluster.admin() as client:
        there = await _partitions(client)
    cluster.check_topic(topic, there)
    return there[topic]


def _following_their_source(
    namespace: str, missing: list[NeededTopic], there: Mapping[str, int]
) -> list[NeededTopic]:  # fmt: skip
    """A changelog that is made beside a source that is there has the source's partitions, whatever was asked."""
    sources = sources_of_state(namespace)
    return [
        NeededTopic(
            name=topic.name, partitions=there.get(sources.get(topic.name, ""), topic.partitions),
            settings=topic.settings,
        )
        for topic in missing
    ]  # fmt: skip


async def _make(client: AIOKafkaAdminClient, topics: list[NeededTopic], replication: int) -> None:
    new = [
        NewTopic(one.name, one.partitions, replication, None, {**one.settings, **durability(replication)})
        for one in topics
    ]
    try:
        answer = await client.create_topics(new)
    except (KafkaError, TimeoutError) as fault:
        raise TopicsError(f"Kafka did not make the topics: {_said(fault)}") from None
    faults = []
    for name, code, *said in answer.topic_errors:
        # Made by another at this moment is as good as made by us.
        if code not in (0, TopicAlreadyExistsError.errno):
            reason = said[0] if said and said[0] else for_code(code).__name__
            faults.append(f"Kafka did not make topic {name} (copies: {replication}): {reason}")
    if faults:
        raise TopicsError("\n".join(faults))
    await _wait_until_led(client, {one.name for one in topics})


async def _wait_until_led(client: AIOKafkaAdminClient, names: set[str], seconds: float = 20.0) -> None:
    """Kafka answers before every partition has a leader; who reads the metadata in between finds no topic."""
    async with asyncio.timeout(seconds):
        while True:
            described = await client.describe_topics(sorted(names))
            if all(
                topic["error_code"] == 0 and all(one["error_code"] == 0 for one in topic["partitions"])
                for topic in described
            ):
                return
            await asyncio.sleep(0.05)


async def _partitions(client: AIOKafkaAdminClient) -> dict[str, int]:
    """Every topic of the cluster → its partitions."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics()}


async def _brokers(client: AIOKafkaAdminClient) -> int:
    return len((await client.describe_cluster())["brokers"])


async def _settings(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Topic → Kafka's name of a setting → its value."""
    if not names:
        return {}
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    resources: list[Any] = [resource for answer in answers for resource in answer.resources]
    return {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for resource in resources}


def _differences(topic: NeededTopic, partitions: int, settings: Mapping[str, str], partitions_asked: bool) -> list[str]:
    wrong = unmet(topic.settings, settings)
    found = [f"{name} is {value}, {topic.settings[name]} is needed" for name, value in wrong.items()]
    if partitions_asked and partitions != topic.partitions:
        # Never changed by us: what lies in a partition would no longer be where its key is looked for.
        found.insert(0, f"{partitions} partitions, {topic.partitions} were asked for: the number cannot be changed")
    return found


def _said(fault: BaseException) -> str:
    return f"{type(fault).__name__} {fault}".strip()
