"""A namespace's topics as they stand on a cluster against what is needed: what differs, and the command that puts it
right. Knows Kafka's names and tools; asks no broker."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from pipeline.shells.kafka.topics_needed import NeededTopic, durability

_NO_LIMIT: Final = -1
_AT_LEAST: Final = frozenset({"retention.ms", "retention.bytes", "max.message.bytes", "min.compaction.lag.ms"})
"""Settings of which more does no harm; -1 of a retention is more than any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingTopic:
    """One topic as it is."""

    name: str
    replicas: Sequence[Sequence[int]]
    """Of each partition in its order: the brokers that have a copy, the preferred leader first."""
    settings: Mapping[str, str]

    @property
    def copies(self) -> int:
        return min((len(one) for one in self.replicas), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is not as it must be, and what a person types against it."""

    found: str
    change: str


def unmet(needed: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """The needed settings that are not met: their names → what was found."""
    return {name: found.get(name, "") for name, value in needed.items() if not _meets(name, value, found.get(name, ""))}


def _meets(name: str, needed: str, found: str) -> bool:
    if name not in _AT_LEAST or not found.lstrip("-").isdecimal():
        return needed == found
    if int(found) == _NO_LIMIT or int(needed) == _NO_LIMIT:
        return int(found) == _NO_LIMIT
    return int(found) >= int(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The commands that change a topic, complete with where and as whom."""

    bootstrap: str
    namespace: str
    command_config: str = ""
    """File with the client's security settings, for Kafka's own tools; empty: none is needed."""

    def create(self) -> str:
        return f"relaywatch topics create --kafka {self.bootstrap} --namespace {self.namespace}"

    def configure(self, topic: str, settings: Mapping[str, str]) -> str:
        said = ",".join(f"{name}={value}" for name, value in settings.items())
        return f"{self._kafka('configs')} --alter --entity-type topics --entity-name {topic} --add-config {said}"

    def make_anew(self, topic: str) -> str:
        return f"{self._kafka('topics')} --delete --topic {topic} && {self.create()}"

    def place(self, topic: str, replicas: Iterable[Sequence[int]]) -> str:
        plan = {
            "version": 1,
            "partitions": [
                {"topic": topic, "partition": partition, "replicas": list(brokers)}
                for partition, brokers in enumerate(replicas)
            ],
        }
        # The tool takes a file; bash makes one of a text.
        text = shlex.quote(orjson.dumps(plan).decode())
        return f"{self._kafka('reassign-partitions')} --execute --reassignment-json-file <(echo {text})"

    def _kafka(self, tool: str) -> str:
        as_whom = f" --command-config {self.command_config}" if self.command_config else ""
        return f"kafka-{tool}.sh --bootstrap-server {self.bootstrap}{as_whom}"


def differences(
    needed: NeededTopic, standing: StandingTopic | None, *, source: StandingTopic | None, partitions_asked: bool,
    copies: int, brokers: Sequence[int], tools: Tools,
) -> list[Difference]:  # fmt: skip
    """What must change of one topic; nothing where it is as it should be.

    `source`: of a changelog the topic that it follows; `copies`: how many there must be at least; `brokers`: those of
    the cluster.
    """
    if standing is None:
        return [Difference(found="is not there", change=tools.create())]
    found = list(_of_partitions(needed, standing, source, partitions_asked, tools))
    enough = max(copies, standing.copies)
    if standing.copies < copies:
        found.append(
            Difference(
                found=f"{_number(standing.copies, 'copy', 'copies')} of a partition, {copies} are needed",
                change=tools.place(needed.name, _more_copies(standing.replicas, copies, brokers)),
            )
        )
    wanted = {**needed.settings, **durability(enough)}
    if wrong := unmet(wanted, standing.settings):
        found.append(
            Difference(
                found=", ".join(f"{name} is {value}, {wanted[name]} is needed" for name, value in wrong.items()),
                change=tools.configure(needed.name, {name: wanted[name] for name in wrong}),
            )
        )
    return found


def _of_partitions(
    needed: NeededTopic, standing: StandingTopic, source: StandingTopic | None, partitions_asked: bool, tools: Tools
) -> Iterable[Difference]:
    there = len(standing.replicas)
    if source is not None and there != len(source.replicas):
        yield Difference(
            found=f"{_number(there, 'partition', 'partitions')}, {source.name} has {len(source.replicas)}: state lives "
            "where its records come in. Made anew, it is computed again from what that topic still holds",
            change=tools.make_anew(needed.name),
        )
    elif source is None and partitions_asked and there != needed.partitions:
        # What lies in a partition would no longer be where its key is looked for.
        yield Difference(
            found=f"{_number(there, 'partition', 'partitions')}, {needed.partitions} were asked for: the number cannot "
            "be changed under records that are there; take a namespace of its own for it",
            change=f"relaywatch topics create --kafka {tools.bootstrap} --namespace "
            f"{tools.namespace}-{needed.partitions} --partitions {needed.partitions}",
        )


def _more_copies(replicas: Iterable[Sequence[int]], copies: int, brokers: Sequence[int]) -> Iterable[list[int]]:
    """Each partition keeps those that it has; the new ones go round the other brokers."""
    for partition, there in enumerate(replicas):
        others = [one for one in sorted(brokers) if one not in there]
        start = partition % len(others) if others else 0
        yield [*there, *[*others[start:], *others[:start]][: copies - len(there)]]


def _number(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
