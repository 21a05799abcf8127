"""The stored states of a namespace, as a person looks at them and has them made anew. Knows Kafka, the changelogs and
the stages; runs beside the workers, and by the same rules (`versions`)."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import TopicPartition

from pipeline import topics
from pipeline.errors import RecordError, RelayWatchError
from pipeline.mission.model import Mission
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_admin import partitions_of
from pipeline.shells.kafka.topics_needed import changelog_topic
from pipeline.shells.kafka.unpacking import bound_batches
from pipeline.shells.worker.changelog import epoch_header, replay_record
from pipeline.shells.worker.lives import Lives
from pipeline.shells.worker.stages import PURE_FLOW, CommandStage, DecodeStage, Incoming, Outgoing, Stage, WatchStage
from pipeline.shells.worker.versions import HEAD, Entry, Owner, StateError, Versions
from pipeline.topics import TOPICS, TopicName

_BATCH_RECORDS: Final = 200
_ATTEMPTS: Final = 6
_PAUSE_SECONDS: Final = 2.0
"""So long after an attempt that a worker crossed: it sees the claim and starts again meanwhile."""


class RebuildError(RelayWatchError):
    """A state that is not made anew."""


class StateFound(NamedTuple):
    """One stored state."""

    table: str
    partition: int
    run: str
    name: str
    """The link or vehicle; empty where an entry of the changelog is of none."""
    offset: int | None
    """The last record of the source that it contains."""
    chunks: int
    fault: str
    """Why it cannot be used; empty where it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    topic: str
    partition: int
    records: int
    """Those that the state was made from."""
    first_kept: int
    """The first offset that the source still holds."""
    first: int | None
    """The offset of the first of the records, and Kafka's timestamp of it, nanoseconds."""
    began_at: int | None
    said: int
    """Outputs that were refused while the state was set aside, and are published now."""


def stages(namespace: str, mission: Mission, partitions: Mapping[TopicName, int]) -> Sequence[Stage]:
    return (
        DecodeStage(namespace, mission, partitions, PURE_FLOW),
        CommandStage(namespace, mission, partitions),
        WatchStage(namespace, mission, partitions, PURE_FLOW),
    )


async def check_states(cluster: Cluster, namespace: str, mission: Mission) -> list[StateFound]:
    """Every stored state, and whether it is whole. Raises as `Cluster.consumer` does."""
    bound_batches()
    partitions = await partitions_of(cluster, namespace)
    found: list[StateFound] = []
    for stage in stages(namespace, mission, partitions):
        versions = Versions()
        faults = await _read_changelog(cluster, namespace, stage.table, versions)
        found += [StateFound(stage.table, partition, "", "", None, 0, why) for partition, why in faults]
        found += _look_at(stage, Lives(stage, namespace, versions))
    return found


def _look_at(stage: Stage, lives: Lives) -> list[StateFound]:
    versions = lives.versions
    versions.find_unusable()
    found = []
    for owner, kept in sorted(versions.owners.items()):
        head = versions.head(owner)
        if head is None and owner not in versions.unusable:
            # What a first batch left half-written: the next worker drops it.
            continue
        lives.try_to_open(owner)
        offset = None if kept.head is None else kept.head.offset
        fault = versions.unusable.get(owner, "")
        found.append(
            StateFound(stage.table, kept.partition, *owner, offset, len(kept.those_of_head()), fault)
        )  # fmt: skip
    return found


async def _read_changelog(
    cluster: Cluster, namespace: str, table: str, versions: Versions, only: int | None = None
) -> list[tuple[int, str]]:
    """Faults of no owner, with their partitions."""
    faults = []
    async with cluster.consumer() as consumer:
        topic = changelog_topic(namespace, table)
        places = [one for one in await cluster.subscribe(consumer, topic) if only in (None, one.partition)]
        consumer.unsubscribe()
        consumer.assign(places)
        ends = await cluster.within(consumer.end_offsets(places))
        async with aclosing(cluster.read_until(consumer, ends)) as records:
            async for record in records:
                try:
                    replay_record(versions, record.partition, record.key, record.value, record.headers)
                except StateError as fault:
                    faults.append((record.partition, f"{topic}/{record.partition}@{record.offset}: {fault}"))
        for place, end in ends.items():
            versions.read_to(place.partition, end)
    return faults


async def rebuild(cluster: Cluster, namespace: str, mission: Mission, source: TopicName, owner: Owner) -> Rebuilt:
    """Make a state anew from what its source still holds, up to where the workers are.

    Raises RebuildError where it is whole, or where workers come in between again and again; else as `Cluster.consumer`.
    """
    bound_batches()
    partitions = await partitions_of(cluster, namespace)
    stage = next(one for one in stages(namespace, mission, partitions) if one.source == source)
    place_of = topics.link_partition if source == "frames" else topics.vehicle_partition
    place = TopicPartition(TOPICS[source].full_name(namespace), place_of(mission, owner.name, partitions[source]))
    making = _Making(cluster, namespace, stage, owner, place)
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_PAUSE_SECONDS)
        if await making.attempt(is_first=attempt == 0):
            return making.result
    raise RebuildError(
        f"state of {owner} was not made anew: workers took {place.topic}/{place.partition} over {_ATTEMPTS} times "
        "meanwhile. See why they start again and again, and say it once more"
    )


@dataclass(slots=True)
class _Making:
    cluster: Cluster
    namespace: str
    stage: Stage
    owner: Owner
    place: TopicPartition
    lives: Lives = field(init=False)
    """The state as it is made: nothing of it is written before it is up to date."""
    next_offset: int = 0
    records: int = 0
    first_kept: int = 0
    first: Incoming | None = None
    said_up_to: int = -1
    outgoing: list[Outgoing] = field(default_factory=list)
    """Of the records that the state that is set aside does not contain."""

    def __post_init__(self) -> None:
        self.lives = Lives(self.stage, self.namespace, Versions())

    @property
    def result(self) -> Rebuilt:
        return Rebuilt(
            topic=self.place.topic, partition=self.place.partition, records=self.records, first_kept=self.first_kept,
            first=None if self.first is None else self.first.origin.offset,
            began_at=None if self.first is None else self.first.timestamp, said=len(self.outgoing),
        )  # fmt: skip

    async def attempt(self, *, is_first: bool) -> bool:
        """Whether the state is there, and whole."""
        await self._catch_up(await self._stored(is_first=is_first))
        # What came while the records were read.
        stored = await self._stored(is_first=False)
        await self._catch_up(stored)
        async with self.cluster.producer() as producer:
            for one in self.outgoing:
                await self._send(producer, one.message.topic, one.partition, one.message)
            claim = stored.claim(self.place.partition)
            at = await self._write(producer, stored, claim)
            if at != stored.ends[self.place.partition]:
                return False
            for entry in self._entries(stored):
                await self._write(producer, stored, entry)
        return self._is_whole(await self._stored(is_first=False))

    async def _stored(self, *, is_first: bool) -> Versions:
        versions = Versions()
        faults = await _read_changelog(
            self.cluster, self.namespace, self.stage.table, versions, only=self.place.partition
        )
        if faults:
            raise RebuildError(f"{faults[0][1]}: not a matter of one state. See `relaywatch state check`")
        versions.find_unusable()
        if is_first:
            Lives(self.stage, self.namespace, versions).try_to_open(self.owner)
            if self.owner in versions.owners and self.owner not in versions.unusable:
                raise RebuildError(f"state of {self.owner} is whole: there is nothing to make anew")
            kept = versions.owners.get(self.owner)
            head = None if kept is None else kept.head
            self.said_up_to = versions.progress.get(self.place.partition, -1) if head is None else head.offset
        return versions

    async def _catch_up(self, stored: Versions) -> None:
        """Take the records up to where the workers are done."""
        end = stored.progress.get(self.place.partition, -1) + 1
        batch: list[Incoming] = []
        async with aclosing(self._source(end)) as records:
            async for incoming in records:
                # What was said before is not said again: where records are no longer kept it would be something else.
                is_border = bool(batch) and batch[-1].origin.offset <= self.said_up_to < incoming.origin.offset
                if is_border or len(batch) == _BATCH_RECORDS:
                    self._take(batch)
                    batch = []
                batch.append(incoming)
        self._take(batch)
        self.next_offset = max(self.next_offset, end)

    async def _source(self, end: int) -> AsyncGenerator[Incoming, None]:
        """The owner's records before an offset, those that were taken left out."""
        async with self.cluster.consumer() as consumer:
            consumer.assign([self.place])
            first = (await self.cluster.within(consumer.beginning_offsets([self.place])))[self.place]
            self.first_kept = self.first_kept or first
            start = max(self.next_offset, first)
            if start >= end:
                return
            consumer.seek(self.place, start)
            async with aclosing(self.cluster.read_until(consumer, {self.place: end})) as records:
                async for record in records:
                    incoming = Incoming.of(record)
                    try:
                        parsed = self.stage.parse(incoming)
                    except (RecordError, MemoryError):
                        continue
                    if parsed.owner == self.owner:
                        yield incoming

    def _take(self, batch: Sequence[Incoming]) -> None:
        if not batch:
            return
        self.first = self.first or batch[0]
        self.records += len(batch)
        for folded, changes, _ in self.lives.take(batch):
            self.lives.written(folded, changes)
            if batch[-1].origin.offset > self.said_up_to:
                rejected = TOPICS["rejected"].full_name(self.namespace)
                self.outgoing += [one for one in folded.outgoing if one.message.topic != rejected]

    def _entries(self, stored: Versions) -> list[Entry]:
        """Drop what is stored, then the chunks that were made, then their head."""
        made = self.lives.versions.owners.get(self.owner)
        chunks = {} if made is None else made.those_of_head()
        entries = [
            Entry(self.owner.key(name), None, self.place.partition)
            for name in sorted(stored.names(self.owner) - chunks.keys() - ({HEAD} if made is not None else set()))
        ]
        if made is not None:
            entries += self.lives.versions.entries(self.owner)
        return entries

    def _is_whole(self, stored: Versions) -> bool:
        if self.owner in stored.unusable:
            return False
        made, found = self.lives.versions.owners.get(self.owner), stored.owners.get(self.owner)
        if made is None or found is None:
            return made is found
        return made.head is not None and found.head is not None and found.head.offset >= made.head.offset

    async def _write(self, producer: Any, stored: Versions, entry: Entry) -> int:
        """The offset at which it stands."""
        topic, key = changelog_topic(self.namespace, self.stage.table), orjson.dumps(entry.key)
        sent = producer.send_and_wait(
            topic, entry.value, key, partition=entry.partition,
            headers=list(epoch_header(stored.epochs[entry.partition])),
        )  # fmt: skip
        return int((await self.cluster.within(sent)).offset)

    async def _send(self, producer: Any, topic: str, partition: int, message: topics.Message) -> None:
        await self.cluster.within(
            producer.send_and_wait(
                topic, message.value, message.key, partition=partition, headers=list(message.headers)
            )
        )
