"""A broker that goes away while a request is on its way out."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop
from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from pipeline.shells.kafka.connections import mend_connections

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@pytest.fixture(autouse=True)
def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """In force for a test, and not after it."""
    monkeypatch.setattr(conn, "AIOKafkaConnection", AIOKafkaConnection)
    mend_connections()

    async def no_question(self: AIOKafkaConnection) -> None:
        self._versions = {MetadataRequest.API_KEY: (1, 5)}

    monkeypatch.setattr(AIOKafkaConnection, "_do_version_lookup", no_question)


@asynccontextmanager
async def connected(closed: list[CloseReason]) -> AsyncIterator[tuple[AIOKafkaConnection, asyncio.StreamWriter]]:
    """A connection of aiokafka's, and the other end of it. `closed`: why it was closed, once it was."""
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer)

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = await conn.create_conn("127.0.0.1", port, on_close=lambda _, reason: closed.append(reason))
        try:
            yield made, await accepted
        finally:
            made.close()


def reset(other_end: asyncio.StreamWriter) -> None:
    """As the system does it for a process that was killed."""
    other_end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    other_end.transport.abort()


def test_a_request_at_any_moment_after_the_broker_was_killed_fails_as_one_over_a_broken_connection() -> None:
    closed: list[CloseReason] = []

    async def send_until_closed() -> None:
        async with connected(closed) as (connection, other_end):
            reset(other_end)
            async with asyncio.timeout(10):
                while not closed:
                    answer = None
                    with suppress(KafkaConnectionError):
                        # At each turn of the loop, between the reset and when aiokafka has heard of it.
                        answer = connection.send(MetadataRequest([]))
                    await asyncio.sleep(0)
                    if answer is not None:
                        answer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send_until_closed())
    # For which the client asks for the cluster's metadata anew.
    assert closed == [CloseReason.CONNECTION_BROKEN]
