"""How many files a worker may have open: connections are among them, and without one more of them Kafka's clients wait
for ever and say nothing. Knows the limits of the process."""

import resource
from contextlib import suppress
from typing import Final

from pipeline.errors import RelayWatchError

NEEDED: Final = 128
"""Of its connections to one broker a worker has about twenty at once; to a cluster several times that."""


class OpenFilesError(RelayWatchError):
    """A limit with which a worker would stand still."""


def check_open_files(needed: int = NEEDED) -> None:
    """Raises the limit as far as is needed and allowed. Raises OpenFilesError where that is too little."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        return
    raise OpenFilesError(
        f"this process may have {soft} files and connections open, and a worker needs {needed}: raise the limit "
        f"(ulimit -n {needed}; LimitNOFILE= of a systemd unit)"
    )
