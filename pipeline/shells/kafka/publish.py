"""A recording to Kafka, in order of arrival, each record when `pacing` says it is due. Knows Kafka and the clock;
knows neither the file nor what is in a frame."""

import asyncio
import datetime as dt
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import TopicPartition

from pipeline.errors import RecordError, RelayWatchError
from pipeline.mission.model import Mission
from pipeline.records import FramesReceived, OriginKind, Run
from pipeline.shells.kafka.access import topic_access
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.pacing import Step
from pipeline.shells.kafka.permissions import NotAllowedError, check_permissions
from pipeline.shells.kafka.unpacking import bound_batches
from pipeline.topics import TOPICS, frames_message, link_partition, read_headers

_LOOKED_AT: Final = 50
_UNACKNOWLEDGED: Final = 2_000
"""Records on their way at most."""
_READ_MS: Final = 500

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class ReplayError(RelayWatchError):
    """A replay that was not begun, or came to a stop."""


@dataclass(slots=True, kw_only=True)
class Published:
    """What went to Kafka so far."""

    run: Run
    records: int = 0
    frames: int = 0
    links: dict[str, int] = field(default_factory=dict)
    """Link → records."""


Shown = Callable[[Step, Published], None]
"""Told of each record as it is handed to Kafka."""


def new_run(stem: str, origin: OriginKind) -> Run:
    """A run that never was: what is replayed, when, and some chance. A live run has no name."""
    if origin == "live":
        return Run()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:60] or "replay"
    return named_run(f"{name}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}", origin)


def named_run(name: str, origin: OriginKind) -> Run:
    """Raises ReplayError where the name cannot stand in the ids and keys that are made with it."""
    if origin == "live":
        raise ReplayError(f"--run {name} with --origin live: live records belong to no run; leave --run out")
    if name == "live" or not _RUN_ID.fullmatch(name):
        raise ReplayError(
            f"--run is {name!r:.120}: give at most 100 letters, digits, '.', '_' and '-', the first a letter or digit, "
            "and not live, which has the incidents of live records"
        )
    return Run(id=name, origin=origin)


async def publish(
    steps: Iterable[Step], cluster: Cluster, *, namespace: str, mission: Mission, partitions: int, run: Run,
    shown: Shown = lambda step, published: None,
) -> Published:  # fmt: skip
    """Every record to the frames topic, keyed by its link, on the partition that the mission gives the link.

    Back when Kafka has acknowledged all of them. Raises ReplayError where it does not take one, and
    permissions.NotAllowedError where we may not write.
    """
    await check_permissions(cluster, [topic_access(namespace, "frames", "Write")])
    published = Published(run=run)
    clock = asyncio.get_running_loop().time
    waiting: deque[asyncio.Future[Any]] = deque()
    async with cluster.producer() as producer:
        begun_at = clock()
        try:
            for step in steps:
                await asyncio.sleep(max(0.0, begun_at + step.due_seconds - clock()))
                message = frames_message(namespace, step.record, run)
                place = link_partition(mission, step.record.link, partitions)
                headers = list(message.headers)
                waiting.append(
                    await cluster.within(
                        producer.send(message.topic, message.value, message.key, partition=place, headers=headers)
                    )
                )
                _count(published, step)
                shown(step, published)
                while waiting and (waiting[0].done() or len(waiting) > _UNACKNOWLEDGED):
                    await cluster.within(waiting.popleft())
            while waiting:
                await cluster.within(waiting.popleft())
        except RelayWatchError as fault:
            raise ReplayError(
                f"{fault}; {published.records - len(waiting)} records of run {run.id or 'live'} were published"
            ) from None
        finally:
            _forget(waiting)
    return published


def _forget(waiting: Iterable[asyncio.Future[Any]]) -> None:
    """Of several that failed the first was told."""
    for one in waiting:
        if not one.cancel() and not one.cancelled():
            one.exception()


def _count(published: Published, step: Step) -> None:
    link = step.record.link
    published.records += 1
    published.links[link] = published.links.get(link, 0) + 1
    if isinstance(step.record, FramesReceived):
        published.frames += len(step.record.relay_receive_times)


async def check_no_live_records(cluster: Cluster, namespace: str) -> None:
    """Raises ReplayError where the namespace holds live records, by the oldest and the newest of each partition of
    its frames topic: a namespace that was live once, or is now, shows it at one of the ends."""
    topic = TOPICS["frames"].full_name(namespace)
    bound_batches()
    try:
        await check_permissions(cluster, [topic_access(namespace, "frames", "Read")])
    except NotAllowedError as fault:
        raise ReplayError(f"{fault}\nOr say --into-live: then nothing is read") from None
    async with cluster.consumer() as consumer:
        partitions = await cluster.subscribe(consumer, topic)
        starts = await cluster.within(consumer.beginning_offsets(partitions))
        ends = await cluster.within(consumer.end_offsets(partitions))
        for partition in partitions:
            first, end = starts[partition], ends[partition]
            for at in sorted({first, max(first, end - _LOOKED_AT)}):
                until = min(end, at + _LOOKED_AT)
                if await cluster.within(_holds_live(consumer, partition, at, until)):
                    raise ReplayError(
                        f"{topic} at {cluster.servers} holds live records: give the replay a --namespace of its own, "
                        "or say --into-live to have it among them"
                    )


async def _holds_live(consumer: Any, partition: TopicPartition, at: int, until: int) -> bool:
    consumer.seek(partition, at)
    while at < until:
        for record in (await consumer.getmany(partition, timeout_ms=_READ_MS)).get(partition, ()):
            at = record.offset + 1
            if record.offset < until and _is_live(record.headers):
                return True
    return False


def _is_live(headers: Iterable[tuple[str, bytes]]) -> bool:
    try:
        return read_headers(headers).run.origin == "live"
    except RecordError:
        return False
