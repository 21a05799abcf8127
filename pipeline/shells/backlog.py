"""How many records wait for this worker, asked of Kafka every few seconds over a connection of its own: a consumer that
has silently stopped does not know it. Knows Kafka's offsets and how far the guards are."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline import metrics
from pipeline.errors import RelayWatchError
from pipeline.metrics import Sample
from pipeline.shells.catch_up import CatchUp
from pipeline.shells.guard import Guard
from pipeline.shells.kafka_clients import Cluster
from pipeline.shells.log_offsets import first_offset_from
from pipeline.shells.meter import Display
from pipeline.shells.pulse import Pulse

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 10.0
_SCOPE: Final = "backlog"


@dataclass(slots=True)
class Backlog:
    cluster: Cluster
    guards: Sequence[Guard]
    display: Display
    pulse: Pulse
    catch_up: CatchUp = field(default_factory=CatchUp)
    _empty: dict[TP, tuple[int, int]] = field(default_factory=dict)
    """Partition → (from, to): offsets between which no record stands, as at the end of a transaction."""

    async def follow(self) -> None:
        """Does not return."""
        while True:
            try:
                async with self.cluster.consumer() as consumer:
                    while True:
                        await self.look(consumer)
                        await asyncio.sleep(LOOK_EVERY_SECONDS)
            except (RelayWatchError, KafkaError, OSError, TimeoutError) as fault:
                logger.debug("how many records wait is not known: %r", fault)
                self.pulse.not_known()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def look(self, consumer: Any) -> None:
        """Raises KafkaError, OSError or TimeoutError where Kafka does not answer."""
        samples: list[Sample] = []
        # Also where no partition is assigned: so that it is known whether Kafka answers.
        async with asyncio.timeout(_ANSWER_SECONDS):
            await consumer.topics()
        for guard in self.guards:
            name, positions = guard.lives.stage.source, _positions(guard)
            async with asyncio.timeout(_ANSWER_SECONDS):
                ends = await consumer.end_offsets([TopicPartition(*place) for place in positions]) if positions else {}
            waiting = {place: max(0, ends[place] - at) for place, at in positions.items()}
            mark = self.pulse.behind.get(name)
            if mark is not None and mark.at == sum(positions.values()):
                await self._leave_out_what_is_empty(positions, waiting)
            samples += [Sample(metrics.LAG, (name, str(place.partition)), lag) for place, lag in waiting.items()]
            self.pulse.looked(name, sum(waiting.values()), sum(positions.values()))
            self.catch_up.looked(name, sum(waiting.values()), sum(positions.values()))
        replayed = sum(guard.table.replayed for guard in self.guards)
        self.pulse.has_partitions(all(guard.owned for guard in self.guards), replayed)
        self.display.show(_SCOPE, samples)

    async def _leave_out_what_is_empty(self, positions: dict[TP, int], waiting: dict[TP, int]) -> None:
        """Nothing was taken since the last look: there may be nothing to take."""
        for place, lag in waiting.items():
            if not lag:
                continue
            stretch = positions[place], positions[place] + lag
            if self._empty.get(place) != stretch:
                if await first_offset_from(self.cluster, place, stretch[0]) is not None:
                    continue
                self._empty[place] = stretch
            waiting[place] = 0


def _positions(guard: Guard) -> dict[TP, int]:
    """Partition → the offset after the last record that is done with."""
    return {**guard.next_offsets, **guard.done()} if guard.owned else {}
