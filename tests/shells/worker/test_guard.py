"""The order of writing, and what ends a worker: without a broker."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiokafka.errors import InvalidTimestampError
from faust.types import TP

from pipeline.set_aside import SettingAside
from pipeline.shells.exits import EXIT_FAILED, EXIT_HOLE, EXIT_NEVER_AGAIN
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.worker import guard as module
from pipeline.shells.worker.exporter import Exporter
from pipeline.shells.worker.guard import Guard
from pipeline.shells.worker.inbox import Inbox, Waiting
from pipeline.shells.worker.lives import DAY, Lives
from pipeline.shells.worker.meter import Meter
from pipeline.shells.worker.stages import PURE_FLOW, DecodeStage, Incoming
from pipeline.shells.worker.transport import Outbound, Written
from pipeline.shells.worker.versions import Versions, progress_entry
from tests.shells.worker.leaving import Left, leaving
from tests.shells.worker.test_lives import MISSION, PARTITIONS, incoming

PLACE = TP("relay.frames", 0)
CHANGELOG = "relay.worker-links-changelog"


class Kafka:
    """Takes sends and acknowledges them when it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[tuple[str, bytes]], asyncio.Future[None]]] = []
        self.last_value: bytes | None = None
        self.values: list[tuple[str, bytes | None]] = []
        self.fail = ""
        self.end = 0
        """Of the changelog."""

    async def send_all(self, records: Iterable[Outbound]) -> list[Written]:
        records = list(records)
        places = [(one.topic, one.key) for one in records]
        self.last_value = records[-1].value if records else self.last_value
        self.values += [(one.topic, one.value) for one in records]
        if any(topic == self.fail for topic, _ in places):
            raise OSError("the broker is away")
        if places:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.sent.append((places, future))
            await future
        state = [one for one in records if one.topic == CHANGELOG]
        self.end += len(state)
        return [Written(CHANGELOG, 0, self.end - len(state), len(state))] if state else []

    @property
    def topics(self) -> list[str]:
        """Of what waits to be acknowledged."""
        return sorted({topic for places, future in self.sent if not future.done() for topic, _ in places})

    def acknowledge(self) -> list[tuple[str, bytes]]:
        """What waited for it."""
        waiting = [one for one in self.sent if not one[1].done()]
        for _, future in waiting:
            future.set_result(None)
        return [one for places, _ in waiting for one in places]


def arrived(records: list[Incoming], generation: int = 1) -> list[Any]:
    return [
        Waiting(
            SimpleNamespace(
                topic=one.origin.topic, partition=one.origin.partition, offset=one.origin.offset, key=one.key,
                value=one.value, headers=tuple(one.headers.items()), timestamp=one.timestamp // 1_000_000,
            ),  # type: ignore[arg-type]
            generation,
            len(one.value or b""),
        )
        for one in records
    ]  # fmt: skip


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    return leaving(module, monkeypatch)


def made(kafka: Kafka, next_offset: int = 0) -> Guard:
    versions = Versions(epochs={0: 1})
    app: Any = SimpleNamespace(producer=kafka, consumer_generation_id=1, consumer=SimpleNamespace())
    table: Any = SimpleNamespace(versions=versions, changelog_topic_name=CHANGELOG)
    lives = Lives(DecodeStage("relay", MISSION, PARTITIONS, PURE_FLOW), "relay", versions)
    guard = Guard(app, Cluster("127.0.0.1:1"), lives, table, Inbox(200), Meter(lives, Exporter()))
    guard.owned, guard.next_offsets = True, {PLACE: next_offset}
    return guard


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (nothing tells when the step has come so far)
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_outputs_then_chunks_then_heads_then_progress_are_acknowledged_before_a_record_is_let_go() -> None:
    kafka = Kafka()
    guard = made(kafka)
    step = asyncio.ensure_future(guard._step(arrived(incoming(100))))
    changelog: list[bytes] = []
    for expected in ("relay.telemetry", CHANGELOG, CHANGELOG):
        await until(lambda: kafka.topics)
        assert kafka.topics == [expected]
        assert guard.done() == {}
        last = kafka.acknowledge()
        changelog += [key for topic, key in last if topic == CHANGELOG]
    await step
    assert guard.done() == {PLACE: 100}
    chunks, heads = changelog[:-2], changelog[-2:]
    assert chunks
    assert all(b"|rover-a|" in key and not key.endswith(b'|"') for key in chunks)
    assert heads == [b'"run-1|rover-a|"', b'"~0"']
    assert guard.table.versions.progress == {0: 99}


@pytest.mark.asyncio
@pytest.mark.parametrize("fails", ["relay.telemetry", CHANGELOG])
async def test_a_send_that_fails_ends_the_worker_and_lets_no_record_go(fails: str, left: list[tuple[int, str]]) -> None:
    kafka = Kafka()
    kafka.fail = fails
    guard = made(kafka)
    step = asyncio.ensure_future(guard._guarded(guard._step(arrived(incoming(100)))))
    while not step.done():
        kafka.acknowledge()
        await asyncio.sleep(0)
    assert isinstance(step.exception(), Left)
    assert [status for status, _ in left] == [EXIT_FAILED]
    assert guard.done() == {}
    assert guard.table.versions.progress == {}


@pytest.mark.asyncio
async def test_a_record_that_did_not_come_ends_the_worker(
    left: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stands(cluster: Cluster, place: TP, offset: int) -> tuple[int, int]:
        return 0, offset

    monkeypatch.setattr(module, "stands_from", stands)
    records = incoming(10)
    with pytest.raises(Left):
        await made(Kafka())._step(arrived(records[:4] + records[5:]))
    assert left == [
        (EXIT_HOLE, "relay.frames/0: record 4 was not delivered, 5 came; starting again from the state")
    ]  # fmt: skip


@pytest.mark.asyncio
async def test_an_offset_without_a_record_is_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(cluster: Cluster, place: TP, offset: int) -> tuple[int, int]:
        return 0, offset + 1

    monkeypatch.setattr(module, "stands_from", gone)
    kafka, records = Kafka(), incoming(10)
    guard = made(kafka)
    step = asyncio.ensure_future(guard._step(arrived(records[:4] + records[5:])))
    while not step.done():
        kafka.acknowledge()
        await asyncio.sleep(0)
    await step
    assert guard.done() == {PLACE: 10}


@pytest.mark.asyncio
async def test_records_deleted_under_a_running_worker_are_said_and_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def deleted(cluster: Cluster, place: TP, offset: int) -> tuple[int, int]:
        return 7, 7

    monkeypatch.setattr(module, "stands_from", deleted)
    kafka, records = Kafka(), incoming(10)
    guard = made(kafka)
    await _acknowledged(kafka, guard._step(arrived(records[:4] + records[7:])))
    assert guard.done() == {PLACE: 10}
    assert "relay.frames/0: records 4 to 6 were deleted before they were read" in caplog.text


@pytest.mark.asyncio
async def test_a_clock_that_kafka_refuses_is_the_reason_that_is_said(left: list[tuple[int, str]]) -> None:
    async def refused(records: Iterable[Outbound]) -> None:
        raise InvalidTimestampError

    guard = made(Kafka())
    guard.app.producer.send_all = refused
    with pytest.raises(Left):
        await guard._guarded(guard._step(arrived(incoming(3))))
    assert left[0][0] == EXIT_FAILED
    assert "Kafka refuses a time of this machine" in left[0][1]
    assert "relaywatch topics check" in left[0][1]


@pytest.mark.parametrize(("before", "now"), [("a", "a"), ("", "a"), ("a", "")])
def test_a_topic_is_the_one_before_where_its_id_is_or_where_kafka_gives_none(before: str, now: str) -> None:
    made(Kafka()).check_topic(before, now)


def test_a_topic_of_another_id_was_made_anew_however_many_records_it_has(left: list[tuple[int, str]]) -> None:
    with pytest.raises(Left):
        made(Kafka()).check_topic("a", "b")
    assert left[0][0] == EXIT_NEVER_AGAIN
    assert "deleted and made anew" in left[0][1]


@pytest.mark.asyncio
async def test_records_of_an_earlier_assignment_are_neither_used_nor_let_go() -> None:
    kafka = Kafka()
    guard = made(kafka)
    await guard._step(arrived(incoming(5), generation=0))
    guard.revoked()
    await guard._step(arrived(incoming(5)))
    assert (kafka.sent, guard.done()) == ([], {})


@pytest.mark.asyncio
async def test_a_range_that_no_record_ends_is_ended_in_the_state_before_it_is_said() -> None:
    """The clock decides it: who dies in between says the same, whatever has come meanwhile."""
    kafka, records = Kafka(), [one._replace(key=b"rover-z") for one in incoming(300)]
    guard = made(kafka)
    await _acknowledged(kafka, guard._step(arrived(records)))
    assert [one.last for one in guard.table.versions.aside[0].open.values()] == [199, 299]
    await guard._say_what_was_passed_over()
    assert kafka.topics == [], "some may still come"
    guard.taken_at[0] -= 10
    step = asyncio.ensure_future(guard._say_what_was_passed_over())
    await until(lambda: kafka.topics)
    assert kafka.acknowledge() == [(CHANGELOG, b'"~0"')]
    written = orjson.loads(kafka.last_value or b"")
    await until(lambda: kafka.topics)
    assert [topic for topic, _ in kafka.acknowledge()] == ["relay.rejected"] * 2
    said = kafka.values[-2:]
    await until(lambda: kafka.topics)
    assert kafka.acknowledge() == [(CHANGELOG, b'"~0"')]
    await step
    assert guard.table.versions.aside[0].unsaid == []

    again = made(kafka)
    again.table.versions.replay(0, "~0", written, 1)
    again.table.versions.ends[0] = kafka.end
    await _acknowledged(kafka, again._say_what_was_passed_over())
    assert [one for one in kafka.values if one[0] == "relay.rejected"][-2:] == said


def _started(first: int, end: int, done: int | None) -> int:
    guard = made(Kafka())
    if done is not None:
        entry = progress_entry(0, done, SettingAside())
        guard.table.versions.replay(0, entry.key, orjson.loads(entry.value or b""), 1)
    return guard._start(PLACE, first, end)


def test_a_partition_goes_on_after_the_last_record_in_its_state() -> None:
    assert _started(first=0, end=50, done=None) == 0
    assert _started(first=7, end=50, done=None) == 7
    assert _started(first=0, end=50, done=41) == 42
    assert _started(first=0, end=50, done=49) == 50


def test_records_that_retention_deleted_unread_are_said_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    assert _started(first=30, end=50, done=9) == 30
    assert "relay.frames/0: records 10 to 29 were deleted before they were read" in caplog.text


@pytest.mark.asyncio
async def test_a_topic_that_is_deleted_and_made_anew_under_a_worker_is_no_start_from_nothing(
    monkeypatch: pytest.MonkeyPatch, left: list[tuple[int, str]]
) -> None:
    """Faust goes on from where it has read the changelog: what was forgotten meanwhile would not come again."""

    async def ends_of(cluster: Cluster, places: list[TP]) -> dict[TP, tuple[int, int]]:
        return dict.fromkeys(places, (0, 0))

    async def no_ids(cluster: Cluster, topics: list[str]) -> dict[str, str]:
        return {}

    monkeypatch.setattr(module, "ends_of", ends_of)
    monkeypatch.setattr(module, "topic_ids", no_ids)
    guard = made(Kafka())
    entry = progress_entry(0, 49, SettingAside())
    guard.table.versions.replay(0, entry.key, orjson.loads(entry.value or b""), 1)
    guard.app.consumer.assignment = lambda: {TP(CHANGELOG, 0)}
    await guard.restored()
    assert guard.starts() == {}
    guard.app.consumer.assignment = lambda: {TP(CHANGELOG, 0), PLACE}
    with pytest.raises(Left):
        await guard.restored()
    assert left[0][0] == EXIT_NEVER_AGAIN
    assert left[0][1].startswith("relay.frames/0 ends at 0 and the state holds its records up to 49")
    # What another worker has is forgotten.
    guard.app.consumer.assignment = set
    await guard.restored()
    assert guard.table.versions.progress == {}


def test_a_topic_that_ends_before_its_state_was_made_anew(left: list[tuple[int, str]]) -> None:
    with pytest.raises(Left):
        _started(first=0, end=10, done=10)
    assert left[0][0] == EXIT_NEVER_AGAIN
    assert "ends at 10 and the state holds its records up to 10: the topic was made anew" in left[0][1]


@pytest.mark.asyncio
async def test_a_run_of_which_older_records_still_wait_to_be_read_is_not_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was away for two days goes on with a backlog: its clock says that the run is over, the log does
    not."""
    records, kafka = incoming(60), Kafka()
    guard = made(kafka)
    await _acknowledged(kafka, guard._step(arrived(records[:50])))
    waiting: dict[str, Any] = {"end": 60, "first": SimpleNamespace(timestamp=records[50].timestamp // 1_000_000)}

    async def ends_of(cluster: Cluster, places: list[TP]) -> dict[TP, tuple[int, int]]:
        return dict.fromkeys(places, (0, waiting["end"]))

    async def first_record_from(cluster: Cluster, place: TP, offset: int) -> Any:
        assert (place, offset) == (PLACE, 50)
        return waiting["first"]

    monkeypatch.setattr(module, "ends_of", ends_of)
    monkeypatch.setattr(module, "first_record_from", first_record_from)
    two_days_later = records[50].timestamp + 2 * DAY
    await _acknowledged(kafka, guard._drop_finished(two_days_later))
    assert guard.lives.finished(two_days_later)[0]
    # Read to its end, it is.
    waiting["end"] = 50
    await _acknowledged(kafka, guard._drop_finished(two_days_later))
    assert not guard.lives.finished(two_days_later)[0]


async def _acknowledged(kafka: Kafka, work: Any) -> None:
    step = asyncio.ensure_future(work)
    while not step.done():
        kafka.acknowledge()
        await asyncio.sleep(0)
    await step
