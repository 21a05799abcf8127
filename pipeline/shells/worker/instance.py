"""The name by which the group knows a worker: the same at each start, so that it gets its partitions back at once, and
never that of another. Knows a lock file."""

import fcntl
import os
import socket
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from pipeline.shells.settings import Settings, state_folder

_FILE: Final = "workers.lock"
_MOST: Final = 1000
_held: list[IO[bytes]] = []
"""Open for as long as the process lives: closing it lets go of the name."""


def named(settings: Settings, folder: Path | None = None) -> Settings:
    """With a name. By its port, where it has one of its own; else by the first number of this machine, user and
    namespace that no other worker holds. Without a place for the lock file it stays without a name: the group then
    waits out its session where it is killed."""
    if settings.instance or settings.metrics_port:
        return replace(settings, instance=settings.instance_name)
    with suppress(OSError):
        number = _first_free(settings.namespace, folder or state_folder())
        return replace(settings, instance=f"{socket.gethostname()}-u{os.getuid()}-{number}")
    return settings


def _first_free(namespace: str, folder: Path) -> int:
    """Raises OSError where no lock file can be had."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _held:
        _held.append((folder / _FILE).open("ab"))
    # One octet a number, far behind the end of the file: nothing is written.
    start = zlib.crc32(namespace.encode()) * _MOST
    for number in range(1, _MOST):
        with suppress(BlockingIOError, PermissionError):
            fcntl.lockf(_held[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, start + number)
            return number
    raise OSError(f"{_MOST} workers of {namespace} on one machine")
