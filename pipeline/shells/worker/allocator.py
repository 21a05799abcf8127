"""What the C library holds of this process's memory and nobody uses goes back to the system. Knows glibc; where there
is another one, nothing happens."""

import ctypes
from typing import Final

_C: Final = ctypes.CDLL(None)


def give_back() -> None:
    """Octets of records and of state come and go in all sizes and leave gaps between those that stay: without this a
    worker came to hold twice what it used. Takes some milliseconds."""
    if hasattr(_C, "malloc_trim"):
        _C.malloc_trim(0)
