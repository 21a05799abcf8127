"""How far the workers of a namespace are behind what was published to it. Knows Kafka's offsets and the worker's
consumer group; reads no record."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_needed import application_id
from pipeline.topics import TOPICS, TopicName

FRAMES: Final[tuple[TopicName, ...]] = ("frames", "telemetry")
"""The way of a frame."""
COMMANDS: Final[tuple[TopicName, ...]] = ("commands", "telemetry")
"""The way of a person's command."""
RESUMPTIONS: Final[tuple[TopicName, ...]] = ("commands", "frames")
"""That of a command to take a run again."""
_POLL_SECONDS: Final = 0.1


class LagError(RelayWatchError):
    """Workers that did not take everything in time."""


async def taken_in_full(
    cluster: Cluster, namespace: str, *, patience_seconds: float, way: Sequence[TopicName] = FRAMES
) -> None:
    """Back once the workers have committed every record that the first topic of the way holds now, and all that came
    of it: whatever these led to then stands on the alert, flight and rejected topics.

    Raises LagError after `patience_seconds`, saying how many records are left.
    """
    deadline = time.monotonic() + patience_seconds
    async with cluster.consumer() as consumer, cluster.admin() as admin:
        for stage in way:
            topic = TOPICS[stage].full_name(namespace)
            partitions = await cluster.subscribe(consumer, topic)
            ends = await cluster.within(consumer.end_offsets(partitions))
            while left := await _left(admin, namespace, ends):
                if time.monotonic() > deadline:
                    raise LagError(
                        f"after {patience_seconds:g} s the worker of {namespace} has {left} records of {topic} left"
                    )
                await asyncio.sleep(_POLL_SECONDS)


async def _left(admin: AIOKafkaAdminClient, namespace: str, ends: dict[TopicPartition, int]) -> int:
    try:
        committed: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(application_id(namespace))
    except GroupCoordinatorNotAvailableError:
        # The broker makes its own topic for groups when the first one comes.
        committed = {}
    taken = {place: committed[place].offset for place in ends if place in committed}
    return sum(end - min(end, max(0, taken.get(place, 0))) for place, end in ends.items())
