"""Faust's app and its Kafka transport, with what they leave out: a producer that writes each record once and in order,
and only while its worker is a member of the group; a consumer that goes on where the state ends, whatever was
committed. Knows Faust; knows nothing of state."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, cast

import faust
from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.auth import CredentialsT
from faust.types.transports import ConsumerT, ProducerT, TransportT

from pipeline.shells.lease import Lease
from pipeline.shells.security import Security

# A Faust class logs under the name of the module it is in; these lines are Faust's.
_LOGGER: Final = logging.getLogger("faust.relaywatch")

Starts = Callable[[], Mapping[TP, int]]
"""Source partition → the offset its state needs next; a partition whose state is not known is left out."""


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


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Tells the lease what the group's coordinator answers."""

    async def on_start(self) -> None:
        await super().on_start()
        coordinator: Any = self._ensure_consumer()._coordinator
        coordinator._send_req = cast(App, self.app).lease.watches(coordinator._send_req)


class Consumer(driver.Consumer):
    """Goes on where the state ends. Faust's own goes on from the committed offset, which can be ahead of it."""

    logger = _LOGGER

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """The offsets that were sought; Faust asks for them before each start of the streams."""
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
    """Writes no file: its state is in Kafka. `starts` is set by whoever holds the state, `lease` before the start."""

    logger = _LOGGER

    starts: Starts = staticmethod(dict)
    lease: Lease

    def _new_transport(self) -> TransportT:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> TransportT:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Faust would make a folder in the current directory, which may be read-only."""


def credentials(security: Security) -> CredentialsT | None:
    """The same as `Security.client_options`, in Faust's words; None for a connection in the clear."""
    options = security.client_options()
    if security.uses_sasl:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"], password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"], ssl_context=options["ssl_context"],
        )  # fmt: skip
    return faust.SSLCredentials(options["ssl_context"]) if security.uses_tls else None
