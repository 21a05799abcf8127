"""Writes the worker's heartbeat every few seconds, and refuses to start beside workers of another mission. Knows Kafka,
over a connection of its own, and the clock; what it says of the worker is asked of the worker."""

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError

from pipeline.errors import RelayWatchError
from pipeline.heartbeat import Beat, Heartbeat, MissionNames
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.heartbeats import ALIVE_SECONDS, BEAT_SECONDS, WorkersMissionError, beats_since, living
from pipeline.shells.worker.instance import InstanceError
from pipeline.topics import heartbeat_message

logger = logging.getLogger(__name__)

_LAST_SECONDS: Final = 2.0
_BEATS_WAITED: Final = 1.4


def host_of(process: str) -> str:
    return process.rpartition("/")[0]


class Vitals(NamedTuple):
    """What a heartbeat says of how the worker does."""

    partitions: Mapping[str, Sequence[int]] = {}
    watermarks: Mapping[str, int] = {}
    lag: Mapping[str, int] = {}


@dataclass(slots=True)
class Heart:
    cluster: Cluster
    namespace: str
    worker: str
    mission: MissionNames
    vitals: Callable[[], Vitals]
    replaces_mission: bool = False
    """The workers that run have an older version of this mission, and are started again one after the other."""
    process: str = field(default_factory=lambda: f"{socket.gethostname()}/{uuid.uuid4().hex}")
    """Machine and process."""
    _sequence: int = 0

    @asynccontextmanager
    async def beating(self) -> AsyncGenerator[None, None]:
        """Beats from before the block to its end. Raises WorkersMissionError, before the block, where workers of
        another mission run, and InstanceError where one of this name does; else as `Cluster.producer` does."""
        async with self.cluster.producer() as producer:
            await self._begin(producer)
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            # A worker that ends as asked is gone at once for all who look; of another that is known a little later.
            with suppress(RelayWatchError, KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS), self.cluster.producer() as producer:
                    await self._beat(producer, ended=True)

    async def _begin(self, producer: Any) -> None:
        """Of two workers that start at once the later one is refused: by the log's order and Kafka's clock alone."""
        first = await self._beat(producer)
        others = await living(self.cluster, self.namespace, now=first.timestamp, until=first.offset)
        fault = next(filter(None, (self._fault(beat) for beat in others if beat.worker != self.worker)), "")
        if fault:
            await self._beat(producer, ended=True)
            raise WorkersMissionError(fault)
        await self._check_name(first)

    async def _check_name(self, first: Any) -> None:
        """Whether a worker of this name beats on another machine; on this one nobody else has it (`instance`). Raises
        InstanceError. One that was killed a moment ago beats no more: only time tells."""
        earlier = await beats_since(
            self.cluster, self.namespace, first.timestamp - ALIVE_SECONDS * 1000, until=first.offset
        )
        last = {beat.process: beat for beat in earlier if beat.worker == self.worker and self.worker}
        elsewhere = {name for name, beat in last.items() if not beat.ended and host_of(name) != host_of(self.process)}
        if not elsewhere:
            return
        await asyncio.sleep(BEAT_SECONDS * _BEATS_WAITED)
        later = await beats_since(self.cluster, self.namespace, first.timestamp)
        twin = next((beat.process for beat in later if beat.process in elsewhere), None)
        if twin is not None:
            raise InstanceError(
                f"worker {self.worker} of namespace {self.namespace} runs already, on {host_of(twin)}: give this one "
                "another --instance, or end the other"
            )

    def _fault(self, other: Beat) -> str:
        """Why this worker may not run beside the other one; empty where it may."""
        theirs, ours = other.mission, self.mission
        if theirs.digest == ours.digest or (self.replaces_mission and theirs.name == ours.name):
            return ""
        runs = f"worker {other.worker} of namespace {self.namespace} runs with"
        if theirs.name != ours.name:
            return (
                f"{runs} mission {theirs.name}, and this one has mission {ours.name}: give it a --namespace of its "
                f"own, or end the other and wait {ALIVE_SECONDS:.0f} s"
            )
        return (
            f"{runs} another version of mission {ours.name} ({theirs.digest[:12]}, this one has {ours.digest[:12]}). "
            f"Where the mission file was changed, start its workers again one after the other with --replace-mission; "
            f"else give each the same file"
        )

    async def _follow(self) -> None:
        """Does not return."""
        while True:
            try:
                async with self.cluster.producer() as producer:
                    while True:
                        await asyncio.sleep(BEAT_SECONDS)
                        await self._beat(producer)
            except (RelayWatchError, KafkaError, OSError, TimeoutError) as fault:
                logger.debug("no heartbeat: %r", fault)
            except Exception:
                # Beside the point of a worker: it does without.
                logger.exception("no heartbeat")
            await asyncio.sleep(BEAT_SECONDS)

    async def _beat(self, producer: Any, *, ended: bool = False) -> Any:
        """Where it stands in the log."""
        beat = Heartbeat(
            worker=self.worker or self.process, process=self.process, sequence=self._sequence, at=time.time_ns(),
            version=version("relaywatch"), mission=self.mission, ended=ended, **self.vitals()._asdict(),
        )  # fmt: skip
        self._sequence += 1
        message = heartbeat_message(self.namespace, beat)
        sent = producer.send_and_wait(
            message.topic, message.value, message.key, partition=0, headers=list(message.headers)
        )
        return await self.cluster.within(sent)
