"""Flight 72 from frames to alerts on a real Kafka: worker, replay and subscriber at once, and what they came to. Knows
the order of things; every part is one that a user runs too."""

import asyncio
import contextlib
import dataclasses
import random
import shutil
import socket
from collections.abc import Awaitable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aiokafka.errors import KafkaError

from pipeline.errors import RelayWatchError
from pipeline.records import Run
from pipeline.report.alert import Alert
from pipeline.report.statement import news, statement
from pipeline.shells.ending import put_away_at_end, run_until_signal
from pipeline.shells.files.any_file import Opened, open_recording
from pipeline.shells.files.simulate import write_scenario
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.lag import taken_in_full
from pipeline.shells.kafka.pacing import pace
from pipeline.shells.kafka.publish import check_no_live_records, new_run, publish
from pipeline.shells.kafka.replay_progress import ReplayProgress
from pipeline.shells.kafka.subscribe import alerts
from pipeline.shells.kafka.topics_admin import create_topics, partitions_of_topic
from pipeline.shells.kafka.topics_needed import needed_topics
from pipeline.shells.settings import Settings
from pipeline.shells.terminal import note, say
from pipeline.shells.watchman import Watchman
from pipeline.shells.worker.process import WorkerProcess, worker_process

SCENARIO: Final = "flight-72"
EXPECTED: Final = "ended_before_landing"
_PATIENCE_SECONDS: Final = 60.0
_PORTS: Final = range(20_000, 30_000)
_SHOWN_METRICS: Final = ("relay_frames_total", "relay_frames_missing", "relay_incidents_opened_total")


class DemoError(RelayWatchError):
    """A demo that did not come to what it is to show."""


@dataclass(slots=True)
class Reader:
    """Someone who reads the alert topic, and has read some of it."""

    progress: ReplayProgress
    last: dict[str, Alert] = field(default_factory=dict)

    def take(self, alert: Alert) -> None:
        """Shows what is new in it."""
        before = self.last.get(alert.incident_id)
        if before is None or before.revision < alert.revision:
            self.last[alert.incident_id] = alert
            self.progress.clear()
            say("\n".join(["", *news(alert, before, width=columns())]))


def show_flight(settings: Settings, speed: float | None, watching: Watchman) -> Run:
    """The whole demo on an existing Kafka. Whatever it starts is put away when it returns or raises.

    Raises RelayWatchError where a part fails, and KeyboardInterrupt after a signal that ends the process.
    """
    with put_away_at_end() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="relaywatch-demo-")))
        watching.remember(folder=folder)
        recording = folder / f"{SCENARIO}.mcap"
        write_scenario(SCENARIO, recording)
        opened = open_recording(recording)
        settings = dataclasses.replace(
            settings, mission=opened.mission.name, instance="", metrics_host="127.0.0.1", metrics_port=_free_port()
        )
        run_until_signal(_make_topics(settings))
        worker = stack.enter_context(worker_process(settings, folder / "worker.log"))
        watching.remember(group=worker.process.pid)
        run = new_run(SCENARIO, "replay")
        last = run_until_signal(_watch(settings, speed, worker, opened, run))
        _tell(last, worker, run)
    return run


async def _make_topics(settings: Settings) -> None:
    """Raises ReplayError where a namespace that was there holds live records."""
    cluster = Cluster.of(settings)
    await create_topics(cluster, settings.namespace)
    await check_no_live_records(cluster, settings.namespace)


async def _watch(
    settings: Settings, speed: float | None, worker: WorkerProcess, opened: Opened, run: Run
) -> dict[str, Alert]:
    """Publishes the recording, shows each alert as the topic gives it, and ends when the worker has taken all.

    The last revision of each incident."""
    await worker.wait_until_ready()
    note(f"a Faust worker is ready; its metrics: {worker.metrics_address}")
    pace_said = "as fast as Kafka takes it" if speed is None else f"{speed:g} times as fast as it was received"
    note(f"the recording of flight 72 goes to {settings.namespace}.frames, {pace_said}")
    cluster = Cluster.of(settings)
    partitions = await partitions_of_topic(cluster, settings.namespace, "frames")
    with ReplayProgress(opened.source) as progress:
        reader = Reader(progress)

        async def replay() -> None:
            await publish(
                pace(opened.source, speed), cluster, namespace=settings.namespace, mission=opened.mission,
                partitions=partitions, run=run, shown=progress,
            )  # fmt: skip
            progress.end()
            await taken_in_full(cluster, settings.namespace, patience_seconds=_PATIENCE_SECONDS)

        await _until_first_ends(replay(), worker.watch(), _read(settings, run, reader, follow=True))
        await _read(settings, run, reader, follow=False)
    return reader.last


async def _read(settings: Settings, run: Run, reader: Reader, *, follow: bool) -> None:
    found = alerts(
        settings.kafka, namespace=settings.namespace, run=run.id, follow=follow, wait_seconds=settings.kafka_timeout,
        security=settings.security,
    )  # fmt: skip
    async with aclosing(found):
        async for alert in found:
            reader.take(alert)


async def _until_first_ends(*works: Awaitable[None]) -> None:
    """Raises what it raised; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _tell(last: dict[str, Alert], worker: WorkerProcess, run: Run) -> None:
    """What the demo came to, in plain words. Raises DemoError where the alert that it is about never came."""
    alert = next((alert for alert in last.values() if alert.type == EXPECTED), None)
    if alert is None or alert.state != "closed":
        found = "no such alert came" if alert is None else f"the alert is {alert.state}"
        raise DemoError(f"run {run.id} was to lead to a closed {EXPECTED} alert: {found}; {worker.end_of_log()}")
    say("\n".join(["", "What relaywatch says of flight 72, from its frames alone", *statement(alert, width=columns())]))
    _, page = worker.ask("/metrics")
    shown = [line for line in page.splitlines() if line.startswith(_SHOWN_METRICS) and _counts(line)]
    say("\n".join(["", f"Metrics, as they were read from {worker.metrics_address}", *shown]))


def _counts(line: str) -> bool:
    return 'origin="replay"' in line and not line.endswith(" 0.0")


def columns() -> int:
    return shutil.get_terminal_size().columns


def _free_port() -> int:
    """One that no outgoing connection takes before the worker has it, as it could one of those that the system gives
    out."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise DemoError(f"none of 100 ports of 127.0.0.1 from {_PORTS.start} to {_PORTS.stop - 1} is free for /metrics")


async def remove_topics(settings: Settings) -> None:
    """The topics of a namespace, on a cluster that stays. One that refuses keeps them."""
    names = [topic.name for topic in needed_topics(settings.namespace)]
    try:
        async with Cluster.of(settings).admin() as client:
            await client.delete_topics(names)
    except (KafkaError, RelayWatchError) as fault:
        note(f"the topics of namespace {settings.namespace} stay: {fault or type(fault).__name__}")
