"""More partitions and more workers, nothing else: the same is said, and one busy link does not hold the others."""

import asyncio
import statistics
from pathlib import Path

import orjson
import pytest

from pipeline.records import Run
from pipeline.shells.files.analyze import analyze
from tests.chaos.scene import scene
from tests.chaos.stream import stream
from tests.kafka.cluster import RUN, found, publish, read, wait_until_done

pytestmark = pytest.mark.kafka


def test_one_two_and_four_workers_say_the_same_also_where_they_join_and_leave_in_the_midst(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    """Three vehicles on two links, over four partitions; a run for each number of workers, and the last is left to one.
    Of each run one half is published before workers come or go, the other one after."""
    replayed = stream(4, vehicles=3, rate_hz=8, ground_s=3, lost=0.9)
    half = len(replayed.records) // 2
    expected = analyze(replayed.records, replayed.mission, RUN)
    with scene(kafka, topics, tmp_path, replayed, 4) as running:
        for number in (1, 2, 4, 1):
            run = Run(id=f"{number}-workers-after-{len(running.workers)}", origin="test")
            asyncio.run(publish(kafka, topics, replayed.records[:half], replayed.mission, run))
            for name in [f"worker-{one}" for one in range(len(running.workers), number)]:
                running.start(name)
            taken = [running.taken(name, "watch") for name in running.workers]
            for name in sorted(running.workers)[number:]:
                running.end(name)
            asyncio.run(publish(kafka, topics, replayed.records[half:], replayed.mission, run))
            asyncio.run(wait_until_done(kafka, topics, running.workers["worker-0"]))
            seen = asyncio.run(found(kafka, topics, run))
            assert seen.digest == expected.digest, run
            assert {key.partition("/")[2] for key in seen.flights} == {
                key.partition("/")[2] for key in expected.flights
            }
        # As four they owned a partition each: the fourth has neither a link nor a vehicle.
        assert sum(records > 0 for records in taken) >= 3, taken
        assert [one.starts for one in running.workers.values()] == [1]
        running.end_all()


def test_a_link_with_a_backlog_does_not_hold_another_link(kafka: str, topics: str, tmp_path: Path) -> None:
    """One worker for both: what the quiet link says is told long before the backlog is through."""
    replayed = stream(5, rate_hz=20, ground_s=3)
    busy = [record for record in replayed.records if record.link == "rover-b"]
    quiet = [record for record in replayed.records if record.link == "rover-a"][:20]
    asyncio.run(publish(kafka, topics, [*busy, *quiet], replayed.mission))
    with scene(kafka, topics, tmp_path, replayed, 5) as running:
        running.start("one")
        asyncio.run(wait_until_done(kafka, topics, running.workers["one"]))
        running.end_all()
    told: dict[str, list[int]] = {"rover-a": [], "rover-b": []}
    for record in asyncio.run(read(kafka, topics, "telemetry")):
        told[orjson.loads(record.value)["link"]].append(record.timestamp)
    assert len(told["rover-b"]) > 1_000
    assert max(told["rover-a"]) < statistics.median(told["rover-b"])
