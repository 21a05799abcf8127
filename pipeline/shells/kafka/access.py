"""Who may do what on a cluster: the least that each role needs, as one table and as the words of Kafka's own tool.
Knows the names of topics and of the workers' group; asks no cluster."""

from dataclasses import dataclass
from typing import Final, Literal

from pipeline.shells.kafka.topics_needed import STATE_TABLES, application_id, changelog_topic
from pipeline.topics import TOPICS, TopicName

Role = Literal["publisher", "worker", "subscriber", "operator", "administrator"]

ROLES: Final[dict[Role, str]] = {
    "publisher": "publishes frames; reads the heartbeat, which says what mission the workers have",
    "worker": "the Faust worker: takes frames and commands, says what came of them, keeps its state",
    "subscriber": "reads alerts, the ledger of flights and the heartbeat; writes nothing, belongs to no group",
    "operator": "gives commands, and reads what comes of them",
    "administrator": "makes the topics and compares them with what is needed",
}
"""Role → who that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One resource, and what a role may do with it. Kafka adds Describe to whoever may Read, Write or Alter."""

    resource: Literal["topic", "group"]
    name: str
    operations: tuple[str, ...]
    """In Kafka's words."""
    is_prefix: bool = False


def access(namespace: str, role: Role) -> tuple[Access, ...]:
    """The least that a role needs in a namespace."""

    def topic(name: TopicName, *operations: str) -> Access:
        return topic_access(namespace, name, *operations)

    def group(*operations: str) -> Access:
        return Access(resource="group", name=application_id(namespace), operations=operations)

    if role == "publisher":
        return topic("frames", "Write"), topic("heartbeat", "Read")
    if role == "worker":
        state = (changelog_topic(namespace, table) for table in STATE_TABLES)
        return (
            topic("frames", "Read", "Write"), topic("commands", "Read"), topic("telemetry", "Read", "Write"),
            topic("alerts", "Write"), topic("flights", "Write"), topic("rejected", "Write"),
            topic("heartbeat", "Read", "Write"),
            *(Access(resource="topic", name=name, operations=("Read", "Write")) for name in state),
            group("Read"),
        )  # fmt: skip
    if role == "subscriber":
        return topic("alerts", "Read"), topic("flights", "Read"), topic("heartbeat", "Read")
    if role == "operator":
        # How far the workers are with a command is asked of their group, and of the topics on its way.
        return (
            topic("commands", "Write"), topic("alerts", "Read"), topic("rejected", "Read"),
            topic("telemetry", "Describe"), group("Describe"),
        )  # fmt: skip
    operations = ("Create", "Alter", "DescribeConfigs", "AlterConfigs")
    return (Access(resource="topic", name=f"{namespace}.", operations=operations, is_prefix=True),)


def topic_access(namespace: str, name: TopicName, *operations: str) -> Access:
    return Access(resource="topic", name=TOPICS[name].full_name(namespace), operations=operations)


def acl_command(server: str, principal: str, one: Access) -> str:
    """The words of Kafka's `kafka-acls.sh` that allow it."""
    words = ["kafka-acls.sh --bootstrap-server", server, "--add --allow-principal", principal]
    words += [f"--operation {operation}" for operation in one.operations]
    if one.is_prefix:
        words.append("--resource-pattern-type prefixed")
    return " ".join([*words, f"--{one.resource}", one.name])


def role_principal(namespace: str, role: Role) -> str:
    """The user that is assumed where none is named."""
    return f"User:{namespace}-{role}"
