"""Faust's app and its Kafka transport, with what they leave out: a producer that writes each record once and in order,
and only while its worker is a member of the group; a consumer that goes on where the state ends, whatever was
committed. Both pass on many records at once: Faust's own way costs two tasks for each that comes and a future for each
that goes. Knows Faust; knows nothing of state."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final, NamedTuple, cast

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.auth import CredentialsT
from faust.types.transports import ConsumerT, ProducerT, TransportT

from pipeline.shells.security import Security
from pipeline.shells.worker.inbox import Inbox
from pipeline.shells.worker.lease import Lease

# A Faust class logs under the name of the module it is in; these lines are Faust's.
_LOGGER: Final = logging.getLogger("faust.relaywatch")

_FETCH_WAIT_MS: Final = 200
"""So long a broker keeps a fetch for which there is nothing (Faust: 1500). Until then no other can be sent: what was
sought, or is wanted again, waits for its end."""
_HELD_SECONDS: Final = 0.01
"""How often it is looked whether more may be fetched of a partition of which much waits."""

Starts = Callable[[], Mapping[TP, int]]
"""Source partition → the offset its state needs next; a partition whose state is not known is left out."""


class Outbound(NamedTuple):
    """One record on its way out."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Written(NamedTuple):
    """Records of one partition that the broker acknowledged together."""

    topic: str
    partition: int
    offset: int
    """Of the first; the others follow it. -1: the broker has forgotten."""
    records: int


class Producer(driver.Producer):
    """Idempotent: without, a record sent again after a lost acknowledgement stands twice, or out of order."""

    logger = _LOGGER

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    def _new_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        producer = super()._new_producer(transactional_id)
        # Here, where requests are made, and not where records are handed over: those wait in between.
        sender: Any = producer._sender
        sender._send_produce_req = cast(App, self.app).lease.guards(sender._send_produce_req)
        return producer

    async def send_all(self, records: Iterable[Outbound]) -> list[Written]:
        """In each partition in this order. Back when the broker has acknowledged every one; raises where it has not."""
        by_place: dict[tuple[str, int], list[Outbound]] = {}
        for one in records:
            by_place.setdefault((one.topic, one.partition), []).append(one)
        written = await asyncio.gather(*(self._send_to(*place, those) for place, those in by_place.items()))
        return [one for of_place in written for one in of_place]

    async def _send_to(self, topic: str, partition: int, records: Iterable[Outbound]) -> list[Written]:
        producer = self._ensure_producer()
        sent: list[tuple[int, asyncio.Future[Any]]] = []
        batch = producer.create_batch()
        for one in records:
            content = {"timestamp": None, "key": one.key, "value": one.value, "headers": list(one.headers)}
            if batch.append(**content) is None:
                sent.append((batch.record_count(), await producer.send_batch(batch, topic, partition=partition)))
                batch = producer.create_batch()
                # An empty batch takes a record of any size.
                batch.append(**content)
        sent.append((batch.record_count(), await producer.send_batch(batch, topic, partition=partition)))
        acknowledged = await asyncio.gather(*(future for _, future in sent))
        return [
            Written(topic, partition, one.offset, count) for (count, _), one in zip(sent, acknowledged, strict=True)
        ]


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Tells the lease what the group's coordinator answers, does not let the broker keep a fetch for long, and ends
    where there is no broker too."""

    logger = _LOGGER

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        consumer: Any = self._ensure_consumer()
        # While something fetched of one partition waits, so long nothing is of the broker's others (aiokafka: 0.1).
        consumer._fetcher._prefetch_backoff = _HELD_SECONDS
        coordinator: Any = consumer._coordinator
        coordinator._send_req = cast(App, self.app).lease.watches(coordinator._send_req)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust would say of a partition without records, and of one that an inbox takes, that its stream has not
        started: whether records are taken where some wait is asked of Kafka (`backlog`)."""

    async def on_thread_stop(self) -> None:
        # aiokafka cancels a fetch that waits to be tried again, and lets out that it was. It has left the group by
        # then, and Faust would wait for this thread until the supervisor kills the worker.
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()


class Consumer(driver.Consumer):
    """Goes on where the state ends, and commits that: Faust's own goes on from what it committed, which can be ahead.
    Records of a topic that has an inbox go there, a fetch at a time."""

    logger = _LOGGER
    _committed: Mapping[TP, int] = {}

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._fetching = asyncio.Lock()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 (Faust's own)
        async with self._fetching:
            return await super()._getmany(active_partitions, timeout)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """A fetch that was out at a rebalance takes of every partition, since it may take of none any more, and Faust
        drops what it brings. So nothing is sought before it is back: of a changelog it would bring the first records
        after the seek, and the worker wait for them for ever. Faust means to wait too, and does not."""
        async with self._fetching:
            await super().seek_wait(partitions)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP] | None]:  # noqa: ASYNC109 (Faust's own)
        """What is left for Faust: the changelogs."""
        app = cast(App, self.app)
        if self.flow_active and any(inbox.held for inbox in app.inboxes.values()):
            # Faust would wait a whole second for the partitions of which it may fetch, and see only then that it may
            # fetch of the others again.
            timeout = _HELD_SECONDS
            if not self._get_active_partitions():
                await self.sleep(timeout)
                return {}, set()
        fetched, active = await super()._wait_next_records(timeout)
        records = dict(fetched or {})
        # Where the flow was stopped meanwhile, Faust seeks anew and drops what came.
        if self.flow_active and not self.should_stop:
            for place in [one for one in records if one.topic in app.inboxes]:
                inbox = app.inboxes[place.topic]
                inbox.put(TP(*place), records.pop(place), self.app.consumer_generation_id, self)
        return records, active

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Of every partition the offset after its last record that is let go, where that is news."""
        done = cast(App, self.app).done()
        news = {one: offset for one, offset in done.items() if self._committed.get(one) != offset}
        self._committed = done
        return news

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """The offsets that were sought; Faust asks for them before each start of the streams."""
        self._committed = {}
        sought = dict(await super().seek_to_committed())
        assigned = self.assignment()
        starts = {one: offset for one, offset in cast(App, self.app).starts().items() if one in assigned}
        if starts:
            try:
                await self.seek_wait(starts)
            except IllegalStateError:
                # Taken away meanwhile: the rebalance that did it seeks again.
                return sought
        return {**sought, **starts}


class Transport(driver.Transport):
    Consumer: ClassVar[type[ConsumerT]] = Consumer
    Producer: ClassVar[type[ProducerT]] = Producer


class App(faust.App):
    """Writes no file: its state is in Kafka. `starts` and `done` are set by whoever holds the state, `lease` before the
    start."""

    logger = _LOGGER

    starts: Starts = staticmethod(dict)
    lease: Lease
    done: Starts = staticmethod(dict)
    """Source partition → the offset after the last record that is let go."""
    inboxes: Mapping[str, Inbox] = {}
    """Topic → where its records go."""

    def given_up(self) -> str:
        """What a client of Kafka does no longer, and why; Faust does not ask, and waits for it for ever. Empty while
        each does all that it should."""
        consumer: Any = cast(Any, self.consumer)._thread._consumer
        group, producer = consumer._coordinator, cast(Any, self.producer)._producer
        if group._pending_exception is not None:
            return f"the consumer group ({group._pending_exception!r})"
        tasks: Mapping[str, asyncio.Task[Any]] = {
            "the consumer group": group._coordination_task,
            "fetching": consumer._fetcher._fetch_task,
            "the consumer's metadata": consumer._client._sync_task,
            "the producer's metadata": producer.client._sync_task,
            "sending": producer._sender._sender_task,
        }
        return next((f"{name} ({_end_of(task)})" for name, task in tasks.items() if task.done()), "")

    def _new_transport(self) -> TransportT:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> TransportT:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Faust would make a folder in the current directory, which may be read-only."""


def _end_of(task: asyncio.Task[Any]) -> str:
    return "cancelled" if task.cancelled() else repr(task.exception())


def credentials(security: Security) -> CredentialsT | None:
    """The same as `Security.client_options`, in Faust's words; None for a connection in the clear."""
    options = security.client_options()
    if security.uses_sasl:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"], password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"], ssl_context=options["ssl_context"],
        )  # fmt: skip
    return faust.SSLCredentials(options["ssl_context"]) if security.uses_tls else None
