"""Puts away what a process left that was killed outright, and so could not do it itself: a small process beside it,
which does nothing until its standard input ends. Knows process groups and folders."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_GROUP: Final = "group "
_FOLDER: Final = "folder "
_ALL_IS_WELL: Final = "all is well"
_TRIES: Final = 50
_PAUSE_SECONDS: Final = 0.1


class Watchman:
    """The process beside, as the one that it watches over has it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def remember(self, *, group: int | None = None, folder: Path | None = None) -> None:
        """A process group to be killed, a folder to be removed, if this process is killed."""
        if group is not None:
            self._write(f"{_GROUP}{group}")
        if folder is not None:
            self._write(f"{_FOLDER}{folder}")

    def dismiss(self) -> None:
        """Everything is put away: there is nothing left for it to do."""
        self._write(_ALL_IS_WELL)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


@contextmanager
def watchman() -> Iterator[Watchman]:
    """For the length of the block; dismissed at its end, when all that it was told of must have been put away."""
    # A session of its own: what kills a terminal's processes leaves it alone.
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.shells.watchman"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    watching = Watchman(process)
    try:
        yield watching
    finally:
        watching.dismiss()


def watch(lines: Iterable[str]) -> None:
    """Reads until the other end is gone, and puts away what it was told of, but where all is well."""
    groups: list[int] = []
    folders: list[str] = []
    for line in lines:
        told = line.rstrip("\n")
        if told == _ALL_IS_WELL:
            return
        if told.startswith(_GROUP):
            groups.append(int(told.removeprefix(_GROUP)))
        elif told.startswith(_FOLDER):
            folders.append(told.removeprefix(_FOLDER))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for folder in folders:
        _remove(folder)


def _remove(folder: str) -> None:
    # What was killed may still be writing for a moment.
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            return
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    watch(sys.stdin)
