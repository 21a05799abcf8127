"""The worker on a private Kafka: how fast it takes what waits, beside a plain aiokafka loop over the same topic in the
same run; how long an alert takes; and how much memory it has.

Speeds are per CPU second, user and system, of the one process that does the work, so that they say what a core does and
what else the machine does counts little; that of the worker is beside it by the clock too, since one that waits costs
nothing. The plain loop fetches the records and looks at how long each is.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pipeline import topics
from pipeline.mission.model import Mission
from pipeline.records import Record, Run
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.local import local_kafka
from pipeline.shells.kafka.topics_admin import create_topics
from pipeline.shells.terminal import note, say
from pipeline.topics import TOPICS
from tests.bench import stream
from tests.kafka.cluster import WorkerProcess, ends_of, publish, wait_until_done, worker

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PATIENCE_SECONDS: Final = 600.0
_FETCH_OCTETS: Final = 4 << 20
_ALERTS: Final = 200
_ALERTS_A_SECOND: Final = 10


class Load(NamedTuple):
    """What is published before the worker starts."""

    name: str
    frames: int
    frames_a_record: int


LOADS: Final = (
    Load("one frame", 30_000, 1),
    Load("64 KiB", 120_000, 59),
    Load("256 KiB", 240_000, 235),
    Load("256 KiB, twice as many", 480_000, 235),
)


class Taken(NamedTuple):
    records: int
    octets: int
    cpu_seconds: float


def on_kafka() -> None:
    with local_kafka() as bootstrap, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mission_file = folder / "mission.toml"
        mission_file.write_text(stream.mission_text())
        throughput(bootstrap, folder, mission_file)
        latency(bootstrap, folder, mission_file)


def throughput(bootstrap: str, folder: Path, mission_file: Path) -> None:
    loop, mine = "plain loop", "worker: decode, watch, alert"
    say(f"{'per CPU second':<24} {loop:>21} {mine:>30} {'of the':>8} {'by the clock':>13} {'memory':>7}")
    say(f"{'records of':<24} {'records':>12} {'MB':>8} {'records':>21} {'MB':>8} {'loop':>8} {'records':>13} {'MB':>7}")
    for number, load in enumerate(LOADS):
        namespace = f"bench-{number}"
        asyncio.run(create_topics(Cluster(bootstrap), namespace))
        note(f"publishing {load.frames} frames of {stream.FRAME_OCTETS} octets in records of {load.name}")
        records = stream.records(load.frames, load.frames_a_record)
        asyncio.run(publish(bootstrap, namespace, records, stream.mission()))
        plain = uvloop.run(plain_loop(bootstrap, TOPICS["frames"].full_name(namespace)))
        with worker(bootstrap, namespace, folder, "--mission", str(mission_file)) as running:
            running.wait_ready()
            before, started = cpu_seconds(running.pid), time.monotonic()
            asyncio.run(wait_until_done(bootstrap, namespace, running, seconds=_PATIENCE_SECONDS))
            taken = plain._replace(cpu_seconds=cpu_seconds(running.pid) - before)
            by_the_clock = taken.records / (time.monotonic() - started)
            memory = most_memory(running.pid)
        say(
            f"{load.name:<24} {_speed(plain)} {'':>8} {_speed(taken)} "
            f"{plain.cpu_seconds / taken.cpu_seconds:>8.1%} {by_the_clock:>13,.0f} {memory / 1e6:>7,.0f}"
        )


def _speed(taken: Taken) -> str:
    return f"{taken.records / taken.cpu_seconds:>12,.0f} {taken.octets / taken.cpu_seconds / 1e6:>8,.1f}"


async def plain_loop(bootstrap: str, topic: str) -> Taken:
    """The least that anything can do with a topic."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, max_partition_fetch_bytes=_FETCH_OCTETS) as consumer:
        ends = await ends_of(bootstrap, consumer, topic)
        consumer.assign(list(ends))
        await consumer.seek_to_beginning()
        started, records, octets = time.process_time(), 0, 0
        while records < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                records += len(batch)
                octets += sum(len(one.value) for one in batch)
        return Taken(records, octets, time.process_time() - started)


def latency(bootstrap: str, folder: Path, mission_file: Path) -> None:
    """Vehicles fall silent, each in a run of its own, and the record that tells is timed until the alert is read."""
    namespace = "bench-latency"
    asyncio.run(create_topics(Cluster(bootstrap), namespace))
    with worker(bootstrap, namespace, folder, "--mission", str(mission_file)) as running:
        running.wait_ready()
        note(f"{_ALERTS} alerts at {_ALERTS_A_SECOND} records a second")
        seconds = uvloop.run(_until_alerted(bootstrap, namespace, running))
    middle, worst = (statistics.quantiles(seconds, n=100)[place] for place in (49, 98))
    say(
        f"\nfrom publishing a record to reading its alert, {_ALERTS_A_SECOND} records/s, {len(seconds)} alerts: "
        f"p50 {1e3 * middle:.0f} ms, p99 {1e3 * worst:.0f} ms"
    )


async def _until_alerted(bootstrap: str, namespace: str, running: WorkerProcess) -> Sequence[float]:
    """Seconds of each."""
    mission, runs = stream.mission(), [Run(id=f"run-{number}", origin="test") for number in range(_ALERTS)]
    *before, last = stream.drop_out()
    for run in runs:
        await publish(bootstrap, namespace, before, mission, run)
    await wait_until_done(bootstrap, namespace, running)
    published: dict[str, float] = {}
    taken: dict[str, float] = {}
    alerts = TOPICS["alerts"].full_name(namespace)
    async with AIOKafkaConsumer(alerts, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        paced = asyncio.ensure_future(_publish_paced(bootstrap, namespace, last, mission, runs, published))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(taken) < len(runs):
                for batch in (await consumer.getmany(timeout_ms=1000)).values():
                    for alert in batch:
                        taken.setdefault(orjson.loads(alert.value)["run"], time.monotonic())
        await paced
    return [taken[run] - at for run, at in published.items()]


async def _publish_paced(
    bootstrap: str, namespace: str, record: Record, mission: Mission, runs: Sequence[Run], published: dict[str, float]
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        begun = time.monotonic()
        for number, run in enumerate(runs):
            await asyncio.sleep(max(0.0, begun + number / _ALERTS_A_SECOND - time.monotonic()))
            message = topics.frames_message(namespace, record, run)
            place = topics.link_partition(mission, record.link, TOPICS["frames"].partitions)
            published[run.id] = time.monotonic()
            await producer.send(
                message.topic, message.value, key=message.key, partition=place, headers=list(message.headers)
            )


def cpu_seconds(pid: int) -> float:
    """User and system, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def most_memory(pid: int) -> int:
    """Octets, the most it ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
