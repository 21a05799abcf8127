"""Connections to Kafka: those that belong to no client, and all others where the other end has reset them, as uvloop
tells of it. Knows aiokafka's connection, and puts a mended one in its place; knows nothing of what is sent.

Between the reset and the moment at which aiokafka hears of it, a request may be on its way out. asyncio drops it, and
aiokafka fails it a moment later like all others of the connection. uvloop raises RuntimeError, for which aiokafka is
not prepared (aio-libs/aiokafka#1038): it ends the task that sends. Where that is the one that keeps the cluster's
metadata, the consumer finds no coordinator any more, the worker's lease runs out, and nothing is written.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_CLOSE_SECONDS: Final = 1.0


class Connection(AIOKafkaConnection):  # type: ignore[misc]
    def send(self, request: Any, expect_response: bool = True) -> Any:
        """Raises KafkaConnectionError, which whoever sends expects, where the connection is gone."""
        if self._writer is not None and self._writer.transport.is_closing():
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: the other end has reset it")
        return super().send(request, expect_response)


@asynccontextmanager
async def connection_to(host: str, port: int, **options: Any) -> AsyncIterator[AIOKafkaConnection]:
    """One connection that belongs to no client. It is closed when the block ends, also where it was not let in: to say
    good-bye by TLS takes some steps, and aiokafka waits for none of them."""
    connection = AIOKafkaConnection(host, port, **options)
    try:
        await connection.connect()
        yield connection
    finally:
        closed = connection.close()
        if connection._protocol is not None:
            await asyncio.wait([closed], timeout=_CLOSE_SECONDS)


def mend_connections() -> None:
    """For every client of this process."""
    conn.AIOKafkaConnection = Connection
