"""What stands on the topic of rejected records. Knows Kafka and the form of these records."""

import base64
from collections import deque
from collections.abc import AsyncGenerator, Mapping
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
    octets: int | None
    """Of its value, which may be kept in part; None of a range."""
    last_offset: int | None
    """Of a range: of records that are named by their offsets alone."""
    body: Mapping[str, Any]
    """The whole of it, as it stands on the topic."""


async def last_rejections(cluster: Cluster, namespace: str, *, last: int, reason: str | None = None) -> list[Rejection]:
    """The newest of them, oldest first; of one reason where one is named. One that is there twice, as where a worker
    repeated itself, is given once.

    Raises permissions.NotAllowedError where Kafka does not let us read it, KafkaUnavailableError where there is no such
    topic or Kafka goes away, else as `Cluster.consumer` does.
    """
    newest = last if reason is None else None
    kept: deque[Rejection] = deque(maxlen=last)
    async for one in all_rejections(cluster, namespace, newest):
        if reason in (None, one.reason):
            kept.append(one)
    return list(kept)


async def all_rejections(
    cluster: Cluster, namespace: str, newest: int | None = None
) -> AsyncGenerator[Rejection, None]:
    """All of them, oldest first, each once; of each partition at most the newest so many. Raises as
    `last_rejections`."""
    topic = TOPICS["rejected"].full_name(namespace)
    found: set[bytes] = set()
    await check_permissions(cluster, [topic_access(namespace, "rejected", "Read")])
    async with cluster.consumer() as consumer:
        partitions = await cluster.subscribe(consumer, topic)
        first = await cluster.within(consumer.beginning_offsets(partitions))
        ends = await cluster.within(consumer.end_offsets(partitions))
        if newest is not None:
            for one in partitions:
                consumer.seek(one, max(first[one], ends[one] - newest))
        async for record in cluster.read_until(consumer, ends):
            rejection = read_rejection(record.value or b"", record.timestamp * 1_000_000)
            name = dict(record.headers).get("ce_id", b"")
            if rejection is not None and name not in found:
                found.add(name)
                yield rejection


def read_rejection(value: bytes, at: int) -> Rejection | None:
    """None of a value that is not one of ours."""
    try:
        body = orjson.loads(value)
        common: dict[str, Any] = {
            "at": at, "reason": str(body["reason"]), "message": str(body["message"]),
            "origin": Origin(**body["origin"]), "body": body,
        }  # fmt: skip
        if "last_offset" in body:
            last_offset = int(body["last_offset"])
            return Rejection(**common, key=None, headers={}, value=b"", octets=None, last_offset=last_offset)
        key = None if body["key"] is None else base64.b64decode(body["key"])
        headers = {name: base64.b64decode(text) for name, text in body["headers"].items()}
        value = base64.b64decode(body["octets"])
        return Rejection(
            **common, key=key, headers=headers, value=value, octets=int(body["length"]), last_offset=None
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
