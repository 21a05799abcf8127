"""One record of a table's changelog, read and checked in full. Knows the form of an entry (`versions`); knows no Kafka
and nothing of what is in a state.

Only workers of one namespace write there. What another has written, or a worker of another version, is refused here by
name: taken half, it would show as wrong state much later, and left to Faust it would be logged and waited for. Where it
has the key of one owner, that owner alone is set aside; anything else ends the worker.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from pipeline.set_aside import SettingAside
from pipeline.shells.worker.versions import HEAD, PROGRESS, StateError, Versions, is_progress

_HEAD_FIELDS: Final = frozenset({"state", "chunks", "origin", "touched_at"})
"""What every head has, also of a run that is over."""


EPOCH: Final = "epoch"
"""Header of an entry: the epoch of the worker that wrote it. Entries of version 0.1.0 have none."""


class Read(NamedTuple):
    key: str
    value: Mapping[str, Any] | None
    """None: the key is dropped."""


class EntryError(StateError):
    """An entry of one owner that no worker of this version wrote. The others' state is not touched by it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def epoch_header(epoch: int) -> tuple[tuple[str, bytes], ...]:
    return ((EPOCH, b"%d" % epoch),)


def read_epoch(headers: Iterable[tuple[str, bytes]]) -> int:
    """Raises StateError."""
    found = dict(headers).get(EPOCH, b"0")
    if not (found and found.isdigit() and len(found) < 20):
        raise StateError(f"its header {EPOCH} is {_shown(found)}, not a number")
    return int(found)


def replay_record(
    versions: Versions, partition: int, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]
) -> None:
    """Take one record of the changelog. Raises StateError where it is of no owner that could be set aside for it."""
    epoch = read_epoch(headers)
    try:
        name, entry = read_entry(partition, key, value)
    except EntryError as fault:
        versions.replay_unreadable(partition, fault.key, str(fault), epoch)
    else:
        versions.replay(partition, name, entry, epoch)


def read_entry(partition: int, key: bytes | None, value: bytes | None) -> Read:
    """What a record of the changelog's `partition` says. Raises StateError, which says what was found; where the entry
    is of one owner, EntryError."""
    name = _json("key", key)
    if not isinstance(name, str):
        raise StateError(f"its key is {_shown(key)}, not a name")
    if is_progress(name):
        if name != f"{PROGRESS}{partition}":
            raise StateError(f"its key is {_shown(key)}; progress of this partition has {PROGRESS}{partition}")
    elif name.count("|") < 2:
        raise StateError(f"its key is {_shown(key)}, not run|name|chunk")
    if value is None:
        return Read(name, None)
    try:
        return Read(name, _content(name, value))
    except StateError as fault:
        if is_progress(name):
            raise
        raise EntryError(name, str(fault)) from None


def _content(name: str, value: bytes) -> Mapping[str, Any]:
    entry = _json("value", value)
    if not isinstance(entry, dict) or "now" not in entry:
        raise StateError(f"entry {name!r:.200} is {_shown(value)}, not an object with 'now'")
    for which in ("now", "was"):
        one = entry.get(which)
        if one is not None and not (isinstance(one, list) and len(one) == 2 and _is_offset(one[0])):
            raise StateError(f"{which!r} of entry {name!r:.200} is not [offset, value]: {one!r:.80}")
    if entry["now"] is None:
        raise StateError(f"'now' of entry {name!r:.200} is null")
    content = entry["now"][1]
    if is_progress(name) and not _says_what_is_set_aside(content):
        raise StateError(f"progress {name!r:.200} does not say what is set aside: {content!r:.80}")
    if name.split("|", 2)[-1] == HEAD and not (isinstance(content, dict) and content.keys() >= _HEAD_FIELDS):
        raise StateError(f"head {name!r:.200} has not all of {', '.join(sorted(_HEAD_FIELDS))}: {content!r:.80}")
    return entry


def _json(what: str, octets: bytes | None) -> Any:
    try:
        return orjson.loads(octets or b"")
    except orjson.JSONDecodeError as fault:
        raise StateError(f"its {what} is {_shown(octets)}, not JSON ({fault})") from None


def _is_offset(value: object) -> bool:
    # -1: the head of a run that ended before it had one.
    return isinstance(value, int) and value >= -1


def _says_what_is_set_aside(value: object) -> bool:
    if isinstance(value, list):
        # Of an earlier version: shares of rejected records, of which nothing is made any more.
        return True
    try:
        SettingAside.from_json(value)  # type: ignore[arg-type]
    except (KeyError, TypeError, AttributeError):
        return False
    return True


def _shown(octets: bytes | None) -> str:
    return "missing" if octets is None else f"{octets[:60]!r}{'...' * (len(octets) > 60)}"
