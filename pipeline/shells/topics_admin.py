"""The topics of a namespace on a cluster: makes those that are missing, says what differs, and tells the worker how
many partitions each has. Knows Kafka's admin requests; knows nothing of what is in a topic."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka_clients import Cluster
from pipeline.topics import TOPICS, TopicName

STATE_TABLES: Final[Mapping[str, TopicName]] = {
    "links": "frames",
    "commands": "commands",
    "vehicles": "telemetry",
}
"""Table of the worker → the topic whose partitions its state follows."""
_COMPACTION_LAG_MS: Final = 86_400_000
"""A worker thought dead may still write old state: while both records are in the log, replay takes the newer."""
_REPLICATION_WHERE_IT_CAN_BE: Final = 3


class TopicsError(RelayWatchError):
    """Topics that are not as the program needs them, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededTopic:
    """One topic as it should be."""

    name: str
    partitions: int
    settings: Mapping[str, str]
    """Kafka's own names → values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFound:
    """What `create_topics` found or did."""

    name: str
    partitions: int
    outcome: Literal["made", "exists", "differs"]
    differences: tuple[str, ...] = ()


def application_id(namespace: str) -> str:
    """Faust's app id and the consumer group. Under the namespace's prefix, as the topics are: one rule of access
    then covers all."""
    return f"{namespace}.worker"


def changelog_topic(namespace: str, table: str) -> str:
    """Where Faust looks for the changelog of a table."""
    return f"{application_id(namespace)}-{table}-changelog"


def needed_topics(namespace: str, partitions: int | None = None) -> list[NeededTopic]:
    """All topics of a namespace. `partitions` is for those that have several; None: as TOPICS says."""
    needed = []
    for topic in TOPICS.values():
        count = topic.partitions if partitions is None or topic.partitions == 1 else partitions
        settings = {
            "cleanup.policy": topic.cleanup_policy,
            "retention.ms": str(topic.retention_ms),
            "max.message.bytes": str(topic.max_message_octets),
            # Retention and the end of a run go by processing time, whatever clock a producer has.
            "message.timestamp.type": "LogAppendTime",
        }
        needed.append(NeededTopic(name=topic.full_name(namespace), partitions=count, settings=settings))
    counts = {topic.name: topic.partitions for topic in needed}
    for table, source in STATE_TABLES.items():
        needed.append(
            NeededTopic(
                name=changelog_topic(namespace, table),
                partitions=counts[TOPICS[source].full_name(namespace)],
                settings={"cleanup.policy": "compact", "min.compaction.lag.ms": str(_COMPACTION_LAG_MS)},
            )
        )
    return needed


async def create_topics(
    cluster: Cluster, namespace: str, *, partitions: int | None = None, replication: int | None = None
) -> list[TopicFound]:
    """Make the topics of a namespace that are not there. What is there is left as it is, and what differs is named.

    `replication` None: three, or as many as the cluster has brokers. Raises TopicsError where Kafka refuses, and
    reach.KafkaUnreachableError.
    """
    async with cluster.admin() as client:
        there = await _partitions(client)
        needed = needed_topics(namespace, partitions)
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


async def partitions_of(cluster: Cluster, namespace: str) -> dict[TopicName, int]:
    """How many partitions each topic has on the cluster.

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
                f"topic {state} has {there[state]} partitions and {topic} has {there[topic]}: they must have the same "
                "number, since state lives where its records come in; use another namespace, or make both anew"
            )
    if faults:
        raise TopicsError("\n".join(faults))
    return {name: there[topic.full_name(namespace)] for name, topic in TOPICS.items()}


def _following_their_source(
    namespace: str, missing: list[NeededTopic], there: Mapping[str, int]
) -> list[NeededTopic]:  # fmt: skip
    """A changelog that is made beside a source that is there has the source's partitions, whatever was asked."""
    sources = {
        changelog_topic(namespace, table): TOPICS[source].full_name(namespace) for table, source in STATE_TABLES.items()
    }
    return [
        NeededTopic(
            name=topic.name, partitions=there.get(sources.get(topic.name, ""), topic.partitions),
            settings=topic.settings,
        )
        for topic in missing
    ]  # fmt: skip


async def _make(client: AIOKafkaAdminClient, topics: list[NeededTopic], replication: int) -> None:
    # With three copies an acknowledged record is in two, and one broker may be away.
    durable = {"min.insync.replicas": "2" if replication > 2 else "1"}
    new = [NewTopic(one.name, one.partitions, replication, None, {**one.settings, **durable}) for one in topics]
    try:
        answer = await client.create_topics(new)
    except (KafkaError, TimeoutError) as fault:
        raise TopicsError(f"Kafka did not make the topics: {_said(fault)}") from None
    faults = []
    for name, code, *said in answer.topic_errors:
        # Made by another at this moment is as good as made by us.
        if code not in (0, TopicAlreadyExistsError.errno):
            reason = said[0] if said and said[0] else for_code(code).__name__
            faults.append(f"Kafka did not make topic {name} with {replication} copies: {reason}")
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
    found = [
        f"{name} is {settings.get(name)}, {value} is needed"
        for name, value in topic.settings.items()
        if settings.get(name) != value
    ]
    if partitions_asked and partitions != topic.partitions:
        # Never changed by us: what lies in a partition would no longer be where its key is looked for.
        found.insert(0, f"{partitions} partitions, {topic.partitions} were asked for: the number cannot be changed")
    return found


def _said(fault: BaseException) -> str:
    return f"{type(fault).__name__} {fault}".strip()
