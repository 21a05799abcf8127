"""The exit statuses of relaywatch's processes, and the end of a worker that must not go on. Knows the process."""

import logging
import os
from typing import Final, NoReturn

logger = logging.getLogger(__name__)

RAN: Final = 0
COULD_NOT_RUN: Final = 2
EXIT_FAILED: Final = 70
"""A batch failed: start again from the state."""
EXIT_HOLE: Final = 71
"""A record was not delivered: start again from the state."""
EXIT_FENCED: Final = 72
"""This worker was away so long that others may have its partitions: start again from the state."""
EXIT_NEVER_AGAIN: Final = 78
"""A fault that no restart cures."""


def leave(status: int, message: str) -> NoReturn:
    """End the process at once, past every clean-up: nothing may be committed any more."""
    logger.log(logging.ERROR if status else logging.WARNING, "%s", message)
    logging.shutdown()
    os._exit(status)
