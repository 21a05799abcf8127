"""How many records wait for this worker, asked of Kafka every few seconds over a connection of its own: a consumer that
has silently stopped does not know it. Knows Kafka's offsets and how far the guards are."""

import asyncio
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline import metrics
from pipeline.errors import RelayWatchError
from pipeline.metrics import Sample
from pipeline.shells.exits import EXIT_FAILED, leave
from pipeline.shells.kafka.clients import Cluster, Presence
from pipeline.shells.kafka.log_offsets import first_offset_from
from pipeline.shells.kafka.topic_ids import topic_ids
from pipeline.shells.worker.catch_up import CatchUp
from pipeline.shells.worker.guard import Guard
from pipeline.shells.worker.meter import Display
from pipeline.shells.worker.pulse import Pulse

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 10.0
_TOPICS_EVERY: Final = 5
"""Looks."""
_SCOPE: Final = "backlog"


class _Stretch(NamedTuple):
    first: int
    end: int
    is_empty: bool
    """No record stands between these offsets, as at the end of a transaction."""


@dataclass(slots=True)
class Backlog:
    cluster: Cluster
    guards: Sequence[Guard]
    display: Display
    pulse: Pulse
    lag: dict[str, int] = field(default_factory=dict)
    """topic/partition → records that wait, of all partitions that are assigned."""
    catch_up: CatchUp = field(default_factory=CatchUp)
    _asked: dict[TP, _Stretch] = field(default_factory=dict)
    _presence: Presence = field(init=False)

    def __post_init__(self) -> None:
        self._presence = Presence(self.cluster.servers)

    async def follow(self) -> None:
        """Does not return."""
        while True:
            try:
                async with self.cluster.consumer() as consumer:
                    for looks in itertools.count():
                        await self.look(consumer)
                        if looks % _TOPICS_EVERY == 0:
                            await self.check_topics()
                        self._presence.seen(is_there=True)
                        await asyncio.sleep(LOOK_EVERY_SECONDS)
            except (RelayWatchError, KafkaError, OSError, TimeoutError) as fault:
                logger.debug("how many records wait is not known: %r", fault)
                self._presence.seen(is_there=False)
                self.pulse.not_known()
            except Exception:
                # Without it `/live` would be true of a worker that stands, and nobody would know.
                logger.exception("looking how many records wait failed")
                leave(EXIT_FAILED, "starting again from the state")
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def look(self, consumer: Any) -> None:
        """Raises KafkaError, OSError or TimeoutError where Kafka does not answer."""
        # Also where no partition is assigned: so that it is known whether Kafka answers.
        async with asyncio.timeout(_ANSWER_SECONDS):
            await consumer.topics()
        samples: list[Sample] = []
        places: dict[str, tuple[int, int]] = {}
        for guard in self.guards:
            topic, positions = guard.lives.stage.source, _positions(guard)
            async with asyncio.timeout(_ANSWER_SECONDS):
                ends = await consumer.end_offsets([TopicPartition(*place) for place in positions]) if positions else {}
            for place, at in positions.items():
                name = f"{topic}/{place.partition}"
                waiting = max(0, ends[place] - at)
                mark = self.pulse.behind.get(name)
                if waiting and mark is not None and mark.at == at:
                    # None was taken since the last look: it may be that there is none.
                    await self._ask(place, at, ends[place], name)
                if self._asked.get(place) == _Stretch(at, ends[place], is_empty=True):
                    waiting = 0
                samples.append(Sample(metrics.LAG, (topic, str(place.partition)), waiting))
                places[name] = waiting, at
        self.pulse.looked(places)
        self.lag.clear()
        self.lag.update({name: waiting for name, (waiting, _) in places.items()})
        replayed = sum(guard.table.replayed for guard in self.guards)
        self.pulse.has_partitions(all(guard.owned for guard in self.guards), replayed)
        self.display.show(_SCOPE, samples)

    async def check_topics(self) -> None:
        """That the sources are the topics they were: one made anew may have more records than were read of the old."""
        ids = await topic_ids(self.cluster, [guard.source for guard in self.guards])
        for guard in self.guards:
            if guard.owned:
                guard.check_topic(guard.topic_id, ids.get(guard.source, ""))

    async def _ask(self, place: TP, first: int, end: int, name: str) -> None:
        known = self._asked.get(place)
        if known is None or known.first != first or (known.is_empty and known.end != end):
            # That takes seconds, in which nothing is known: they do not count as a stall.
            del self.pulse.behind[name]
            is_empty = await first_offset_from(self.cluster, place, first) is None
            self._asked[place] = _Stretch(first, end, is_empty)


def _positions(guard: Guard) -> dict[TP, int]:
    """Partition → the offset after the last record that is done with."""
    return {**guard.next_offsets, **guard.done()} if guard.owned else {}
