"""Clients of an existing Kafka, opened and closed here and nowhere else, with one clear line where it is not there or
does not let us. Knows connections and topics; knows nothing of what is in a record."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka.reach import reachable
from pipeline.shells.security import IN_THE_CLEAR, Security
from pipeline.shells.settings import Settings
from pipeline.shells.terminal import Formatter

T = TypeVar("T")
logger = logging.getLogger(__name__)

_BATCH_OCTETS: Final = 256 << 10
_LARGEST_REQUEST: Final = 8 << 20
_STOP_SECONDS: Final = 5.0
_POLL_MS: Final = 500
_FETCH_WAIT_MS: Final = 100
"""So long a broker keeps a fetch for which there is nothing. A question about offsets waits behind it."""
_ASK_AFTER_SECONDS: Final = 3.0
_NOT_ALLOWED: Final = (
    TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError,
)  # fmt: skip


class KafkaUnavailableError(RelayWatchError):
    """A Kafka, or a topic of it, that is not there."""


@dataclass(slots=True)
class Presence:
    """Says once in the log that a Kafka is away, and once that it is back."""

    servers: str
    is_there: bool = True

    def seen(self, *, is_there: bool) -> None:
        if self.is_there and not is_there:
            logger.warning("Kafka at %s is away; waiting for it", self.servers)
        elif is_there and not self.is_there:
            logger.warning("Kafka at %s is back", self.servers)
        self.is_there = is_there


@dataclass(frozen=True, slots=True)
class Cluster:
    """An existing Kafka, who we are to it, and how long to wait for its answers."""

    servers: str
    """host:port joined by commas."""
    wait_seconds: float = 8.0
    security: Security = IN_THE_CLEAR

    @classmethod
    def of(cls, settings: Settings) -> "Cluster":
        return cls(settings.kafka, settings.kafka_timeout, settings.security)

    @asynccontextmanager
    async def producer(self, linger_ms: int = 5) -> AsyncIterator[Any]:
        """An idempotent producer: its order holds within a partition, and what it sends again is written once.

        Raises reach.KafkaUnreachableError where no Kafka answers in time, KafkaRefusedError where it refuses us.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=self.servers, enable_idempotence=True, acks="all", linger_ms=linger_ms,
            max_batch_size=_BATCH_OCTETS, max_request_size=_LARGEST_REQUEST,
            request_timeout_ms=round(self.wait_seconds * 1000), **self.security.client_options(),
        )  # fmt: skip
        async with self._started(producer):
            yield producer

    @asynccontextmanager
    async def consumer(self) -> AsyncIterator[Any]:
        """A consumer in no group: it reads from the beginning and leaves no trace.

        Raises as `producer` does.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.servers, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS, **self.security.client_options(),
        )  # fmt: skip
        async with self._started(consumer):
            yield consumer

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        """A client that asks about topics and groups, and changes them. Raises as `producer` does."""
        await reachable(self.servers, self.wait_seconds, self.security)
        client = AIOKafkaAdminClient(
            bootstrap_servers=self.servers, request_timeout_ms=max(int(self.wait_seconds * 1000), 1000),
            **self.security.client_options(),
        )  # fmt: skip
        try:
            await client.start()
            yield client
        finally:
            await client.close()

    async def subscribe(self, consumer: Any, topic: str) -> list[TopicPartition]:
        """To every partition of one topic, those that are added later too; gives those that there are now.

        Raises KafkaUnavailableError where there is no such topic.
        """
        # Asked first for all topics: asking for one that is missing makes it, where the cluster allows that.
        self.check_topic(topic, await self.within(consumer.topics()))
        consumer.subscribe([topic])

        async def assigned() -> list[TopicPartition]:
            while not consumer.assignment():  # noqa: ASYNC110 (the client tells no one when it knows them)
                await asyncio.sleep(0.01)
            return sorted(consumer.assignment())

        return await self.within(assigned())

    async def read_until(self, consumer: Any, ends: Mapping[TopicPartition, int]) -> AsyncGenerator[Any, None]:
        """The records of its partitions before these offsets. Raises KafkaUnavailableError where none comes for
        `wait_seconds`."""
        quiet_since = time.monotonic()
        while [one for one, end in ends.items() if await consumer.position(one) < end]:
            polled = await consumer.getmany(timeout_ms=_POLL_MS)
            if polled:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > self.wait_seconds:
                topics = ", ".join(sorted({one.topic for one in ends}))
                raise KafkaUnavailableError(f"Kafka at {self.servers} went away before the end of {topics} was read")
            for place, records in polled.items():
                for record in records:
                    if record.offset < ends[place]:
                        yield record

    async def read_on(self, consumer: Any) -> AsyncGenerator[Any, None]:
        """The records of its partitions as they come, without end. Waits for a Kafka that goes away, and says once
        that it is away and once that it is back."""
        presence, heard_at = Presence(self.servers), time.monotonic()
        while True:
            polled = await consumer.getmany(timeout_ms=_POLL_MS)
            if not polled and time.monotonic() - heard_at < _ASK_AFTER_SECONDS:
                continue
            # The client tells nobody: a topic without news and a broker that is gone look the same.
            presence.seen(is_there=bool(polled) or await self._answers(consumer))
            heard_at = time.monotonic()
            for records in polled.values():
                for record in records:
                    yield record

    async def _answers(self, consumer: Any) -> bool:
        try:
            await self.within(consumer.topics())
        except KafkaUnavailableError:
            return False
        return True

    def check_topic(self, topic: str, topics: Collection[str]) -> None:
        """Raises KafkaUnavailableError where the topic is not among them."""
        if topic not in topics:
            raise KafkaUnavailableError(
                f"{self.servers} has no topic {topic}, or does not show it to {self.security.principal}: "
                f"`relaywatch topics create --namespace "
                f"{topic.rpartition('.')[0]} --kafka {self.servers}` makes those of a namespace"
            )

    async def within(self, work: Awaitable[T]) -> T:
        """What `work` gives. Raises KafkaUnavailableError where it fails or does not come in time."""
        try:
            async with asyncio.timeout(self.wait_seconds):
                return await work
        except TimeoutError:
            raise KafkaUnavailableError(
                f"Kafka at {self.servers} did not answer within {self.wait_seconds:g} s (RELAYWATCH_KAFKA_TIMEOUT)"
            ) from None
        except _NOT_ALLOWED as fault:
            raise KafkaUnavailableError(
                f"Kafka at {self.servers} does not allow it to {self.security.principal}: {fault}. `relaywatch acls` "
                "prints what each role needs"
            ) from None
        except KafkaError as fault:
            reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
            raise KafkaUnavailableError(f"Kafka at {self.servers} failed: {reason:.200}") from None

    @asynccontextmanager
    async def _started(self, client: Any) -> AsyncIterator[None]:
        try:
            await reachable(self.servers, self.wait_seconds, self.security)
            await self.within(client.start())
            yield
        finally:
            # A client whose start was cut off must be stopped too, or it goes on trying; one whose broker is gone
            # would wait for it without end.
            with contextlib.suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await client.stop()


def log_for_people() -> None:
    """For commands: our own warnings as notes on standard error, and none of the client library, which repeats itself
    for as long as a broker is away; what is wrong is said by the command."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter("relaywatch: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
