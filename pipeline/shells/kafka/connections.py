"""A connection that the other end has reset, as uvloop tells of it. Knows aiokafka's connection, and puts a mended one
in its place; knows nothing of what is sent.

Between the reset and the moment at which aiokafka hears of it, a request may be on its way out. asyncio drops it, and
aiokafka fails it a moment later like all others of the connection. uvloop raises RuntimeError, for which aiokafka is
not prepared (aio-libs/aiokafka#1038): it ends the task that sends. Where that is the one that keeps the cluster's
metadata, the consumer finds no coordinator any more, the worker's lease runs out, and nothing is written.
"""

from typing import Any

from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


class Connection(AIOKafkaConnection):  # type: ignore[misc]
    def send(self, request: Any, expect_response: bool = True) -> Any:
        """Raises KafkaConnectionError, which whoever sends expects, where the connection is gone."""
        if self._writer is not None and self._writer.transport.is_closing():
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: the other end has reset it")
        return super().send(request, expect_response)


def mend_connections() -> None:
    """For every client of this process."""
    conn.AIOKafkaConnection = Connection
