"""Whether a Kafka answers: asked before anything is started, so that one clear line says so. Knows aiokafka's client;
knows no topic."""

import asyncio
import logging
import time
from typing import Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from pipeline.errors import RelayWatchError

_PAUSE_SECONDS: Final = 0.25


class KafkaUnreachableError(RelayWatchError):
    """No Kafka answered at the address within the time."""


async def reachable(bootstrap: str, timeout_seconds: float) -> None:
    """Back once a broker has answered; a broker that is just starting is waited for.

    Raises KafkaUnreachableError after `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        left = deadline - time.monotonic()
        try:
            async with asyncio.timeout(max(left, _PAUSE_SECONDS)):
                return await _ask(bootstrap, timeout_seconds)
        except (KafkaError, OSError, TimeoutError):
            if deadline - time.monotonic() <= _PAUSE_SECONDS:
                raise KafkaUnreachableError(
                    f"no Kafka answers at {bootstrap} within {timeout_seconds:g} s. Start one with "
                    "`relaywatch kafka start`, or name yours with --kafka host:port (RELAYWATCH_KAFKA); "
                    "`relaywatch analyze` needs no broker."
                ) from None
            await asyncio.sleep(_PAUSE_SECONDS)


async def _ask(bootstrap: str, timeout_seconds: float) -> None:
    # It logs each refused connection as an error; the caller gets one clear line instead.
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=max(int(timeout_seconds * 1000), 1000))
    try:
        await client.bootstrap()
    finally:
        await client.close()
        logger.setLevel(level)
