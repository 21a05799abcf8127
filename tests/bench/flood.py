"""`make bench BENCH=flood`: how long a live record takes from its publication until its telemetry can be read, with
5,000 bad records a second beside it and without."""

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Final

from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.local import local_kafka
from pipeline.shells.kafka.topics_admin import create_topics
from pipeline.shells.terminal import note, say
from tests.kafka.cluster import worker
from tests.kafka.flood import MISSION, OTHER, SAME, live_beside

_SECONDS: Final = 15.0
_BAD_A_SECOND: Final = 5_000
_LOADS: Final = (
    ("nothing", 0, SAME),
    ("of no known link", _BAD_A_SECOND, "rover-z"),
    ("of a live link", _BAD_A_SECOND, SAME),
)


def flood() -> None:
    with local_kafka() as bootstrap, tempfile.TemporaryDirectory() as name:
        folder, namespace = Path(name), "bench-flood"
        asyncio.run(create_topics(Cluster(bootstrap), namespace))
        mission = folder / "mission.toml"
        mission.write_text(MISSION)
        with worker(bootstrap, namespace, folder, "--mission", str(mission)) as running:
            running.wait_ready()
            asyncio.run(live_beside(bootstrap, namespace, 3.0))
            note(f"{_SECONDS:.0f} s each: 20 live records a second on two links, {_BAD_A_SECOND} bad ones beside them")
            say(f"{'bad records':<18} {'partition':<10} {'p50':>8} {'p99':>8}")
            for what, rate, key in _LOADS:
                times = asyncio.run(live_beside(bootstrap, namespace, _SECONDS, rate, key.encode()))
                for place, link in (("the same", SAME), ("another", OTHER)):
                    cuts = statistics.quantiles(times.seconds[link], n=100)
                    say(f"{what:<18} {place:<10} {1e3 * cuts[49]:>5.0f} ms {1e3 * cuts[98]:>5.0f} ms")
