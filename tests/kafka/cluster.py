"""What the tests on a real Kafka share: publishing, reading with every record checked against its schema, and a worker
as its own process."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError, NodeNotReadyError
from prometheus_client.parser import text_string_to_metric_families

from pipeline import topics
from pipeline.digest import digest
from pipeline.mission.model import Mission
from pipeline.records import FramesReceived, Record, Run, decode_record
from pipeline.shells.exits import EXIT_FENCED
from pipeline.shells.files.resources import schemas_dir
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_needed import application_id
from pipeline.topics import TOPICS, TopicName

RUN = Run(id="run-1", origin="test")
_READ_SECONDS: Final = 300.0


async def publish(
    kafka: str, namespace: str, records: Iterable[Record], mission: Mission, run: Run = RUN, partitions: int = 4,
    compression: str | None = None,
) -> None:  # fmt: skip
    """As any producer would: plain aiokafka."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, enable_idempotence=True, linger_ms=5, compression_type=compression
    ) as producer:
        sent = []
        for record in records:
            message = topics.frames_message(namespace, record, run)
            place = topics.link_partition(mission, record.link, partitions)
            sent.append(
                await producer.send(
                    message.topic, message.value, key=message.key, partition=place, headers=list(message.headers)
                )
            )
        await asyncio.gather(*sent)


async def publish_in_transactions(
    kafka: str, namespace: str, records: Sequence[Record], mission: Mission, run: Run = RUN, together: int = 200
) -> None:
    """Each transaction ends with a marker, which takes an offset that no record has."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=namespace) as producer:
        for start in range(0, len(records), together):
            async with producer.transaction():
                for record in records[start : start + together]:
                    message = topics.frames_message(namespace, record, run)
                    place = topics.link_partition(mission, record.link, 4)
                    await producer.send(
                        message.topic, message.value, key=message.key, partition=place, headers=list(message.headers)
                    )


async def written(kafka: str, topic: str) -> int:
    """How many offsets a topic has used, over all partitions."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        return sum((await ends_of(kafka, consumer, topic)).values())


async def read(kafka: str, namespace: str, name: TopicName) -> list[Any]:
    """Every record of a topic, in order within a partition, each checked against its schema and its headers."""
    records = await read_raw(kafka, TOPICS[name].full_name(namespace))
    for record in records:
        check_record(name, record)
    return records


async def read_raw(kafka: str, topic: str, since: Mapping[TopicPartition, int] | None = None) -> list[Any]:
    """Every record that stands in a topic now, in order within a partition; `since`: from these offsets on."""
    since = since or {}
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka, auto_offset_reset="earliest", max_partition_fetch_bytes=8 << 20
    ) as consumer:
        ends = await ends_of(kafka, consumer, topic)
        consumer.assign(list(ends))
        for place, offset in since.items():
            consumer.seek(place, offset)
        left = {place for place, end in ends.items() if end > since.get(place, 0)}
        records: list[Any] = []
        async with asyncio.timeout(_READ_SECONDS):
            while left:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    records += batch
                for place in list(left):
                    if await consumer.position(place) >= ends[place]:
                        left.discard(place)
        return records


async def ends_of(kafka: str, consumer: Any, topic: str) -> dict[TopicPartition, int]:
    async with Cluster(kafka).admin() as admin:
        [described] = await admin.describe_topics([topic])
    assert described["partitions"], f"no topic {topic}"
    return dict(
        await consumer.end_offsets([TopicPartition(topic, one["partition"]) for one in described["partitions"]])
    )


@cache
def _schema(name: str) -> Any:
    body = orjson.loads((schemas_dir() / f"{name}.json").read_bytes())
    return jsonschema_rs.validator_for(body, validate_formats=True)


def check_record(name: TopicName, record: Any) -> None:
    """CloudEvents 1.0 in binary mode, and the body as its schema says."""
    headers = dict(record.headers)
    envelope = topics.read_headers(headers)
    assert envelope.topic == name
    schema = TOPICS[name].schemas[envelope.kind]
    assert headers["ce_dataschema"].decode() == topics.schema_id(schema)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", envelope.time), envelope.time
    assert envelope.subject
    if envelope.content_type == topics.OCTETS:
        frames = decode_record(record.key.decode(), record.value)
        assert isinstance(frames, FramesReceived)
        body = topics.frames_view(frames)
    else:
        assert envelope.content_type == topics.JSON
        body = orjson.loads(record.value)
    _schema(schema).validate(body)


@dataclass(slots=True, kw_only=True)
class Found:
    """What stands on the alert topic and in the ledger, duplicates dropped."""

    revisions: dict[tuple[str, int], dict[str, Any]]
    """(incident id, revision) → body."""
    flights: dict[str, dict[str, Any]]
    """Ledger key → the last body."""
    duplicates: int

    @property
    def digest(self) -> str:
        last: dict[str, dict[str, Any]] = {}
        for (incident, _), body in sorted(self.revisions.items()):
            last[incident] = body
        return digest(last.values(), self.flights.values())


async def found(kafka: str, namespace: str, run: Run = RUN) -> Found:
    """Fails where two records with one identity differ."""
    return found_in(await read(kafka, namespace, "alerts"), await read(kafka, namespace, "flights"), run)


def found_in(alerts: Iterable[Any], ledger: Iterable[Any], run: Run) -> Found:
    revisions: dict[tuple[str, int], dict[str, Any]] = {}
    duplicates = 0
    for record in alerts:
        body = orjson.loads(record.value)
        if body["run"] != run.id:
            continue
        key = body["incident_id"], body["revision"]
        assert record.key.decode() == body["incident_id"]
        assert revisions.setdefault(key, body) == body, f"two different records with {key}"
        duplicates += body is not revisions[key]
    flights: dict[str, dict[str, Any]] = {}
    facts: dict[str, bytes] = {}
    for record in ledger:
        name, key, body = dict(record.headers)["ce_id"].decode(), record.key.decode(), orjson.loads(record.value)
        if body["run"] != run.id:
            continue
        assert facts.setdefault(name, record.value) == record.value, f"two different records with {name}"
        if key not in flights or body["revision"] >= flights[key]["revision"]:
            flights[key] = body
    return Found(revisions=revisions, flights=flights, duplicates=duplicates)


async def wait_until_done(
    kafka: str,
    namespace: str,
    worker: "WorkerProcess | None" = None,
    seconds: float = 90,
    in_transactions: bool = False,
) -> None:
    """Until everything on the source topics is committed: written, acknowledged and let go."""
    deadline = time.monotonic() + seconds
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer, Cluster(kafka).admin() as admin:
        for name in ("frames", "commands", "telemetry"):
            topic = TOPICS[name].full_name(namespace)  # type: ignore[index]
            places = list(await ends_of(kafka, consumer, topic))
            while True:
                ends, done = await consumer.end_offsets(places), await _committed(admin, namespace)
                # The marker of a transaction, where that is last, is never read.
                if all(done.get(place, 0) >= end - in_transactions for place, end in ends.items()):
                    break
                assert worker is None or worker.process.poll() is None, f"the worker ended:\n{worker.text()}"
                assert time.monotonic() < deadline, f"{topic}: {done} of {ends} done\n{worker.text() if worker else ''}"
                await asyncio.sleep(0.1)


async def committed(kafka: str, namespace: str) -> dict[TopicPartition, int]:
    async with Cluster(kafka).admin() as admin:
        return await _committed(admin, namespace)


async def _committed(admin: Any, namespace: str) -> dict[TopicPartition, int]:
    try:
        offsets = await admin.list_consumer_group_offsets(application_id(namespace))
    except (GroupCoordinatorNotAvailableError, NodeNotReadyError, KafkaConnectionError):
        # The broker makes its own topic for groups when the first one comes; and it may be away, to come again.
        return {}
    return {place: one.offset for place, one in offsets.items()}


@dataclass(slots=True)
class WorkerProcess:
    """`relaywatch worker`, its log in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Of the newest process's exporter."""
        return re.findall(r"metrics at (http://\S+)/metrics", self.text())[-1]  # type: ignore[no-any-return]

    @property
    def pid(self) -> int:
        """Of the process that does the work: under a supervisor the newest child."""
        children = re.findall(r"worker process (\d+) started", self.text())
        return int(children[-1]) if children else self.process.pid

    def get(self, path: str) -> tuple[int, str]:
        """HTTP status, 0 where nobody answers, and text."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except (OSError, IndexError):
            return 0, ""

    def metric(self, name: str, **labels: str) -> float | None:
        """A series of /metrics; None where it is not there, or nobody answers."""
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    @property
    def starts(self) -> int:
        """Of worker processes under the supervisor."""
        return len(re.findall(r"worker process \d+ started", self.text()))

    @property
    def ends(self) -> list[str]:
        """How worker processes ended that the supervisor started again."""
        return re.findall(r"worker ended with ([^;]+);", self.text())

    @property
    def fenced(self) -> int:
        """Times that a worker process ended because others might have its partitions."""
        return self.ends.count(f"exit status {EXIT_FENCED}")

    def wait_ready(self, seconds: float = 60) -> None:
        wait_for(lambda: self.get("/ready")[0] == 200, lambda: f"never ready:\n{self.text()}", self, seconds)

    def end(self) -> int:
        """SIGTERM, as an operator would; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@contextmanager
def worker(kafka: str, namespace: str, folder: Path, *more: str, supervised: bool = False) -> Iterator[WorkerProcess]:
    command = [
        sys.executable, "-m", "pipeline.shells.cli", "worker", "--kafka", kafka, "--namespace", namespace,
        "--metrics-port", "0", *(() if supervised else ("--no-supervisor",)), *more,
    ]  # fmt: skip
    with process(command, folder) as one:
        yield one


@contextmanager
def process(command: Sequence[str], folder: Path) -> Iterator[WorkerProcess]:
    """A worker by the words that start it."""
    log = folder / f"worker-{len(list(folder.glob('worker-*')))}.log"
    with log.open("wb") as output:
        started = subprocess.Popen(command, stderr=output, stdout=output)
    one = WorkerProcess(started, log)
    try:
        yield one
    finally:
        if started.poll() is None:
            started.terminate()
            try:
                started.wait(20)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)
                started.kill()
                started.wait(10)


def wait_for(
    condition: Callable[[], bool],
    otherwise: Callable[[], str],
    worker: WorkerProcess | None = None,
    seconds: float = 60,
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert worker is None or worker.process.poll() is None, f"the worker ended:\n{worker.text()}"
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def relocated(bodies: Iterable[dict[str, Any]], namespace: str, partition: int = 0) -> list[dict[str, Any]]:
    """Bodies of the broker-less run, as they are where their records stood in a partition of the frames topic."""
    place = f"{TOPICS['frames'].full_name(namespace)}/{partition}@"
    text = orjson.dumps(list(bodies)).decode().replace("recording/0@", place)
    return list(orjson.loads(text))
