"""What two workers say together of one incident, and of themselves."""

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from pipeline.mission.model import SECOND
from pipeline.records import Record
from pipeline.topics import event_time
from tests.build import scenario, scenario_records
from tests.kafka.cluster import WorkerProcess, process, publish, wait_for, worker
from tests.link import START

pytestmark = pytest.mark.kafka

ACTIVE = {"vehicle": "ingenuity", "type": "ended_before_landing", "severity": "critical", "origin": "test"}


def _until(seconds: float) -> tuple[list[Record], list[Record]]:
    """Flight 72 up to so many seconds after take-off, and the rest of it."""
    records = scenario_records("flight-72")
    cut = next(at for at, record in enumerate(records) if event_time(record) > START + seconds * SECOND)
    return list(records[:cut]), list(records[cut:])


def _active(running: WorkerProcess) -> float | None:
    return running.metric("relay_incidents_active", **ACTIVE)


def test_an_incident_raised_by_one_worker_and_closed_by_another_stays_active_until_it_is_closed(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    mission, (before, after) = scenario("flight-72").mission, _until(60)
    ours = ["--session-seconds", "4"]
    with worker(kafka, topics, tmp_path, *ours, "--instance", "a") as one:
        asyncio.run(publish(kafka, topics, before, mission))
        wait_for(lambda: _active(one) == 1, one.text, one)
        with worker(kafka, topics, tmp_path, *ours, "--instance", "b") as other:
            other.wait_ready()
            wait_for(lambda: {_active(one), _active(other)} == {1, None}, lambda: f"{one.text()}\n{other.text()}")
            # Whoever has the vehicle now is the one that goes; what nobody has is nowhere.
            goes, stays = (one, other) if _active(one) == 1 else (other, one)
            link = {"link": "rover-a", "origin": "test"}
            assert {each.metric("relay_link_state", **link) is None for each in (one, other)} == {True, False}
            os.kill(goes.pid, signal.SIGKILL)
            seen: list[float | None] = []

            def taken_over() -> bool:
                seen.append(_active(stays))
                return seen[-1] is not None

            wait_for(taken_over, stays.text, stays)
            for _ in range(20):
                seen.append(_active(stays))
                time.sleep(0.05)
            # Never a 0: that would have resolved it.
            assert set(seen) == {None, 1}
            raised = {name: value for name, value in ACTIVE.items() if name != "severity"}
            assert stays.metric("relay_incident_raised_timestamp_seconds", **raised) == START / SECOND + 33
            assert stays.metric("relay_incidents_opened_total", **raised) in (0, 1)
            asyncio.run(publish(kafka, topics, after, mission))
            wait_for(lambda: _active(stays) == 0, stays.text, stays)
            assert stays.metric("relay_incident_closed_timestamp_seconds", **raised) > START / SECOND  # type: ignore[operator]
            assert stays.end() == 0


STANDS_STILL = """
import asyncio, sys
from pipeline.shells.worker import backlog, guard
from pipeline.shells.cli import main

step, backlog.LOOK_EVERY_SECONDS = guard.Guard._step, 0.5

async def stand(self, taken):
    if self.lives.stage.source == "telemetry":
        await asyncio.Event().wait()
    await step(self, taken)

guard.Guard._step = stand
sys.exit(main(["worker", "--no-supervisor", *sys.argv[1:]]))
"""


def test_a_consumer_that_stands_still_while_records_wait_is_not_live_and_says_so(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    """A fault put in: `watch` takes a batch and never comes to its end."""
    records, mission = scenario_records("flight-72")[:50], scenario("flight-72").mission
    stands = tmp_path / "stands.py"
    stands.write_text(STANDS_STILL)
    command = [
        sys.executable, str(stands), "--kafka", kafka, "--namespace", topics, "--metrics-port", "0", "--stalled-after",
        "3",
    ]  # fmt: skip
    with process(command, tmp_path) as running:
        running.wait_ready()
        assert running.get("/live") == (200, "live\n")
        asyncio.run(publish(kafka, topics, records, mission))
        wait_for(lambda: running.get("/live")[0] == 503, running.text, running)
        said = running.get("/live")[1]
        assert re.match(r"stalled: records wait in telemetry/0 and none was taken for \d+ s", said)
        lag = {"topic": "telemetry", "partition": "0"}
        wait_for(lambda: running.metric("relay_consumer_lag_records", **lag) == len(records), running.text, running)
        assert running.metric("relay_consumer_lag_records", topic="frames", partition="0") == 0
        os.kill(running.pid, signal.SIGKILL)
