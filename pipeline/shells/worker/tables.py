"""Faust's table as the worker uses it: Faust replays its changelog, the versions in it are kept apart. Written only by
awaited sends to the changelog topic (`Guard`), never by `table[key] = value`: that goes through a buffer whose
flush before a commit can give up."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import faust
from faust.tables.manager import TableManager
from faust.types import EventT

from pipeline.shells.worker.changelog import replay_record
from pipeline.shells.worker.versions import StateError, Versions


class VersionedTable(faust.Table):  # type: ignore[type-arg]
    """A table whose content is `versions`. Replaying a part of the changelog again changes nothing: after a
    rebalance Faust reads it from an old position over what is newer."""

    logger = logging.getLogger("faust.relaywatch")
    versions: Versions
    replayed: int = 0
    """Entries that were read so far."""
    unreadable: Callable[[str], object] = staticmethod(lambda message: None)
    """Told of an entry that is not one of ours. Faust would log what is raised here, and wait for ever."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # As octets: of what is not JSON Faust would log a warning, and wait for the record without end.
        self.key_type = self.value_type = bytes
        self.key_serializer = self.value_serializer = "raw"
        self.versions = Versions()

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        for event in batch:
            self.replayed += 1
            key: Any = event.key
            value: Any = event.value
            place = event.message
            try:
                headers: Any = place.headers
                headers = headers.items() if isinstance(headers, Mapping) else headers or ()
                replay_record(self.versions, place.partition, key, value, headers)
                self.versions.read_to(place.partition, place.offset + 1)
            except Exception as fault:
                why = fault if isinstance(fault, StateError) else repr(fault)
                self.unreadable(
                    f"{place.topic}/{place.partition}@{place.offset} is not state of a worker of this version: {why}. "
                    f"Take a new namespace, or delete {place.topic} and run `relaywatch topics create`: its state is "
                    "made again then, from what still stands in its source"
                )


class Tables(TableManager):
    """All of an app's tables."""

    logger = logging.getLogger("faust.relaywatch")

    async def on_start(self) -> None:
        """At once: Faust would wait a second for tables that are still to be made, and ours are made before."""
        await self._update_channels()
        await self.recovery.start()
