"""What stands on the topic of rejected records. Knows Kafka and the form of these records."""

import base64
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.records import Origin
from pipeline.shells.kafka.access import topic_access
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.permissions import check_permissions
from pipeline.topics import TOPICS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    at: int
    """Kafka's timestamp, nanoseconds."""
    reason: str
    message: str
    origin: Origin
    """Where the record stands that could not be taken."""
    key: bytes | None
    headers: Mapping[str, bytes]
    value: bytes
    octets: int
    """Of its value, which may be kept in part."""
    body: Mapping[str, Any]
    """The whole of it, as it stands on the topic."""


async def last_rejections(cluster: Cluster, namespace: str, *, last: int, reason: str | None = None) -> list[Rejection]:
    """The newest of them, oldest first; of one reason where one is named. One that is there twice, as where a worker
    repeated itself, is given once.

    Raises permissions.NotAllowedError where Kafka does not let us read it, KafkaUnavailableError where there is no such
    topic or Kafka goes away, else as `Cluster.consumer` does.
    """
    topic = TOPICS["rejected"].full_name(namespace)
    found: dict[Origin, None] = {}
    kept: deque[Rejection] = deque(maxlen=last)
    await check_permissions(cluster, [topic_access(namespace, "rejected", "Read")])
    async with cluster.consumer() as consumer:
        partitions = await cluster.subscribe(consumer, topic)
        first = await cluster.within(consumer.beginning_offsets(partitions))
        ends = await cluster.within(consumer.end_offsets(partitions))
        if reason is None:
            for one in partitions:
                consumer.seek(one, max(first[one], ends[one] - last))
        async for record in cluster.read_until(consumer, ends):
            one = read_rejection(record.value or b"", record.timestamp * 1_000_000)
            if one is not None and reason in (None, one.reason) and one.origin not in found:
                found[one.origin] = None
                kept.append(one)
    return list(kept)


def read_rejection(value: bytes, at: int) -> Rejection | None:
    """None of a value that is not one of ours."""
    try:
        body = orjson.loads(value)
        key = body["key"]
        return Rejection(
            at=at, reason=str(body["reason"]), message=str(body["message"]), origin=Origin(**body["origin"]),
            key=None if key is None else base64.b64decode(key), octets=int(body["length"]), body=body,
            headers={name: base64.b64decode(text) for name, text in body["headers"].items()},
            value=base64.b64decode(body["octets"]),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
