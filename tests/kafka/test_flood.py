"""However many bad records come in, live links are heard and nothing of them is lost from sight."""

import asyncio
from collections import Counter
from pathlib import Path

import orjson
import pytest

from pipeline.set_aside import KEPT_A_SECOND
from tests.kafka.cluster import read, wait_for, wait_until_done, worker
from tests.kafka.flood import MISSION, SAME, live_beside

pytestmark = pytest.mark.kafka

SECONDS, BAD_A_SECOND = 3.0, 5_000


@pytest.mark.parametrize("key", ["rover-z", SAME], ids=["of no known link", "of a live link"])
def test_live_links_are_heard_beside_five_thousand_bad_records_a_second(
    kafka: str, topics: str, tmp_path: Path, key: str
) -> None:
    """Each live record comes through, on the same partition too; each bad one is kept or in a range."""
    mission = tmp_path / "mission.toml"
    mission.write_text(MISSION)
    with worker(kafka, topics, tmp_path, "--mission", str(mission), supervised=True) as running:
        running.wait_ready()
        times = asyncio.run(live_beside(kafka, topics, SECONDS, BAD_A_SECOND, key.encode()))
        asyncio.run(wait_until_done(kafka, topics, running))
        wait_for(
            lambda: running.metric("relay_records_rejected_total", reason="bad_headers") == times.bad, running.text
        )

        def accounted() -> bool:
            bodies = [orjson.loads(one.value) for one in asyncio.run(read(kafka, topics, "rejected"))]
            return sum(body.get("records", 1) for body in bodies) == times.bad

        wait_for(accounted, running.text)
        assert running.starts == 1, "no bad record ends a worker"
        assert running.end() == 0
    assert {link: len(seconds) for link, seconds in times.seconds.items()} == dict.fromkeys(times.seconds, 60)
    kept = [one for one in asyncio.run(read(kafka, topics, "rejected")) if b"last_offset" not in one.value]
    if key == SAME:
        assert len(kept) == times.bad
    else:
        seconds = Counter(dict(one.headers)["ce_time"][:19] for one in kept)
        assert max(seconds.values()) <= KEPT_A_SECOND
