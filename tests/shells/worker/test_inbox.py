"""What waits is bounded, comes in order and at once."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.shells.worker.inbox import MOST_OCTETS, Inbox

FIRST, SECOND = TP("relay.frames", 0), TP("relay.frames", 1)


class Source:
    def __init__(self) -> None:
        self.held: set[TP] = set()

    def on_buffer_full(self, tp: TP) -> None:
        self.held.add(tp)

    def on_buffer_drop(self, tp: TP) -> None:
        self.held.remove(tp)


def records(*octets: int) -> list[Any]:
    return [SimpleNamespace(key=None, value=bytes(length), offset=place) for place, length in enumerate(octets)]


def offsets(taken: list[Any]) -> list[int]:
    return [one.record.offset for one in taken]


@pytest.mark.asyncio
async def test_what_has_come_is_taken_at_once_and_no_more_than_a_batch() -> None:
    inbox, source = Inbox(batch_records=3), Source()
    waits = asyncio.ensure_future(inbox.take(source))
    await asyncio.sleep(0)
    assert not waits.done()
    inbox.put(FIRST, records(1), 1, source)
    assert offsets(await waits) == [0]
    inbox.put(FIRST, records(1, 1, 1, 1), 1, source)
    assert offsets(await inbox.take(source)) == [0, 1, 2]
    assert offsets(await inbox.take(source)) == [3]


@pytest.mark.asyncio
async def test_a_batch_is_bounded_in_octets_too_and_takes_one_record_of_any_size() -> None:
    inbox, source = Inbox(batch_records=100), Source()
    inbox.put(FIRST, records(10, MOST_OCTETS - 10, 1, 2 * MOST_OCTETS, 1), 1, source)
    taken = [offsets(await inbox.take(source)) for _ in range(4)]
    assert taken == [[0, 1], [2], [3], [4]]
    assert inbox.octets == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("much", [(1, 1, 1), (MOST_OCTETS,)], ids=["records", "octets"])
async def test_no_more_is_fetched_of_a_partition_while_much_waits(much: tuple[int, ...]) -> None:
    inbox, source = Inbox(batch_records=3), Source()
    inbox.put(FIRST, records(*much), 1, source)
    assert source.held == {FIRST}
    await inbox.take(source)
    assert source.held == set()


@pytest.mark.asyncio
async def test_much_that_comes_in_one_partition_holds_no_other_back() -> None:
    inbox, source = Inbox(batch_records=4), Source()
    inbox.put(FIRST, records(*[1] * 100), 1, source)
    inbox.put(SECOND, records(1), 1, source)
    assert source.held == {FIRST}
    taken = await inbox.take(source)
    assert offsets(taken) == [0, 0, 1, 2]
    assert offsets(await inbox.take(source)) == [3, 4, 5, 6]


@pytest.mark.asyncio
async def test_partitions_assigned_anew_find_it_empty() -> None:
    inbox, source = Inbox(batch_records=1), Source()
    inbox.put(FIRST, records(5), 1, source)
    inbox.clear()
    inbox.put(SECOND, records(7), 2, source)
    [one] = await inbox.take(source)
    assert (one.octets, one.generation, inbox.octets) == (7, 2, 0)
