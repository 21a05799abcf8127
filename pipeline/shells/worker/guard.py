"""Once in effect: takes a batch from Faust, and lets it go only when outputs, then chunks of state, then heads of
state are acknowledged. Knows Faust and the order of writing; knows nothing of frames or verdicts.

Why each line is there stands in ARCHITECTURE.md, "Once in effect". In short: Faust gives at least once, its commit
can pass over unacknowledged records, records can vanish at start-up or rebalance, and its flush can give up.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson
from aiokafka import ConsumerRecord
from aiokafka.errors import InvalidTimestampError, KafkaError
from faust.types import TP

from pipeline import topics
from pipeline.errors import RelayWatchError
from pipeline.records import Origin
from pipeline.set_aside import SettingAside
from pipeline.shells.exits import EXIT_FAILED, EXIT_HOLE, EXIT_NEVER_AGAIN, leave
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.log_offsets import LogEnds, ends_of, first_offset_from, first_record_from, stands_from
from pipeline.shells.kafka.topic_ids import topic_ids
from pipeline.shells.worker.changelog import epoch_header
from pipeline.shells.worker.folding import Folded, range_said
from pipeline.shells.worker.inbox import Inbox, Waiting
from pipeline.shells.worker.lives import Lives, Place
from pipeline.shells.worker.meter import Meter
from pipeline.shells.worker.stages import Incoming, claimed_origin
from pipeline.shells.worker.tables import VersionedTable
from pipeline.shells.worker.transport import App, Outbound, Producer, Written
from pipeline.shells.worker.versions import Entry, progress_entry

logger = logging.getLogger(__name__)

_FORGOTTEN: Final = -1
"""Instead of an offset: the broker has the records, and has forgotten where."""
_QUIET_SECONDS: Final = 2.0
"""Where nothing came for so long, what was passed over is said."""


@dataclass(slots=True)
class Guard:
    """One stage's batches."""

    app: App
    cluster: Cluster
    lives: Lives
    table: VersionedTable
    inbox: Inbox
    meter: Meter
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a batch is in flight: a rebalance waits for it."""
    owned: bool = False
    """Between the end of a recovery and the next revocation."""
    revocations: int = 0
    partitions: frozenset[int] = frozenset()
    """Of the source, as they were assigned last."""
    next_offsets: dict[TP, int] = field(default_factory=dict)
    """Source partition → the offset that has to come next."""
    origins: LogEnds | None = None
    """How far the logs reach from which the records of the source say that they were made; None: they say nothing."""
    topic_id: str = ""
    """Kafka's, of the source; empty where it gives none."""
    taken_at: dict[int, float] = field(default_factory=dict)
    """Source partition → when the last record of it was taken, on this process's own clock."""

    @property
    def source(self) -> str:
        return topics.TOPICS[self.lives.stage.source].full_name(self.lives.namespace)

    def revoked(self) -> None:
        if self.owned and self.partitions:
            logger.info("%s: partitions %s are revoked", self.source, _listed(self.partitions))
        self.owned = False
        self.revocations += 1
        self.meter.withdrawn()

    async def restored(self) -> None:
        """The changelog of what is assigned has been read to its end; no stream goes on yet."""
        revocations = self.revocations
        assigned = sorted(one for one in self.app.consumer.assignment() if one.topic == self.source)
        self.partitions = frozenset(one.partition for one in assigned)
        self.table.versions.keep_only(self.partitions | self._read_back())
        ends = await ends_of(self.cluster, assigned)
        if assigned:
            self.topic_id = (await topic_ids(self.cluster, [self.source])).get(self.source, "")
        for place in assigned:
            self.check_topic(self.table.versions.topic_ids.get(place.partition, ""), self.topic_id)
        self.next_offsets = {one: self._start(one, *ends[one]) for one in assigned}
        await self._guarded(self._take_over(revocations))
        self.inbox.clear()
        if revocations == self.revocations:
            self.meter.assigned(self.partitions)
        # Taken away again while the log was asked: another recovery follows.
        self.owned = revocations == self.revocations
        if self.owned and assigned:
            starts = ", ".join(f"{one.partition} from offset {self.next_offsets[one]}" for one in assigned)
            logger.info("%s: assigned partitions %s", self.source, starts)
        self.taken_at = {one.partition: time.monotonic() for one in assigned}

    def check_topic(self, before: str, now: str) -> None:
        """Ends the process where the source has another id than before: it was made anew, and what stands in it at an
        offset is not what the state has of it. Kafka before 2.8 gives no ids."""
        if before and now and before != now:
            leave(
                EXIT_NEVER_AGAIN,
                f"{self.source} is another topic ({now}) than the one whose records the state holds ({before}): it was "
                f"deleted and made anew. Use another namespace, or make {self.table.changelog_topic_name} anew too",
            )

    async def _take_over(self, revocations: int) -> None:
        """Claim the partitions and mend their changelogs (`versions`), and only then use what was read."""
        versions, partitions = self.table.versions, sorted(self.partitions)
        if revocations == self.revocations:
            await self._write([versions.claim(partition) for partition in partitions])
            mends = [entry for partition in partitions for entry in versions.mend(partition)]
            await self._write(mends)
            if mends:
                logger.info(
                    "%s: %d entries mended that a worker left half-written", self.table.changelog_topic_name, len(mends)
                )
        versions.find_unusable()
        for why in versions.unusable.values():
            logger.error("%s; it is set aside, everything else goes on: see `relaywatch state check`", why)
        self.lives.restored()

    def _read_back(self) -> set[int]:
        """Partitions whose changelog is read. Those of a source that was deleted are among them: when it is there again
        Faust does not read them again, and what was forgotten would be missing."""
        changelog = self.table.changelog_topic_name
        return {one.partition for one in self.app.consumer.assignment() if one.topic == changelog}

    def starts(self) -> Mapping[TP, int]:
        """Where the streams go on. The state alone decides: what Faust commits is for people who look at the lag."""
        return self.next_offsets if self.owned else {}

    def done(self) -> Mapping[TP, int]:
        """The offset after the last record of each partition that is let go."""
        done = self.table.versions.progress
        return {place: done[place.partition] + 1 for place in self.next_offsets if place.partition in done}

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
            _say_deleted(place, done + 1, first)
        return max(done + 1, first)

    async def run(self) -> None:
        """The agent: never returns, ends the process where a batch fails."""
        while True:
            taken = await self.inbox.take(self.app.consumer)
            await self._guarded(self._step(taken))

    async def drop_finished(self) -> None:
        """Drop the state of runs that are over."""
        await self._guarded(self._drop_finished(time.time_ns()))

    async def show_what_moved(self) -> None:
        """The gauges of links or vehicles whose last batch was let go a moment ago."""
        if self.owned:
            await self._guarded(self._show_what_moved())

    async def _show_what_moved(self) -> None:
        if self.owned:
            self.meter.show_what_moved()

    async def _guarded(self, work: Awaitable[None]) -> None:
        async with self.lock:
            try:
                await work
            except asyncio.CancelledError:
                # What is at hand may be ahead of what is written.
                self.lives.at_hand.clear()
                raise
            except InvalidTimestampError as fault:
                leave(
                    EXIT_FAILED,
                    f"Kafka refuses a time of this machine ({fault}): its clock is far from the broker's, and a topic "
                    "takes the producer's time. Set the clock; `relaywatch topics check` names topics whose "
                    "message.timestamp.type is not LogAppendTime. Starting again from the state",
                )
            except BaseException:
                # Never on with a failed batch: later ones would be written over it.
                logger.exception("a batch of %s failed", self.source)
                leave(EXIT_FAILED, f"a batch of {self.source} failed; starting again from the state")

    async def _step(self, taken: Sequence[Waiting]) -> None:
        began = time.monotonic()
        generation = self.app.consumer_generation_id
        # What an earlier owner's fetch left is neither used nor let go.
        records = [one.record for one in taken if self.owned and one.generation == generation]
        reached = await self._check_holes(records)
        # Progress is written last: what it covers is in outputs and state already.
        done = self.table.versions.progress
        new = [Incoming.of(one) for one in records if one.offset > done.get(one.partition, -1)]
        if self.origins is not None:
            await self.origins.reach(_claims(new))
        whole, moved = Folded(repeated=len(records) - len(new)), set[Place]()
        progress: list[Entry] = []
        for folded, changes, is_last in self.lives.take(new):
            whole.add(folded)
            await self._send_all(
                Outbound(one.topic, place, one.key, one.value, one.headers) for one, place, _ in folded.outgoing
            )
            await self._write([entry for change in changes for entry in change.entries])
            # In one partition, in this order, by an idempotent producer: progress is never without its heads.
            if is_last:
                progress = self._progress(reached, {**self.table.versions.aside, **whole.aside})
            await self._write([*(change.head_entry for change in changes), *progress])
            moved |= self.lives.written(folded, changes)
        # This lets the records go.
        self.table.versions.take_entries(progress)
        self.taken_at.update(dict.fromkeys(reached, time.monotonic()))
        self.meter.taken(len(records), new, whole, moved, time.monotonic() - began)

    def _progress(self, reached: Mapping[int, int], aside: Mapping[int, SettingAside]) -> list[Entry]:
        """How far each partition is done with, and what is set aside of it."""
        return [self._progress_of(one, offset, aside.get(one, SettingAside())) for one, offset in reached.items()]

    def _progress_of(self, partition: int, offset: int, aside: SettingAside) -> Entry:
        return progress_entry(partition, offset, aside, self.topic_id)

    async def say_what_was_passed_over(self) -> None:
        """The ranges of partitions in which nothing comes any more: the record that would end them may never come."""
        if self.owned:
            await self._guarded(self._say_what_was_passed_over())

    async def _say_what_was_passed_over(self) -> None:
        """That they end is written before it is said, since the clock decides it: who dies in between and starts again
        says the same, whatever has come meanwhile."""
        now = time.monotonic()
        for partition, aside in list(self.table.versions.aside.items()):
            if not self.owned:
                return
            if aside.open and now - self.taken_at.get(partition, now) > _QUIET_SECONDS:
                await self._write_aside(partition, end_ranges=True)
            unsaid = self.table.versions.aside[partition].unsaid
            if unsaid:
                origin = Origin(self.source, partition, 0)
                outgoing = [range_said(self.lives.namespace, origin, one) for one in unsaid]
                await self._send_all(
                    Outbound(one.topic, place, one.key, one.value, one.headers) for one, place, _ in outgoing
                )
                await self._write_aside(partition, end_ranges=False)

    async def _write_aside(self, partition: int, *, end_ranges: bool) -> None:
        """`end_ranges`: those that are open end. Else: those that were to be said are said."""
        aside = self.table.versions.aside[partition].copy()
        if end_ranges:
            aside.end_ranges()
        else:
            aside.unsaid.clear()
        entry = self._progress_of(partition, self.table.versions.progress[partition], aside)
        await self._write([entry])
        self.table.versions.take_entries([entry])

    async def _check_holes(self, records: Iterable[ConsumerRecord[Any, Any]]) -> dict[int, int]:
        """Partition → how far these records bring it; ends the process where one before them did not come."""
        done: dict[int, int] = {}
        for record in records:
            place = TP(record.topic, record.partition)
            expected = self.next_offsets[place]
            if record.offset > expected:
                await self._check_gap(place, expected, record.offset)
            self.next_offsets[place] = max(expected, record.offset + 1)
            done[record.partition] = max(done.get(record.partition, -1), record.offset)
        before = self.table.versions.progress
        return {one: offset for one, offset in done.items() if offset > before.get(one, -1)}

    async def _check_gap(self, place: TP, expected: int, came: int) -> None:
        """A producer's transactions and compaction leave offsets without a record, and what retention deletes is gone;
        all else is a hole."""
        log_starts, stands = await stands_from(self.cluster, place, expected)
        if log_starts > expected:
            _say_deleted(place, expected, min(log_starts, came))
        if stands != came and log_starts <= came:
            leave(
                EXIT_HOLE,
                f"{place.topic}/{place.partition}: record {expected} was not delivered, {came} came; starting again "
                "from the state",
            )

    async def _drop_finished(self, now: int) -> None:
        if not self.owned:
            return
        await self._check_alone()
        if not any(self.lives.finished(now)):
            return
        try:
            read_until = await self._read_until(now)
        except (RelayWatchError, KafkaError):
            # The broker is away: another time.
            return
        ends, leftovers = self.lives.finished(read_until)
        await self._write([end.head_entry for end in ends])
        self.lives.ended(ends)
        leftovers += [entry for end in ends for entry in self.table.versions.leftovers(end.owner, head=False)]
        await self._write(leftovers)
        self.table.versions.take_entries(leftovers)
        self.meter.runs_ended(end.owner for end in ends)

    async def _read_until(self, now: int) -> int:
        """Kafka's time up to which the source is read: what still waits there may be of any run."""
        ends = await ends_of(self.cluster, list(self.next_offsets))
        for place, offset in self.next_offsets.items():
            waits = offset < ends[place][1] and await first_record_from(self.cluster, place, offset)
            if waits:
                now = min(now, waits.timestamp * 1_000_000)
        return now

    async def _send_all(self, records: Iterable[Outbound]) -> list[Written]:
        return await cast(Producer, self.app.producer).send_all(records)

    async def _write(self, entries: Sequence[Entry]) -> None:
        """Into the changelog, at once where it ended. Ends the process where something else was written there."""
        topic, versions = self.table.changelog_topic_name, self.table.versions
        written = await self._send_all(
            Outbound(
                topic, one.partition, orjson.dumps(one.key), one.value, epoch_header(versions.epochs[one.partition])
            )
            for one in entries
        )
        for one in written:
            await self._check_end(TP(topic, one.partition), one.offset)
            versions.read_to(one.partition, max(one.offset, versions.ends.get(one.partition, 0)) + one.records)

    async def _check_end(self, place: TP, offset: int) -> None:
        """What others write counts for nothing as long as it stands in the log behind the claim. It has to be mended
        before compaction takes what stood there before."""
        known = self.table.versions.ends.get(place.partition, 0)
        if offset in (known, _FORGOTTEN):
            return
        if offset > known and await first_offset_from(self.cluster, place, known) in (offset, None):
            # No record stands between: those that stood there were dropped, and compaction took what said so.
            return
        leave(
            EXIT_FAILED,
            f"{place.topic}/{place.partition} should end at {known} and ends at {offset}: another process has written "
            "there, or it was made anew; starting again from the state",
        )

    async def _check_alone(self) -> None:
        topic = self.table.changelog_topic_name
        places = [TP(topic, partition) for partition in sorted(self.partitions)]
        try:
            ends = await ends_of(self.cluster, places)
        except (RelayWatchError, KafkaError):
            # The broker is away: another time.
            return
        for place in places:
            await self._check_end(place, ends[place][1])


def _claims(records: Iterable[Incoming]) -> dict[tuple[str, int], int]:
    """Partition → the highest offset in it that one of the records says it was made from."""
    claims: dict[tuple[str, int], int] = {}
    for record in records:
        origin = claimed_origin((record.headers.get("ce_id") or b"").decode(errors="replace"))
        if origin is not None:
            place = origin.topic, origin.partition
            claims[place] = max(claims.get(place, 0), origin.offset)
    return claims


def _say_deleted(place: TP, first: int, end: int) -> None:
    logger.error(
        "%s/%d: records %d to %d were deleted before they were read; going on without them",
        place.topic, place.partition, first, end - 1,
    )  # fmt: skip


def _listed(partitions: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(partitions)))
