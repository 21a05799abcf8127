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
    """Nothing more is fetched of a partition while much of it waits, so memory is bounded whatever the lag. A batch
    takes of all partitions in turn: however much comes in one, what comes in another is in the next batch."""

    batch_records: int
    waiting: dict[TP, deque[Waiting]] = field(default_factory=dict)
    """Partitions of which something waits; the one that was taken of last is the last."""
    octets: int = 0
    held: set[TP] = field(default_factory=set)
    """Partitions of which no more is fetched."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, place: TP, records: Sequence[ConsumerRecord[Any, Any]], generation: int, source: Source) -> None:
        queue = self.waiting.setdefault(place, deque())
        for record in records:
            octets = len(record.value or b"") + len(record.key or b"")
            self.octets += octets
            queue.append(Waiting(record, generation, octets))
        if not queue:
            del self.waiting[place]
        if self._is_full(place) and place not in self.held:
            self.held.add(place)
            source.on_buffer_full(place)
        self.arrived.set()

    async def take(self, source: Source) -> list[Waiting]:
        """What waits, as soon as there is something: at most a batch."""
        while not self.waiting:
            self.arrived.clear()
            await self.arrived.wait()
        taken, octets = list[Waiting](), 0
        while self.waiting and len(taken) < self.batch_records:
            place, queue = next(iter(self.waiting.items()))
            # A record may be larger than a batch, and then is one.
            if taken and octets + queue[0].octets > MOST_OCTETS:
                break
            taken.append(queue.popleft())
            octets += taken[-1].octets
            del self.waiting[place]
            if queue:
                self.waiting[place] = queue
        self.octets -= octets
        for place in [place for place in self.held if not self._is_full(place)]:
            source.on_buffer_drop(place)
            self.held.remove(place)
        return taken

    def clear(self) -> None:
        """The partitions are assigned anew: who fetches forgets what was held."""
        self.waiting.clear()
        self.octets = 0
        self.held.clear()

    def _is_full(self, place: TP) -> bool:
        return len(self.waiting.get(place, ())) >= self.batch_records or self.octets >= MOST_OCTETS
