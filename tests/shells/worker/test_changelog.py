"""A changelog in which something stands that no worker of this version wrote is refused by name."""

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from pipeline.set_aside import SettingAside
from pipeline.shells.exits import EXIT_NEVER_AGAIN
from pipeline.shells.settings import Settings
from pipeline.shells.worker import app as module
from pipeline.shells.worker.app import build_app
from pipeline.shells.worker.changelog import read_entry
from pipeline.shells.worker.exporter import Exporter
from pipeline.shells.worker.versions import HEAD, Owner, StateError, Versions, progress_entry
from pipeline.topics import TOPICS
from tests.build import scenario
from tests.shells.worker.leaving import Left, leaving

LINK = Owner("run-1", "rover-a")
HEAD_KEY = b'"run-1|rover-a|"'
DEEP = b'{"now":[5,' + b"[" * 3000 + b"]" * 3000 + b"]}"

FOREIGN: dict[str, tuple[bytes | None, bytes | None, str]] = {
    "no key": (None, b"{}", "its key is missing, not JSON"),
    "an empty key": (b"", b"{}", "its key is b'', not JSON"),
    "a key in another coding": (b"\xff\xfe", b"{}", r"its key is b'\\xff\\xfe', not JSON"),
    "a key that is text": (b"rover-a", b"{}", "its key is b'rover-a', not JSON"),
    "a key that is a number": (b"5", b"{}", "its key is b'5', not a name"),
    "a key that is a list": (b"[1]", b"{}", r"its key is b'\[1\]', not a name"),
    "a key of two parts": (b'"a|b"', b"{}", r"not run\|name\|chunk"),
    "a value that is text": (HEAD_KEY, b"rubbish", "its value is b'rubbish', not JSON"),
    "an empty value": (HEAD_KEY, b"", "its value is b'', not JSON"),
    "a value that is a number": (HEAD_KEY, b"7", "is b'7', not an object with 'now'"),
    "a value without now": (HEAD_KEY, b"{}", "not an object with 'now'"),
    "now is nothing": (HEAD_KEY, b'{"now":null}', "'now' of entry .* is null"),
    "an offset that is text": (HEAD_KEY, b'{"now":["a",{}]}', r"is not \[offset, value\]: \['a', {}\]"),
    "a version before that is none": (HEAD_KEY, b'{"was":3,"now":[5,{}]}', r"'was' of entry .* is not .*: 3"),
    "nested too deep": (HEAD_KEY, DEEP, "not JSON"),
    "a head that is a list": (HEAD_KEY, b'{"now":[5,[1]]}', "has not all of chunks, origin, state, touched_at"),
    "a head of another version": (HEAD_KEY, b'{"now":[5,{"state":{},"chunks":0}]}', "has not all of chunks, origin"),
    "progress of another partition": (b'"~1"', b'{"now":[5,[]]}', "progress of this partition has ~0"),
    "progress of another version": (b'"~0"', b'{"now":[5,{}]}', "does not say what is set aside"),
    "progress with half a range": (
        b'"~0"', b'{"now":[5,{"second":0,"kept":0,"runs":{},"open":[{"run":""}],"unsaid":[]}]}',
        "does not say what is set aside",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("key", "value", "said"), FOREIGN.values(), ids=FOREIGN)
def test_what_no_worker_of_this_version_wrote_is_refused_and_said(
    key: bytes | None, value: bytes | None, said: str
) -> None:
    with pytest.raises(StateError, match=said):
        read_entry(0, key, value)


def test_what_a_worker_wrote_is_read_as_it_was_written() -> None:
    written = Versions()
    about = {"origin": "test", "touched_at": 7, "counts": {}}
    change = written.change(LINK, 0, 5, {HEAD: {"seen": 1}, "levels/1": [1], "gone/2": None}, about)
    written.take(change)
    again = written.change(LINK, 0, 9, {HEAD: {"seen": 2}, "levels/1": [1, 2]}, about)
    aside = SettingAside(second=7, kept=3)
    entries = [*change.entries, change.head_entry, *again.entries, again.head_entry, progress_entry(0, 9, aside, "id")]
    written.take(again)
    entries.append(written.end(LINK, {"over": True, "origin": "test", "touched_at": 7}).head_entry)
    replayed = Versions()
    for one in entries[:-1]:
        replayed.replay(0, *read_entry(0, orjson.dumps(one.key), one.value))
    assert replayed.read(LINK) == written.read(LINK)
    assert (replayed.progress, replayed.aside, replayed.topic_ids) == ({0: 9}, {0: aside}, {0: "id"})
    assert read_entry(0, orjson.dumps(entries[-1].key), entries[-1].value).value is not None
    assert read_entry(0, b'"run-1|rover-a|levels/1"', None) == ("run-1|rover-a|levels/1", None)


def test_progress_of_an_earlier_version_is_taken_with_nothing_set_aside() -> None:
    versions = Versions()
    versions.replay(0, *read_entry(0, b'"~0"', b'{"now":[5,[[20,3,1700000000]]]}'))
    assert (versions.progress, versions.aside) == ({0: 5}, {0: SettingAside()})


def test_a_run_whose_name_begins_as_the_key_of_progress_does_is_a_run() -> None:
    """Whoever publishes names the run: no name may end the worker that reads its state back."""
    run = Owner("~0", "rover-a")
    written, replayed = Versions(), Versions()
    about = {"origin": "test", "touched_at": 7, "counts": {}}
    change = written.change(run, 0, 5, {HEAD: {}, "levels/1": [1]}, about)
    written.take(change)
    for one in (progress_entry(0, 9, SettingAside()), *change.entries, change.head_entry):
        replayed.replay(0, *read_entry(0, orjson.dumps(one.key), one.value))
    assert replayed.read(run) == written.read(run)
    assert replayed.progress == {0: 9}


OF_ONE_OWNER = {name: one for name, one in FOREIGN.items() if one[0] == HEAD_KEY}
OF_NO_OWNER = {name: one for name, one in FOREIGN.items() if one[0] != HEAD_KEY}


async def read_back(key: bytes | None, value: bytes | None, headers: Any = ()) -> Versions:
    """By Faust's own way from the octets to the table: it would log what is raised there, and wait for ever."""
    partitions = {name: topic.partitions for name, topic in TOPICS.items()}
    table = build_app(Settings(), scenario("flight-72").mission, partitions, Exporter()).guards[0].table
    topic = table.changelog_topic
    message: Any = SimpleNamespace(
        key=key, value=value, headers=headers, topic=topic.get_topic_name(), partition=0, offset=42
    )
    event = await topic.decode(message, propagate=True)
    table.apply_changelog_batch([event])
    await asyncio.sleep(0)
    return table.versions


@pytest.mark.asyncio
@pytest.mark.parametrize(("key", "value", "said"), OF_NO_OWNER.values(), ids=OF_NO_OWNER)
async def test_a_worker_that_reads_it_back_ends_for_good_and_names_the_record(
    key: bytes | None, value: bytes | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = leaving(module, monkeypatch)
    with pytest.raises(Left):
        await read_back(key, value)
    [(status, text)] = ended
    assert status == EXIT_NEVER_AGAIN
    assert text.startswith("relay.worker-links-changelog/0@42 is not state of a worker of this version: ")
    assert text.endswith("from what still stands in its source")


@pytest.mark.asyncio
@pytest.mark.parametrize(("key", "value", "said"), OF_ONE_OWNER.values(), ids=OF_ONE_OWNER)
async def test_where_it_is_of_one_link_that_link_alone_is_set_aside(
    key: bytes | None, value: bytes | None, said: str
) -> None:
    versions = await read_back(key, value, headers=[("epoch", b"7")])
    assert versions.mend(0) == []
    versions.find_unusable()
    [(owner, why)] = versions.unusable.items()
    assert owner == LINK
    assert re.search(said, why)
    assert (versions.epochs, versions.ends) == ({0: 7}, {0: 43})
    # Written anew it is used again.
    versions.replay(0, LINK.key(HEAD), None, 7)
    versions.find_unusable()
    assert not versions.unusable


@pytest.mark.asyncio
async def test_an_epoch_that_is_no_number_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = leaving(module, monkeypatch)
    with pytest.raises(Left):
        await read_back(HEAD_KEY, None, headers=[("epoch", b"x")])
    assert "its header epoch is b'x', not a number" in ended[0][1]
