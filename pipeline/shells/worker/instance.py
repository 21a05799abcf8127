"""The name by which the group knows a worker: the same at each start, so that it gets its partitions back at once, and
never that of another. Knows a lock file."""

import fcntl
import hashlib
import os
import socket
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from pipeline.errors import RelayWatchError
from pipeline.shells.settings import Settings, state_folder

_FILE: Final = "workers.lock"
_MOST: Final = 1000
_NAMES_FROM: Final = 1 << 60
"""In the lock file, above all numbers."""
_held: list[IO[bytes]] = []
"""Open for as long as the process lives: closing it lets go of the name."""


class InstanceError(RelayWatchError):
    """A name that another worker has."""


def named(settings: Settings, folder: Path | None = None) -> Settings:
    """With a name. By its port, where it has one of its own; else by the first number of this machine, user and
    namespace that no other worker holds. Without a place for the lock file it stays without a name: the group then
    waits out its session where it is killed.

    Raises InstanceError where another worker of this machine has the name: each would end the other again and again.
    """
    if settings.instance or settings.metrics_port:
        settings = replace(settings, instance=settings.instance_name)
        with suppress(OSError):
            if not _is_free(settings, folder or state_folder()):
                raise InstanceError(
                    f"worker {settings.instance} of namespace {settings.namespace} runs already on this machine: give "
                    "this one another --instance, or end the other"
                )
        return settings
    with suppress(OSError):
        number = _first_free(settings.namespace, folder or state_folder())
        return replace(settings, instance=f"{socket.gethostname()}-u{os.getuid()}-{number}")
    return settings


def _is_free(settings: Settings, folder: Path) -> bool:
    """From now on it is not. Raises OSError where no lock file can be had."""
    name = f"{settings.kafka}|{settings.namespace}|{settings.instance}"
    place = _NAMES_FROM + int.from_bytes(hashlib.sha256(name.encode()).digest()[:7])
    return _locked(_lock_file(folder), place)


def _lock_file(folder: Path) -> IO[bytes]:
    if not _held:
        folder.mkdir(parents=True, exist_ok=True)
        _held.append((folder / _FILE).open("ab"))
    return _held[0]


def _locked(file: IO[bytes], place: int) -> bool:
    """One octet a name or number, far behind the end of the file: nothing is written."""
    with suppress(BlockingIOError, PermissionError):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        return True
    return False


def _first_free(namespace: str, folder: Path) -> int:
    """Raises OSError where no lock file can be had."""
    file, start = _lock_file(folder), zlib.crc32(namespace.encode()) * _MOST
    for number in range(1, _MOST):
        if _locked(file, start + number):
            return number
    raise OSError(f"{_MOST} workers of {namespace} on one machine")
