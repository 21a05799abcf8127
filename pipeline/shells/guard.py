"""Once in effect: takes a batch from Faust, and lets it go only when outputs, then chunks of state, then heads of
state are acknowledged. Knows Faust and the order of writing; knows nothing of frames or verdicts.

Why each line is there stands in ARCHITECTURE.md, "Once in effect". In short: Faust gives at least once, its commit
can pass over unacknowledged records, records can vanish at start-up or rebalance, and its flush can give up.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from faust.types import TP, EventT, StreamT

from pipeline import topics
from pipeline.metrics import Sample
from pipeline.records import Origin
from pipeline.shells.exits import EXIT_FAILED, EXIT_HOLE, EXIT_NEVER_AGAIN, leave
from pipeline.shells.kafka_clients import Cluster
from pipeline.shells.lives import Lives
from pipeline.shells.log_offsets import ends_of, first_offset_from
from pipeline.shells.stages import Incoming
from pipeline.shells.tables import VersionedTable
from pipeline.shells.transport import App
from pipeline.shells.versions import ChunkTooLargeError, Entry, StateError, progress_entry

logger = logging.getLogger(__name__)

Apply = Callable[[Iterable[Sample]], None]


@dataclass(slots=True)
class Guard:
    """One stage's batches. Both stages of a worker share the lock: a rebalance waits for the batch in flight."""

    app: App
    cluster: Cluster
    lives: Lives
    table: VersionedTable
    lock: asyncio.Lock
    apply: Apply
    owned: bool = False
    """Between the end of a recovery and the next revocation."""
    revocations: int = 0
    partitions: frozenset[int] = frozenset()
    """Of the source, as they were assigned last."""
    next_offsets: dict[TP, int] = field(default_factory=dict)
    """Source partition → the offset that has to come next."""

    @property
    def source(self) -> str:
        return topics.TOPICS[self.lives.stage.source].full_name(self.lives.namespace)

    def revoked(self) -> None:
        self.owned = False
        self.revocations += 1

    async def restored(self) -> None:
        """The changelog of what is assigned has been read to its end; no stream goes on yet."""
        revocations = self.revocations
        assigned = sorted(one for one in self.app.consumer.assignment() if one.topic == self.source)
        self.partitions = frozenset(one.partition for one in assigned)
        self.table.versions.keep_only(self.partitions)
        ends = await ends_of(self.cluster, assigned)
        self.next_offsets = {one: self._start(one, *ends[one]) for one in assigned}
        self.lives.restored()
        self.apply(self.lives.gauges())
        # Taken away again while the log was asked: another recovery follows.
        self.owned = revocations == self.revocations

    def starts(self) -> Mapping[TP, int]:
        """Where the streams go on. The state alone decides: what Faust commits is for people who look at the lag."""
        return self.next_offsets if self.owned else {}

    def _start(self, place: TP, first: int, end: int) -> int:
        done = self.table.versions.progress.get(place.partition)
        if done is None:
            return first
        if done >= end:
            leave(
                EXIT_NEVER_AGAIN,
                f"{place.topic}/{place.partition} ends at {end} and the state holds its records up to {done}: the "
                f"topic was made anew. Use another namespace, or make {self.table.changelog_topic_name} anew too",
            )
        if done + 1 < first:
            logger.error(
                "%s/%d: records %d to %d were deleted before they were read; going on without them",
                place.topic, place.partition, done + 1, first - 1,
            )  # fmt: skip
        return max(done + 1, first)

    async def run(self, stream: StreamT[Any], batch_records: int, batch_seconds: float) -> None:
        """The agent: never returns, ends the process where a batch fails."""
        # Faust declares it on Stream, which is what comes, and not on StreamT.
        async for events in stream.noack_take(batch_records, within=batch_seconds):  # type: ignore[attr-defined]
            await self._guarded(self._step(stream, events))

    async def drop_finished(self) -> None:
        """Drop the state of runs that are over."""
        await self._guarded(self._drop_finished(time.time_ns()))

    async def _guarded(self, work: Awaitable[None]) -> None:
        async with self.lock:
            try:
                await work
            except asyncio.CancelledError:
                # What is at hand may be ahead of what is written.
                self.lives.at_hand.clear()
                raise
            except (ChunkTooLargeError, StateError) as fault:
                leave(EXIT_NEVER_AGAIN, str(fault))
            except BaseException:
                # Never on with a failed batch: later ones would be written over it.
                logger.exception("a batch of %s failed", self.source)
                leave(EXIT_FAILED, f"a batch of {self.source} failed; starting again from the state")

    async def _step(self, stream: StreamT[Any], events: list[EventT[Any]]) -> None:
        generation = self.app.consumer_generation_id
        # What an earlier owner's fetch left in the queue is neither used nor acknowledged.
        events = [event for event in events if self.owned and event.message.generation_id == generation]
        progress = await self._check_holes(events)
        # Progress is written last: what it covers is in outputs and state already.
        done = self.table.versions.progress
        new = [event for event in events if event.message.offset > done.get(event.message.partition, -1)]
        folded = self.lives.fold([_incoming(event) for event in new])
        changes = self.lives.changes(folded)
        await self._send_all([self._send(*one.message, one.partition) for one in folded.outgoing])
        await self._write([entry for change in changes for entry in change.entries])
        # In one partition, in this order, by an idempotent producer: progress is never without its heads.
        await self._write([change.head_entry for change in changes] + progress)
        gauges = self.lives.written(folded, changes)
        for entry in progress:
            self.table.versions.replay(entry.partition, entry.key, orjson.loads(entry.value or b""))
        for event in events:
            await stream.ack(event)
        self.apply(folded.samples)
        self.apply(gauges)

    async def _check_holes(self, events: list[EventT[Any]]) -> list[Entry]:
        """The progress these events make; ends the process where a record before one of them did not come."""
        done: dict[int, int] = {}
        for event in events:
            message = event.message
            expected = self.next_offsets[message.tp]
            if message.offset > expected:
                await self._check_gap(message.tp, expected, message.offset)
            self.next_offsets[message.tp] = max(expected, message.offset + 1)
            done[message.partition] = max(done.get(message.partition, -1), message.offset)
        before = self.table.versions.progress
        return [progress_entry(one, offset) for one, offset in done.items() if offset > before.get(one, -1)]

    async def _check_gap(self, place: TP, expected: int, came: int) -> None:
        """A producer's transactions and compaction leave offsets without a record; all else is a hole."""
        stands = await first_offset_from(self.cluster, place, expected)
        if stands != came:
            leave(
                EXIT_HOLE,
                f"{place.topic}/{place.partition}: record {expected} was not delivered, {came} came; starting again "
                "from the state",
            )

    async def _drop_finished(self, now: int) -> None:
        if not self.owned:
            return
        ends, leftovers = self.lives.finished(now)
        await self._write([end.head_entry for end in ends])
        self.lives.ended(ends)
        leftovers += [entry for end in ends for entry in self.table.versions.leftovers(end.owner, head=False)]
        await self._write(leftovers)
        for entry in leftovers:
            self.table.versions.replay(entry.partition, entry.key, None)
        self.apply(self.lives.gauges())

    async def _write(self, entries: list[Entry]) -> None:
        topic = self.table.changelog_topic_name
        await self._send_all(
            [self._send(topic, orjson.dumps(one.key), one.value, (), one.partition) for one in entries]
        )

    async def _send(
        self, topic: str, key: bytes, value: bytes | None, headers: topics.Headers, partition: int
    ) -> Awaitable[Any]:
        return await self.app.producer.send(topic, key, value, partition, None, list(headers))

    async def _send_all(self, sends: list[Any]) -> None:
        """Queued in their order; back when the broker has acknowledged every one."""
        acknowledged = [await send for send in sends]
        await asyncio.gather(*acknowledged)


def _incoming(event: EventT[Any]) -> Incoming:
    message = event.message
    headers: Mapping[str, bytes] = event.headers
    return Incoming(
        Origin(message.topic, message.partition, message.offset), message.key, message.value, headers,
        int(message.timestamp * 1e9),
    )  # fmt: skip
