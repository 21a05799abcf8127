"""Once in effect: takes a batch from Faust, and lets the commit move only when outputs, then chunks of state, then
heads of state are acknowledged. Knows Faust and the order of writing; knows nothing of frames or verdicts.

Why each line is there stands in ARCHITECTURE.md, "Once in effect". In short: Faust gives at least once, its commit
can pass over unacknowledged records, records can vanish at start-up or rebalance, and its flush can give up.
"""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import faust
import orjson
from faust.types import TP, EventT, StreamT

from pipeline import metrics, topics
from pipeline.errors import RecordError
from pipeline.metrics import Sample
from pipeline.records import Origin, OriginKind, Run
from pipeline.shells.stages import Incoming, Live, Outgoing, Parsed, Stage
from pipeline.shells.tables import VersionedTable
from pipeline.shells.versions import Change, ChunkTooLargeError, Entry, Owner, progress_entry
from pipeline.topics import Rejected

logger = logging.getLogger(__name__)

EXIT_FAILED: Final = 70
"""A batch failed: start again from commit and changelog."""
EXIT_HOLE: Final = 71
"""A record was not delivered, or the commit is ahead of the state."""
EXIT_NEVER_AGAIN: Final = 78
"""A fault that no restart cures."""

Apply = Callable[[Iterable[Sample]], None]


@dataclass(slots=True)
class Guard:
    """One stage's batches. Both stages of a worker share the lock: a rebalance waits for the batch in flight."""

    app: faust.App
    stage: Stage
    table: VersionedTable
    namespace: str
    lock: asyncio.Lock
    apply: Apply
    owned: bool = False
    """Between the end of a recovery and the next revocation."""
    lives: dict[Owner, Live] = field(default_factory=dict)
    next_offsets: dict[TP, int] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return topics.TOPICS[self.stage.source].full_name(self.namespace)

    def revoked(self) -> None:
        self.owned = False

    def restored(self, partitions: set[int]) -> None:
        """The changelog of these partitions has been read to its end; no stream goes on yet."""
        self.next_offsets.clear()
        self.lives.clear()
        self.table.versions.keep_only(partitions)
        for owner in self.table.versions.owners:
            self._live(owner, None)
        self._apply_gauges({(owner.name, live.run.origin) for owner, live in self.lives.items()})
        self.owned = True

    async def run(self, stream: StreamT[Any], batch_records: int, batch_seconds: float) -> None:
        """The agent: never returns, ends the process where a batch fails."""
        # Faust declares it on Stream, which is what comes, and not on StreamT.
        async for events in stream.noack_take(batch_records, within=batch_seconds):  # type: ignore[attr-defined]
            async with self.lock:
                try:
                    await self._step(stream, events)
                except asyncio.CancelledError:
                    raise
                except ChunkTooLargeError as fault:
                    leave(EXIT_NEVER_AGAIN, str(fault))
                except BaseException:
                    # Never on with a failed batch: later ones would be committed over it.
                    logger.exception("a batch of %s failed", self.source)
                    leave(EXIT_FAILED, f"a batch of {self.source} failed; starting again from what is committed")

    async def _step(self, stream: StreamT[Any], events: list[EventT[Any]]) -> None:
        generation = self.app.consumer_generation_id
        # What an earlier owner's fetch left in the queue is neither used nor acknowledged.
        events = [event for event in events if self.owned and event.message.generation_id == generation]
        progress = self._check_holes(events)
        outgoing, samples, touched = self._fold(events)
        changes = [
            change for owner, (live, partition) in touched.items()
            if (change := self._change(owner, live, partition)) is not None
        ]  # fmt: skip
        await self._send_all([self._send(*one.message, one.partition) for one in outgoing])
        await self._write([entry for change in changes for entry in change.entries])
        await self._write([change.head_entry for change in changes] + progress)
        for change in changes:
            self.table.versions.take(change)
        for entry in progress:
            self.table.versions.replay(entry.partition, entry.key, orjson.loads(entry.value or b""))
        for event in events:
            await stream.ack(event)
        self.apply(samples)
        self._apply_gauges({(owner.name, live.run.origin) for owner, (live, _) in touched.items()})

    def _check_holes(self, events: list[EventT[Any]]) -> list[Entry]:
        """The progress these events make; ends the process where a record before one of them did not come."""
        done: dict[int, int] = {}
        for event in events:
            message = event.message
            expected = self.next_offsets.get(message.tp)
            if expected is None:
                progress = self.table.versions.progress.get(message.partition)
                expected = message.offset if progress is None else min(message.offset, progress + 1)
            if message.offset > expected:
                leave(
                    EXIT_HOLE,
                    f"{message.topic}/{message.partition}: record {expected} was expected and {message.offset} came; "
                    "starting again from what is committed",
                )
            self.next_offsets[message.tp] = max(expected, message.offset + 1)
            done[message.partition] = max(done.get(message.partition, -1), message.offset)
        before = self.table.versions.progress
        return [progress_entry(one, offset) for one, offset in done.items() if offset > before.get(one, -1)]

    def _fold(self, events: list[EventT[Any]]) -> tuple[list[Outgoing], list[Sample], dict[Owner, tuple[Live, int]]]:
        """Record by record in order of offset: what comes out does not depend on how they were grouped."""
        outgoing: list[Outgoing] = []
        samples: list[Sample] = []
        touched: dict[Owner, tuple[Live, int]] = {}
        for event in events:
            incoming = _incoming(event)
            try:
                parsed = self.stage.parse(incoming)
                live = self._live(parsed.owner, parsed)
                if incoming.origin.offset <= live.offset:
                    continue
                made, counted = self.stage.fold(live, parsed, incoming)
            except RecordError as fault:
                outgoing.append(self._reject(incoming, fault))
                samples.append(Sample(metrics.REJECTED, (fault.reason,), 1))
                continue
            live.offset = incoming.origin.offset
            touched[parsed.owner] = live, incoming.origin.partition
            outgoing += made
            samples += counted
        return outgoing, samples, touched

    def _live(self, owner: Owner, parsed: Parsed | None) -> Live:
        live = self.lives.get(owner)
        if live is None:
            found = self.table.versions.read(owner)
            if found is None:
                live = self.stage.open(None, {}, -1, parsed.run if parsed is not None else Run())
            else:
                offset, head, chunks = found
                run = Run(id=owner.run, origin=head["origin"])
                live = self.stage.open({"": head["state"], **chunks}, head["counts"], offset, run)
            self.lives[owner] = live
        return live

    def _change(self, owner: Owner, live: Live, partition: int) -> Change | None:
        changes = live.state.take_changes()
        if not changes:
            return None
        about = {"counts": metrics.as_json(live.counts), "origin": live.run.origin}
        return self.table.versions.change(owner, partition, live.offset, changes, about)

    def _reject(self, incoming: Incoming, fault: RecordError) -> Outgoing:
        rejected = Rejected(
            reason=fault.reason, message=str(fault), origin=incoming.origin, key=incoming.key,
            headers=incoming.headers, value=incoming.value,
        )  # fmt: skip
        logger.warning("%s rejected (%s): %s", incoming.origin, fault.reason, fault)
        message = topics.rejected_message(self.namespace, rejected, topics.run_of(incoming.headers), incoming.timestamp)
        return Outgoing(message, 0)

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

    def _apply_gauges(self, places: set[tuple[str, OriginKind]]) -> None:
        for name, origin in places:
            lives = [one for owner, one in self.lives.items() if owner.name == name and one.run.origin == origin]
            self.apply(self.stage.gauges(name, origin, lives))


def _incoming(event: EventT[Any]) -> Incoming:
    message = event.message
    headers: Mapping[str, bytes] = event.headers
    return Incoming(
        Origin(message.topic, message.partition, message.offset), message.key, message.value, headers,
        int(message.timestamp * 1e9),
    )  # fmt: skip


def leave(status: int, message: str) -> NoReturn:
    """End the process at once, past every clean-up: nothing may be committed any more."""
    logger.error("%s", message)
    logging.shutdown()
    os._exit(status)


def by_partition(assigned: Iterable[TP]) -> dict[str, set[int]]:
    """Topic → partitions."""
    partitions: dict[str, set[int]] = defaultdict(set)
    for one in assigned:
        partitions[one.topic].add(one.partition)
    return partitions
