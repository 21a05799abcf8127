"""The topics that a namespace needs, as Kafka is told of them. Knows Kafka's names of settings; asks no broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.topics import TOPICS, TopicName

STATE_TABLES: Final[Mapping[str, TopicName]] = {
    "links": "frames",
    "commands": "commands",
    "vehicles": "telemetry",
}
"""Table of the worker → the topic whose partitions its state follows."""
_DAY_MS: Final = 86_400_000
_COMPACTION_LAG_MS: Final = _DAY_MS
"""A worker thought dead may still write old state: while both records are in the log, replay takes the newer."""
_STATE_OCTETS: Final = 1 << 20
_LEADERS: Final = {"unclean.leader.election.enable": "false"}
"""A copy that lacks acknowledged records never leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededTopic:
    """One topic as it should be."""

    name: str
    partitions: int
    settings: Mapping[str, str]
    """Kafka's own names → values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long raw frames and telemetry are kept, where it is not what TOPICS says: whichever comes first."""

    days: int | None = None
    gibibytes: int | None = None
    """Of one partition."""


AS_TOPICS_SAY: Final = Kept()
_KEPT_AS_ASKED: Final = ("frames", "telemetry")


def application_id(namespace: str) -> str:
    """Faust's app id and the consumer group. Under the namespace's prefix, as the topics are: one rule of access
    then covers all."""
    return f"{namespace}.worker"


def changelog_topic(namespace: str, table: str) -> str:
    """Where Faust looks for the changelog of a table."""
    return f"{application_id(namespace)}-{table}-changelog"


def needed_topics(
    namespace: str, partitions: int | None = None, kept: Kept = AS_TOPICS_SAY
) -> list[NeededTopic]:  # fmt: skip
    """All topics of a namespace. `partitions` is for those that have several; None: as TOPICS says."""
    needed = []
    for topic in TOPICS.values():
        count = topic.partitions if partitions is None or topic.partitions == 1 else partitions
        days, gibibytes = (kept.days, kept.gibibytes) if topic.name in _KEPT_AS_ASKED else (None, None)
        settings = {
            "cleanup.policy": topic.cleanup_policy,
            "retention.ms": str(topic.retention_ms if days is None else days * _DAY_MS),
            "retention.bytes": str(topic.retention_octets if gibibytes is None else gibibytes << 30),
            "max.message.bytes": str(topic.max_message_octets),
            # Retention and the end of a run go by processing time, whatever clock a producer has.
            "message.timestamp.type": "LogAppendTime",
            **_LEADERS,
        }
        needed.append(NeededTopic(name=topic.full_name(namespace), partitions=count, settings=settings))
    counts = {topic.name: topic.partitions for topic in needed}
    for table, source in STATE_TABLES.items():
        needed.append(
            NeededTopic(
                name=changelog_topic(namespace, table),
                partitions=counts[TOPICS[source].full_name(namespace)],
                settings={
                    "cleanup.policy": "compact",
                    "min.compaction.lag.ms": str(_COMPACTION_LAG_MS),
                    "max.message.bytes": str(_STATE_OCTETS),
                    # A worker whose clock is ahead would have each batch refused.
                    "message.timestamp.type": "LogAppendTime",
                    **_LEADERS,
                },
            )
        )
    return needed


def durability(copies: int) -> dict[str, str]:
    """With three copies an acknowledged record is in two, and one broker may be away."""
    return {"min.insync.replicas": "2" if copies > 2 else "1"}


def sources_of_state(namespace: str) -> dict[str, str]:
    """Changelog → the topic that it follows."""
    return {
        changelog_topic(namespace, table): TOPICS[source].full_name(namespace) for table, source in STATE_TABLES.items()
    }
