"""`relaywatch worker` for chaos and soak: at each start it takes another number of records at once, so that what one
process left half-written is not made again in the same batches. With `--short-runs` a finished run's state is dropped
after minutes and not after a day, so that many runs can come and go. All else is as in a real worker."""

import os
import random
import sys
from typing import Final

from pipeline.records import SECOND
from pipeline.shells.cli import main
from pipeline.shells.worker import app as worker
from pipeline.shells.worker import lives
from pipeline.shells.worker.logs import log_to_stderr
from pipeline.shells.worker.supervisor import Supervisor

BATCHES: Final = (3, 10, 50, 200)
FINISHED_AFTER_SECONDS: Final = 120
_DROP_EVERY_SECONDS: Final = 20.0
_SUPERVISED: Final = "--supervised"
SHORT_RUNS: Final = "--short-runs"

if __name__ == "__main__":
    words = sys.argv[1:]
    if _SUPERVISED in words:
        if SHORT_RUNS in words:
            words.remove(SHORT_RUNS)
            lives.FINISHED_AFTER = FINISHED_AFTER_SECONDS * SECOND  # type: ignore[misc]
            worker.DROP_EVERY_SECONDS = _DROP_EVERY_SECONDS  # type: ignore[misc]
        batch = str(random.SystemRandom().choice(BATCHES))
        sys.exit(main(["worker", "--no-supervisor", *words, "--batch-records", batch]))
    log_to_stderr(20)
    command = [sys.executable, "-m", "tests.chaos.worker", _SUPERVISED, *words]
    sys.exit(Supervisor(command, dict(os.environ)).run())
