"""Questions about offsets, asked of the log itself over a connection of their own: on that of the worker's consumer an
answer waits behind a fetch, 1.5 s each. Knows aiokafka."""

from collections.abc import Collection, Mapping
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition
from faust.types import TP

from pipeline.shells.kafka.clients import Cluster

_WAIT_MS: Final = 5000


async def ends_of(cluster: Cluster, places: Collection[TP]) -> Mapping[TP, tuple[int, int]]:
    """(first offset that is there, offset of the next record to be written) of each partition."""
    if not places:
        return {}
    async with cluster.consumer() as consumer:
        partitions = [TopicPartition(*one) for one in places]
        first = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
    return {TP(*one): (first[one], end[one]) for one in partitions}


async def first_record_from(cluster: Cluster, place: TP, offset: int) -> ConsumerRecord[bytes, bytes] | None:
    """The first record in the log at `offset` or after it: a later one where no record stands there, as after
    compaction or at the end of a transaction. None where the log did not say in time."""
    async with cluster.consumer() as consumer:
        partition = TopicPartition(*place)
        consumer.assign([partition])
        consumer.seek(partition, offset)
        found = await consumer.getmany(partition, timeout_ms=_WAIT_MS, max_records=1)
    return next((record for records in found.values() for record in records), None)


async def first_offset_from(cluster: Cluster, place: TP, offset: int) -> int | None:
    first = await first_record_from(cluster, place, offset)
    return None if first is None else first.offset
