"""`relaywatch worker` for the soak: a finished run's state is dropped after minutes and not after a day, so that many
runs can come and go while it lasts. All else is as in a real worker."""

import os
import sys
from typing import Final

from pipeline.records import SECOND
from pipeline.shells.cli import main
from pipeline.shells.worker import app as worker
from pipeline.shells.worker import lives
from pipeline.shells.worker.logs import log_to_stderr
from pipeline.shells.worker.supervisor import Supervisor

FINISHED_AFTER_SECONDS: Final = 120
_DROP_EVERY_SECONDS: Final = 20.0
_SUPERVISED: Final = "--supervised"

if __name__ == "__main__":
    words = sys.argv[1:]
    if _SUPERVISED in words:
        lives.FINISHED_AFTER = FINISHED_AFTER_SECONDS * SECOND  # type: ignore[misc]
        worker.DROP_EVERY_SECONDS = _DROP_EVERY_SECONDS  # type: ignore[misc]
        sys.exit(main(["worker", "--no-supervisor", *words]))
    log_to_stderr(20)
    command = [sys.executable, "-m", "tests.chaos.short_runs", _SUPERVISED, *words]
    sys.exit(Supervisor(command, dict(os.environ)).run())
