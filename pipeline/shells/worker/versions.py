"""State as it stands in a table's changelog: chunks in versions, from which the one state that belongs together is
read again. Knows the entries' form; knows no Kafka and nothing of what is in a state.

The state of one owner (a run's link or vehicle) is some chunks and a head. One batch changes several of them, and a
process may die after any. So a chunk's entry holds its new value and the one before, each with the source offset it
stands for, and the head is written when all chunks are acknowledged:

    chunk   {"now": [offset, value], "was": [offset, value] or null}
    head    {"now": [offset, {"state": ..., "chunks": sum, ...}]}

Beside them stands, for each source partition, how far it is done with, what is set aside of it (`pipeline.set_aside`)
and the id that Kafka gave its topic:

    progress   {"now": [offset, {"topic_id": ..., "second": ..., "kept": ..., "runs": ..., "open": ..., "unsaid": ...}]}

A chunk whose offset is above the head's is a *leaving* of a process that died before the head: what it was before
counts. A later head must not make it count, however the records are grouped then. So each entry carries the *epoch* of
its writer, and whoever takes a partition over does three things before anything else: it reads the changelog to its
end; it *claims* the partition by an entry of the next epoch, and knows by the offset of that entry that nothing came
in between; and it *mends*: of each key whose last entry does not count it writes again what counts.

From a claim on no entry of an earlier epoch counts. So what one writer of a partition left is all that it could leave,
the next one has seen and mended it, and what a worker that was thought dead still writes is passed over.

The sum in the head is over the names and octets of all chunks that belong to it: a chunk that was lost, or is not the
one that was written, is found when the state is read.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from pipeline.errors import RelayWatchError
from pipeline.set_aside import SettingAside

MAX_CHUNK_OCTETS: Final = 64 << 10
HEAD: Final = ""
PROGRESS: Final = "~"
_GONE: Final = b"null"


class Version(NamedTuple):
    """What one chunk, or the head, was at one offset of the source."""

    offset: int
    value: bytes
    """JSON with sorted keys: the same value has the same octets, whoever wrote it."""
    checksum: int
    """Of its name and value."""
    epoch: int = 0
    """Of the worker that wrote it."""


class ChunkTooLargeError(RelayWatchError):
    """A chunk of state that would outgrow its bound."""


class StateError(RelayWatchError):
    """State that does not belong together: no restart cures it, and nothing may be made from it."""


class Owner(NamedTuple):
    """Whose state it is."""

    run: str
    name: str
    """The link or the vehicle."""

    def __str__(self) -> str:
        return f"{self.name} in run {self.run or 'live'!r}"

    def key(self, chunk: str) -> str:
        return f"{self.run}|{self.name}|{chunk}"


class Entry(NamedTuple):
    """One record of the changelog."""

    key: str
    value: bytes | None
    """None: the key is dropped."""
    partition: int


@dataclass(slots=True)
class Kept:
    """What the changelog says of one owner."""

    partition: int
    head: Version | None = None
    chunks: dict[str, list[Version]] = field(default_factory=dict)
    """Versions ascend by offset."""
    total: int | None = None
    """The sum over the chunks of the head, where it is known: a long run has thousands of them."""

    def chunk(self, name: str) -> Version | None:
        """The version that belongs to the head."""
        if self.head is None:
            return None
        return next((one for one in reversed(self.chunks.get(name, [])) if one.offset <= self.head.offset), None)

    def those_of_head(self) -> dict[str, Version]:
        found = {name: self.chunk(name) for name in self.chunks}
        return {name: version for name, version in found.items() if version is not None}


@dataclass(slots=True)
class Change:
    """What one batch made of one owner's state, ready to be written."""

    owner: Owner
    partition: int
    head: Version
    chunks: dict[str, Version]
    entries: list[Entry]
    """Of the chunks: to be acknowledged before the head is sent."""
    head_entry: Entry
    total: int | None = None
    """As `Kept.total`, when this is taken."""


@dataclass(slots=True)
class Versions:
    """All state of one table that this process holds."""

    owners: dict[Owner, Kept] = field(default_factory=dict)
    progress: dict[int, int] = field(default_factory=dict)
    """Source partition → highest offset that is done with."""
    aside: dict[int, SettingAside] = field(default_factory=dict)
    """Source partition → what is set aside of it, up to there."""
    topic_ids: dict[int, str] = field(default_factory=dict)
    """Source partition → Kafka's id of the topic in which it was read."""
    epochs: dict[int, int] = field(default_factory=dict)
    """Partition → the epoch that was claimed last."""
    stale: dict[int, set[str]] = field(default_factory=dict)
    """Partition → keys whose last entry was written by a worker that had the partition no longer."""
    ends: dict[int, int] = field(default_factory=dict)
    """Partition → the changelog's offset after the last record that was read or written."""
    unreadable: dict[Owner, dict[str, str]] = field(default_factory=dict)
    """Owner → chunk or head whose last entry no worker of this version wrote → what was found."""
    unusable: dict[Owner, str] = field(default_factory=dict)
    """Owners whose state is set aside, and why: nothing may be made from it."""

    def replay(self, partition: int, key: str, value: Mapping[str, Any] | None, epoch: int = 0) -> None:
        """Take what one record of the changelog says (`changelog.read_entry`); older ones that come late change
        nothing."""
        if self._is_stale(partition, key, epoch):
            return
        if is_progress(key):
            # With the same offset again: what was set aside there has been said. -1: a claim before the first record.
            if value is not None and value["now"][0] >= self.progress.get(partition, 0):
                self.progress[partition], kept = value["now"]
                # A worker of an earlier version kept a list of shares.
                kept = {} if isinstance(kept, list) else kept
                self.aside[partition] = SettingAside.from_json(kept) if kept else SettingAside()
                self.topic_ids[partition] = kept.get("topic_id", "")
            return
        run, name, chunk = key.split("|", 2)
        owner = Owner(run, name)
        self._is_readable(owner, chunk)
        if value is None:
            self._forget(owner, chunk)
            return
        kept = self.owners.setdefault(owner, Kept(partition))
        kept.total = None
        versions = [
            _version(chunk, value[which][0], value[which][1], epoch)
            for which in ("was", "now")
            if value.get(which) is not None
        ]
        newest = versions[-1]
        if chunk == HEAD:
            if kept.head is None or newest.offset >= kept.head.offset:
                kept.head = newest
            return
        # What an earlier writer left above it was mended by this entry.
        known = [one for one in kept.chunks.get(chunk, ()) if one.epoch == epoch or one.offset < newest.offset]
        kept.chunks[chunk] = _pruned([*known, *versions], kept.head)

    def read_to(self, partition: int, end: int) -> None:
        """The changelog was read, or written by this worker alone, up to this offset."""
        self.ends[partition] = max(end, self.ends.get(partition, 0))

    def replay_unreadable(self, partition: int, key: str, why: str, epoch: int = 0) -> None:
        """Take that the entry of an owner's chunk or head cannot be read: until it is written anew the state is of no
        use."""
        if self._is_stale(partition, key, epoch):
            return
        run, name, chunk = key.split("|", 2)
        owner = Owner(run, name)
        self.owners.setdefault(owner, Kept(partition))
        self.unreadable.setdefault(owner, {})[chunk] = why

    def _is_stale(self, partition: int, key: str, epoch: int) -> bool:
        """Whether the last entry of a key was written behind the claim of another worker."""
        stale = self.stale.setdefault(partition, set())
        if epoch < self.epochs.get(partition, 0):
            stale.add(key)
            return True
        self.epochs[partition] = epoch
        stale.discard(key)
        return False

    def _is_readable(self, owner: Owner, chunk: str) -> None:
        faults = self.unreadable.get(owner, {})
        faults.pop(chunk, None)
        if not faults:
            self.unreadable.pop(owner, None)

    def _forget(self, owner: Owner, chunk: str) -> None:
        kept = self.owners.get(owner)
        if kept is None:
            return
        kept.total = None
        if chunk == HEAD:
            kept.head = None
        else:
            kept.chunks.pop(chunk, None)
        if kept.head is None and not kept.chunks:
            del self.owners[owner]

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Let go of what belongs to other partitions."""
        mine = set(partitions)
        self.owners = {owner: kept for owner, kept in self.owners.items() if kept.partition in mine}
        self.progress = {partition: offset for partition, offset in self.progress.items() if partition in mine}
        self.aside = {partition: one for partition, one in self.aside.items() if partition in mine}
        self.topic_ids = {partition: one for partition, one in self.topic_ids.items() if partition in mine}
        self.epochs = {partition: epoch for partition, epoch in self.epochs.items() if partition in mine}
        self.stale = {partition: keys for partition, keys in self.stale.items() if partition in mine}
        self.ends = {partition: end for partition, end in self.ends.items() if partition in mine}
        self.unreadable = {owner: found for owner, found in self.unreadable.items() if owner in self.owners}

    def claim(self, partition: int) -> Entry:
        """The entry by which this worker claims a partition: from it on nothing counts that others write."""
        self.epochs[partition] = self.epochs.get(partition, 0) + 1
        aside, topic_id = self.aside.get(partition, SettingAside()), self.topic_ids.get(partition, "")
        return progress_entry(partition, self.progress.get(partition, -1), aside, topic_id)

    def mend(self, partition: int) -> list[Entry]:
        """The entries that make the last one of each key in a claimed partition the one that counts. Leavings are
        forgotten: from now on everything that is known counts."""
        stale = self.stale.pop(partition, set())
        entries = []
        for owner, kept in [(owner, kept) for owner, kept in self.owners.items() if kept.partition == partition]:
            if owner in self.unreadable:
                stale -= {owner.key(name) for name in (HEAD, *kept.chunks)}
                continue
            for name, versions in list(kept.chunks.items()):
                counts = kept.chunk(name)
                stale_key = owner.key(name) in stale
                stale.discard(owner.key(name))
                if counts is versions[-1] and not stale_key:
                    continue
                entries.append(Entry(owner.key(name), None if counts is None else _entry(counts, None), partition))
                if counts is None:
                    del kept.chunks[name]
                else:
                    kept.chunks[name] = [counts]
            if kept.head is None:
                del self.owners[owner]
            elif owner.key(HEAD) in stale:
                stale.discard(owner.key(HEAD))
                entries.append(Entry(owner.key(HEAD), _entry(kept.head, None), partition))
        # Of these nothing counts; progress was written with the claim.
        entries += [Entry(key, None, partition) for key in sorted(stale) if not is_progress(key)]
        return entries

    def find_unusable(self) -> None:
        """Set aside every owner whose state is not whole, or not of this version."""
        self.unusable = {
            owner: f"state of {owner} cannot be read: {next(iter(found.values()))}"
            for owner, found in self.unreadable.items()
        }
        for owner in self.owners.keys() - self.unusable.keys():
            try:
                self.check(owner)
            except StateError as fault:
                self.unusable[owner] = str(fault)

    def check(self, owner: Owner) -> None:
        """Raises StateError where a chunk of the state is not the one that was written."""
        kept = self.owners[owner]
        head = self.head(owner)
        # Of a run that is over chunks may be left that are yet to be dropped.
        if head is None or kept.head is None or head.get("over"):
            return
        versions = kept.those_of_head()
        if _sum(versions.values()) != head["chunks"]:
            raise StateError(
                f"state of {owner} at offset {kept.head.offset} is not whole: its "
                f"{len(versions)} chunks are not those that its head was written for"
            )

    def head(self, owner: Owner) -> dict[str, Any] | None:
        """The head of an owner's state alone; None where there is none."""
        kept = self.owners.get(owner)
        if kept is None or kept.head is None:
            return None
        head: dict[str, Any] = orjson.loads(kept.head.value)
        return head

    def read(self, owner: Owner) -> tuple[int, dict[str, Any], dict[str, Any]] | None:
        """(offset, head, chunks) of an owner's state, all of one moment; None where there is none.

        Raises StateError where a chunk of it is not the one that was written.
        """
        head, kept = self.head(owner), self.owners.get(owner)
        if head is None or kept is None or kept.head is None:
            return None
        self.check(owner)
        chunks = {name: orjson.loads(version.value) for name, version in kept.those_of_head().items()}
        return kept.head.offset, head, {name: value for name, value in chunks.items() if value is not None}

    def change(
        self, owner: Owner, partition: int, offset: int, changes: Mapping[str, Any], about: Mapping[str, Any]
    ) -> Change:
        """The entries that bring an owner's state to `offset`. `changes` as `take_changes` gives them: chunks by
        name, "" the head's part. `about` goes into the head beside it.

        Raises ChunkTooLargeError before anything is written.
        """
        kept, epoch = self.owners.get(owner) or Kept(partition), self.epochs.get(partition, 0)
        chunks: dict[str, Version] = {}
        entries = []
        total = _sum(kept.those_of_head().values()) if kept.total is None else kept.total
        for name, value in changes.items():
            if name == HEAD:
                continue
            now, was = _version(name, offset, value, epoch), kept.chunk(name)
            _check(owner, name, now.value)
            chunks[name] = now
            total += _sum([now]) - _sum([was] if was is not None else ())
            entries.append(Entry(owner.key(name), _entry(now, was), partition))
        body = {"state": changes[HEAD], "chunks": total, **about}
        head = _version(HEAD, offset, body, epoch)
        _check(owner, HEAD, head.value)
        head_entry = Entry(owner.key(HEAD), _entry(head, None), partition)
        return Change(owner, partition, head, chunks, entries, head_entry, total)

    def take(self, change: Change) -> None:
        """A change whose entries are all acknowledged."""
        kept = self.owners.setdefault(change.owner, Kept(change.partition))
        for name, version in change.chunks.items():
            kept.chunks[name] = _pruned([*kept.chunks.get(name, ()), version], change.head)
        kept.head, kept.total = change.head, change.total

    def names(self, owner: Owner) -> set[str]:
        """Every chunk, and the head, that is known of an owner, those that cannot be read too."""
        kept = self.owners.get(owner)
        known = set() if kept is None else {*kept.chunks, *([HEAD] if kept.head is not None else [])}
        return known | self.unreadable.get(owner, {}).keys()

    def entries(self, owner: Owner) -> list[Entry]:
        """An owner's state whole, the head last."""
        kept = self.owners[owner]
        assert kept.head is not None
        found = [*sorted(kept.those_of_head().items()), (HEAD, kept.head)]
        return [Entry(owner.key(name), _entry(version, None), kept.partition) for name, version in found]

    def take_entries(self, entries: Iterable[Entry]) -> None:
        """Entries of this worker, by themselves, that are acknowledged."""
        for entry in entries:
            value = None if entry.value is None else orjson.loads(entry.value)
            self.replay(entry.partition, entry.key, value, self.epochs.get(entry.partition, 0))

    def end(self, owner: Owner, about: Mapping[str, Any]) -> Change:
        """What leaves of an owner's state only a head that says so. Its chunks are dropped by `leftovers`."""
        kept = self.owners[owner]
        offset = kept.head.offset if kept.head is not None else -1
        epoch = self.epochs.get(kept.partition, 0)
        head = _version(HEAD, offset, {"state": None, "chunks": 0, **about}, epoch)
        return Change(owner, kept.partition, head, {}, [], Entry(owner.key(HEAD), _entry(head, None), kept.partition))

    def leftovers(self, owner: Owner, *, head: bool) -> list[Entry]:
        """The entries that drop an owner's chunks, and with `head` the head too, which then goes last."""
        kept = self.owners[owner]
        names = [*kept.chunks, *([HEAD] if head else [])]
        return [Entry(owner.key(name), None, kept.partition) for name in names]


def is_progress(key: str) -> bool:
    """Of a run any name may be given, one that begins as the key of progress does too."""
    return key.startswith(PROGRESS) and "|" not in key


def progress_entry(partition: int, offset: int, aside: SettingAside, topic_id: str = "") -> Entry:
    kept = {"topic_id": topic_id, **aside.to_json()}
    return Entry(f"{PROGRESS}{partition}", orjson.dumps({"now": [offset, kept]}), partition)


def _pruned(versions: Iterable[Version], head: Version | None) -> list[Version]:
    """In order, without those that no head to come can need: below the newest that the head has reached."""
    ascending = sorted({one.offset: one for one in versions}.values())
    if head is None:
        return ascending
    reached = sum(one.offset <= head.offset for one in ascending)
    return ascending[max(reached - 1, 0) :]


def _version(name: str, offset: int, value: Any, epoch: int) -> Version:
    octets = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return Version(offset, octets, zlib.crc32(octets, zlib.crc32(name.encode())), epoch)


def _sum(chunks: Iterable[Version]) -> int:
    # Whether a chunk that is gone was ever written depends on the batches.
    return sum(one.checksum for one in chunks if one.value != _GONE)


def _entry(now: Version, was: Version | None) -> bytes:
    entry: dict[str, Any] = {"now": [now.offset, orjson.Fragment(now.value)]}
    if was is not None:
        entry["was"] = [was.offset, orjson.Fragment(was.value)]
    return orjson.dumps(entry)


def _check(owner: Owner, chunk: str, value: bytes) -> None:
    if len(value) >= MAX_CHUNK_OCTETS:
        raise ChunkTooLargeError(
            f"state {owner.key(chunk)!r} is {len(value)} octets; a chunk has fewer than {MAX_CHUNK_OCTETS}"
        )
