"""Whether a Kafka answers, and lets us in: asked before anything is started, so that one clear line says so. Knows
aiokafka's connection; knows no topic."""

import asyncio
import logging
import time
from typing import Any, Final

from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka.connections import connection_to
from pipeline.shells.kafka.refusal import host_and_port, refusal
from pipeline.shells.security import Security

_PAUSE_SECONDS: Final = 0.25


class KafkaUnreachableError(RelayWatchError):
    """No Kafka answered at the address within the time."""


class KafkaRefusedError(RelayWatchError):
    """A Kafka answered and did not let us in, or is not the one that we trust."""


async def reachable(servers: str, timeout_seconds: float, security: Security) -> None:
    """Back once a broker has answered and let us in; one that is just starting is waited for.

    Raises KafkaRefusedError at once where waiting cannot help, and KafkaUnreachableError after `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    options = security.client_options() | {"request_timeout_ms": max(int(timeout_seconds * 1000), 1000)}
    while True:
        left = deadline - time.monotonic()
        refusals = []
        for server in servers.split(","):
            try:
                async with asyncio.timeout(max(left, _PAUSE_SECONDS)):
                    return await _ask(server, options)
            except (KafkaError, OSError, TimeoutError) as fault:
                refusals.append(await refusal(server, fault, security))
        if all(refusals):
            raise KafkaRefusedError(refusals[0])
        if deadline - time.monotonic() <= _PAUSE_SECONDS:
            raise KafkaUnreachableError(
                f"no Kafka answers at {servers} within {timeout_seconds:g} s. Start one with "
                "`relaywatch kafka start`, or name yours with --kafka host:port (RELAYWATCH_KAFKA); "
                "`relaywatch analyze` needs no broker."
            )
        await asyncio.sleep(_PAUSE_SECONDS)


async def _ask(server: str, options: dict[str, Any]) -> None:
    host, port = host_and_port(server)
    # It logs what the caller gets as one clear line.
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        async with connection_to(host, port, **options) as connection:
            await connection.send(MetadataRequest([]))
    finally:
        logger.setLevel(level)
