"""State in its changelog: a death between any two writes leaves a state that belongs together."""

import random
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.set_aside import SettingAside
from pipeline.shells.worker.versions import (
    HEAD,
    MAX_CHUNK_OCTETS,
    ChunkTooLargeError,
    Entry,
    Owner,
    StateError,
    Versions,
    progress_entry,
)

LINK = Owner("run-1", "rover-a")


def replayed(entries: Iterable[Entry]) -> Versions:
    """As Faust reads a changelog back."""
    versions = Versions()
    for entry in entries:
        value = None if entry.value is None else orjson.loads(entry.value)
        versions.replay(entry.partition, entry.key, value)
    return versions


class Machine:
    """A state that is a function of the records up to an offset: a digit goes into one of five chunks."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions
        found = versions.read(LINK)
        self.offset, head, self.chunks = found if found is not None else (-1, {"state": 0}, {})
        self.total = head["state"]

    def batch(self, records: list[int]) -> list[Entry]:
        """The entries that bring the storage to the end of the batch, in the order in which they are written."""
        changed: dict[str, object] = {}
        for record in records:
            self.offset += 1
            self.total += record
            name = f"chunk/{record % 5}"
            self.chunks[name] = [*self.chunks.get(name, []), record]
            changed[name] = self.chunks[name]
        change = self.versions.change(LINK, 0, self.offset, {HEAD: self.total, **changed}, {"origin": "test"})
        self.versions.take(change)
        return [*change.entries, change.head_entry, progress_entry(0, self.offset, SettingAside())]


BAD = SettingAside(second=1_700_000_000, kept=100)


def truth(records: list[int]) -> tuple[int, int, dict[str, list[int]]]:
    chunks: dict[str, list[int]] = {}
    for record in records:
        chunks.setdefault(f"chunk/{record % 5}", []).append(record)
    return len(records) - 1, sum(records), chunks


def check(versions: Versions, records: list[int]) -> int:
    """The state is that of the records up to its offset; gives the offset."""
    found = versions.read(LINK)
    if found is None:
        return -1
    offset, head, chunks = found
    assert (offset, head["state"], chunks) == truth(records[: offset + 1])
    return offset


@given(st.lists(st.integers(0, 99), min_size=1, max_size=40), st.integers(0, 2**32))
def test_any_death_between_two_writes_leaves_a_state_that_belongs_together(records: list[int], seed: int) -> None:
    chance = random.Random(seed)
    log: list[Entry] = []
    done = -1
    while done < len(records) - 1:
        versions = replayed(log)
        assert check(versions, records) == done
        machine = Machine(versions)
        written = machine.batch(records[done + 1 : done + 1 + chance.randint(1, 9)])
        # Of what goes before the head any part may have been written: those sends run side by side.
        before_head = len(written) - 2
        if chance.random() < 0.5:
            log += [entry for entry in written[:before_head] if chance.random() < 0.5]
        else:
            log += written[: chance.choice([before_head, before_head + 1, before_head + 2])]
        done = check(replayed(log), records)
        assert replayed(log).progress.get(0, -1) <= done


@given(st.lists(st.integers(0, 99), min_size=2, max_size=30), st.integers(0, 2**32))
def test_a_worker_thought_dead_that_writes_late_changes_nothing(records: list[int], seed: int) -> None:
    chance = random.Random(seed)
    half = len(records) // 2
    late = Machine(Versions()).batch(records[:half])
    log = list(late)
    owner = Machine(replayed(log))
    for record in records[half:]:
        log += owner.batch([record])
    log += [entry for entry in late if chance.random() < 0.7]
    assert check(replayed(log), records) == len(records) - 1
    assert replayed(log).progress == {0: len(records) - 1}


@given(st.lists(st.integers(0, 99), min_size=1, max_size=30))
def test_reading_a_part_of_the_changelog_again_changes_nothing(records: list[int]) -> None:
    machine = Machine(Versions())
    log = [entry for record in records for entry in machine.batch([record])]
    assert check(replayed([*log, *log[: len(log) // 2]]), records) == len(records) - 1


def test_compaction_keeps_the_state() -> None:
    records = [3, 8, 4, 13, 3]
    machine = Machine(Versions())
    log = [entry for record in records for entry in machine.batch([record])]
    compacted = {entry.key: entry for entry in log}
    assert check(replayed(compacted.values()), records) == 4


def test_a_chunk_that_was_lost_is_found_when_the_state_is_read() -> None:
    machine = Machine(Versions())
    log = [entry for record in (1, 2, 3) for entry in machine.batch([record])]
    lost = [entry for entry in log if entry.key != LINK.key("chunk/2")]
    with pytest.raises(StateError, match="state of rover-a in run 'run-1' at offset 2 is not whole: its 2 chunks"):
        replayed(lost).read(LINK)


def test_a_chunk_of_64_kib_is_refused_before_anything_is_written() -> None:
    versions = Versions()
    just = "x" * (MAX_CHUNK_OCTETS - 3)
    assert versions.change(LINK, 0, 0, {HEAD: 0, "fits": just}, {}).entries
    with pytest.raises(ChunkTooLargeError, match=r"'run-1\|rover-a\|bins' is 65536 octets; a chunk has fewer"):
        versions.change(LINK, 0, 0, {HEAD: 0, "bins": just + "x"}, {})


def test_partitions_that_were_taken_away_are_let_go() -> None:
    versions = replayed([
        *Machine(Versions()).batch([1]),
        Entry(Owner("", "rover-b").key(HEAD), b'{"now": [4, {"state": 0, "chunks": 0}]}', 3),
        progress_entry(3, 4, BAD),
    ])  # fmt: skip
    versions.keep_only({3})
    assert list(versions.owners) == [Owner("", "rover-b")]
    assert versions.progress == {3: 4}
    assert versions.aside == {3: BAD}


def test_what_another_worker_wrote_meanwhile_counts_in_the_next_head() -> None:
    mine, others = Versions(), Versions()
    written = Machine(mine).batch([1, 2])
    for entry in written:
        others.replay(entry.partition, entry.key, orjson.loads(entry.value or b""))
    for entry in Machine(others).batch([1, 3]):
        mine.replay(entry.partition, entry.key, orjson.loads(entry.value or b""))
    again = Machine(mine)
    again.batch([4])
    assert Machine(mine).chunks == again.chunks
