"""A file that is written whole, or not at all. Knows the file system and nothing of what is written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_NAME_SHOWN: Final = 100
"""Of a name that is as long as names may be nothing could be made by adding to it."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what is `path` once the block ends without a fault. Where it does not, nothing is left, and what
    was there before stays. What is no file, as /dev/stdout or a pipe, is written to as it is, and never replaced.

    Raises OSError.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        yield path
        return
    partial = place.with_name(f".{place.name[:_NAME_SHOWN]}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(place)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
