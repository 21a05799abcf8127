"""Records of one topic that were fetched and not yet taken, in order within each partition. Knows Kafka's records and
how much may wait; knows nothing of what is in them."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import ConsumerRecord
from faust.types import TP

MOST_OCTETS: Final = 8 << 20
"""Of a batch; and of what waits beside it, but for the fetch that goes over. A record alone may be larger."""


class Source(Protocol):
    """Who fetches: Faust's consumer."""

    def on_buffer_full(self, tp: TP) -> None: ...

    def on_buffer_drop(self, tp: TP) -> None: ...


class Waiting(NamedTuple):
    record: ConsumerRecord[Any, Any]
    generation: int
    """Of the group: a record of an earlier one is not used."""
    octets: int


@dataclass(slots=True)
class Inbox:
    """Nothing more is fetched of a partition while much waits, so memory is bounded whatever the lag."""

    batch_records: int
    waiting: deque[Waiting] = field(default_factory=deque)
    octets: int = 0
    held: set[TP] = field(default_factory=set)
    """Partitions of which no more is fetched."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, place: TP, records: Sequence[ConsumerRecord[Any, Any]], generation: int, source: Source) -> None:
        for record in records:
            octets = len(record.value or b"") + len(record.key or b"")
            self.octets += octets
            self.waiting.append(Waiting(record, generation, octets))
        if self._is_full and place not in self.held:
            self.held.add(place)
            source.on_buffer_full(place)
        self.arrived.set()

    async def take(self, source: Source) -> list[Waiting]:
        """What waits, as soon as there is something: at most a batch."""
        while not self.waiting:
            self.arrived.clear()
            await self.arrived.wait()
        taken = [self._next()]
        octets = taken[0].octets
        while self.waiting and len(taken) < self.batch_records and octets + self.waiting[0].octets <= MOST_OCTETS:
            taken.append(self._next())
            octets += taken[-1].octets
        if self.held and not self._is_full:
            for place in self.held:
                source.on_buffer_drop(place)
            self.held.clear()
        return taken

    def clear(self) -> None:
        """The partitions are assigned anew: who fetches forgets what was held."""
        self.waiting.clear()
        self.octets = 0
        self.held.clear()

    @property
    def _is_full(self) -> bool:
        return len(self.waiting) >= self.batch_records or self.octets >= MOST_OCTETS

    def _next(self) -> Waiting:
        one = self.waiting.popleft()
        self.octets -= one.octets
        return one
