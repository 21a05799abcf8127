"""Questions about offsets, asked of the log itself over a connection of their own: on that of the worker's consumer an
answer waits behind a fetch, 1.5 s each. Knows aiokafka."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka.clients import Cluster

logger = logging.getLogger(__name__)

_WAIT_MS: Final = 5000
_ANSWER_SECONDS: Final = 10.0
_ASK_AGAIN_SECONDS: Final = 0.2


@dataclass(slots=True)
class LogEnds:
    """The ends of partitions, as Kafka last gave them: the offset of the next record to be written. A log only grows,
    so Kafka is asked again only where a record is said to stand further on. One connection, kept open: over a new one
    each answer would take 30 ms."""

    cluster: Cluster
    places: Collection[tuple[str, int]]
    """(topic, partition) of those that may be asked for."""
    known: dict[tuple[str, int], int] = field(default_factory=dict)
    _connection: AsyncExitStack | None = None
    _consumer: Any = None

    async def reach(self, claims: Mapping[tuple[str, int], int]) -> None:
        """Asks until it is known how far the partitions of the claims (→ an offset) reach. While Kafka does not answer
        this does not return: no record can be let go then."""
        beyond = [
            TopicPartition(*place)
            for place, offset in claims.items()
            if place in self.places and offset >= self.known.get(place, 0)
        ]
        while beyond:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    ends = await (await self._connected()).end_offsets(beyond)
                self.known.update({(place.topic, place.partition): end for place, end in ends.items()})
                return
            except (RelayWatchError, KafkaError, OSError, TimeoutError) as fault:
                logger.warning("how far the log reaches is not known, asking again: %r", fault)
                await self.close()
                await asyncio.sleep(_ASK_AGAIN_SECONDS)

    async def _connected(self) -> Any:
        if self._connection is None:
            self._connection = AsyncExitStack()
            self._consumer = await self._connection.enter_async_context(self.cluster.consumer())
        return self._consumer

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()


async def ends_of(cluster: Cluster, places: Collection[TP]) -> Mapping[TP, tuple[int, int]]:
    """(first offset that is there, offset of the next record to be written) of each partition."""
    if not places:
        return {}
    async with cluster.consumer() as consumer:
        partitions = [TopicPartition(*one) for one in places]
        first = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
    return {TP(*one): (first[one], end[one]) for one in partitions}


async def stands_from(cluster: Cluster, place: TP, offset: int) -> tuple[int, int | None]:
    """(first offset that is there, offset of the first record at `offset` or after it; None where the log did not say
    in time): a record between them was deleted, where the first is later."""
    async with cluster.consumer() as consumer:
        partition = TopicPartition(*place)
        log_starts = (await consumer.beginning_offsets([partition]))[partition]
        found = await _first_from(consumer, partition, max(offset, log_starts))
    return log_starts, None if found is None else found.offset


async def first_record_from(cluster: Cluster, place: TP, offset: int) -> ConsumerRecord[bytes, bytes] | None:
    """The first record in the log at `offset` or after it: a later one where no record stands there, as after
    compaction or at the end of a transaction. None where the log did not say in time."""
    async with cluster.consumer() as consumer:
        return await _first_from(consumer, TopicPartition(*place), offset)


async def _first_from(consumer: Any, partition: TopicPartition, offset: int) -> ConsumerRecord[bytes, bytes] | None:
    consumer.assign([partition])
    consumer.seek(partition, offset)
    found = await consumer.getmany(partition, timeout_ms=_WAIT_MS, max_records=1)
    return next((record for records in found.values() for record in records), None)


async def first_offset_from(cluster: Cluster, place: TP, offset: int) -> int | None:
    first = await first_record_from(cluster, place, offset)
    return None if first is None else first.offset
