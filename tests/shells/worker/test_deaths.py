"""A state is whole after any death: the workers' own order of writing over a changelog in memory, a death after any
write of any batch, other batches after it, another process that writes late, compaction."""

import contextlib
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, TypeVar

import orjson
import pytest
from faust.types import TP
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import topics
from pipeline.records import Origin, Record, Run
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.worker import guard as module
from pipeline.shells.worker.changelog import replay_record
from pipeline.shells.worker.exporter import Exporter
from pipeline.shells.worker.guard import Guard
from pipeline.shells.worker.inbox import Inbox
from pipeline.shells.worker.lives import Lives
from pipeline.shells.worker.meter import Meter
from pipeline.shells.worker.stages import PURE_FLOW, DecodeStage, Incoming, Stage, WatchStage
from pipeline.shells.worker.transport import Outbound, Written
from pipeline.shells.worker.versions import Versions
from pipeline.topics import TOPICS, TopicName
from tests.build import scenario, scenario_records
from tests.shells.worker.test_guard import arrived
from tests.shells.worker.test_lives import STARTED, contents_of

T = TypeVar("T")

CHANGELOG: Final = "changelog"
RUN: Final = Run(id="run-1", origin="test")
MISSION: Final = scenario("flight-72", "tm").mission
PARTITIONS: Final[dict[TopicName, int]] = dict.fromkeys(TOPICS, 1)
BATCHES: Final = (1, 7, 10, 50, 200)


class Died(BaseException):
    """Instead of `kill -9`."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Nothing here waits, so no loop is needed."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for something")


class Logged(NamedTuple):
    offset: int
    record: Outbound


class Kafka:
    """One partition of a changelog, and all outputs by their identity. Compaction keeps the offsets."""

    def __init__(self) -> None:
        self.log: list[Logged] = []
        self.end = 0
        self.outputs: dict[bytes, Outbound] = {}

    def append(self, record: Outbound) -> int:
        self.log.append(Logged(self.end, record))
        self.end += 1
        return self.end - 1

    def compact(self, until: int) -> None:
        """As Kafka does: of each key the last record below an offset stays."""
        last = {one.record.key: one.offset for one in self.log if one.offset < until}
        self.log = [one for one in self.log if one.offset >= until or last[one.record.key] == one.offset]


class Connection:
    """A worker's producer: dies when it has written so many records of state more."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka, self.writes_left = kafka, -1

    async def send_all(self, records: Iterable[Outbound]) -> list[Written]:
        written = []
        for record in records:
            if record.topic != CHANGELOG:
                name = dict(record.headers)["ce_id"]
                # What is said again is said in the same octets.
                assert self.kafka.outputs.setdefault(name, record) == record
                continue
            if self.writes_left == 0:
                raise Died
            self.writes_left -= 1
            written.append(Written(CHANGELOG, 0, self.kafka.append(record), 1))
        return written


class Worker:
    """A process that has read the changelog back and taken the partition over."""

    def __init__(self, kafka: Kafka, stage: Stage) -> None:
        self.kafka, self.connection, versions = kafka, Connection(kafka), Versions()
        for offset, record in kafka.log:
            replay_record(versions, 0, record.key, record.value, record.headers)
            versions.read_to(0, offset + 1)
        lives = Lives(stage, "relay", versions)
        source = TOPICS[stage.source].full_name("relay")
        app: Any = SimpleNamespace(
            producer=self.connection,
            consumer_generation_id=1,
            consumer=SimpleNamespace(assignment=lambda: {self.place}),
        )
        table: Any = SimpleNamespace(versions=versions, changelog_topic_name=CHANGELOG)
        self.place = TP(source, 0)
        self.guard = Guard(app, Cluster("127.0.0.1:1"), lives, table, Inbox(200), Meter(lives, Exporter()))

    async def take_over(self) -> None:
        await self.guard.restored()
        assert not self.guard.table.versions.unusable

    async def take(self, records: Sequence[Incoming]) -> None:
        await self.guard._step(arrived(list(records)))

    @property
    def next_offset(self) -> int:
        return self.guard.next_offsets[self.place]


@pytest.fixture(autouse=True)
def kafka_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker asks of the log beside its streams, and the end of a process."""

    def leave(status: int, message: str) -> None:
        raise Died(message)

    async def ends_of(cluster: Cluster, places: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        return dict.fromkeys(places, (0, 1 << 40))

    async def first_offset_from(cluster: Cluster, place: TP, offset: int) -> int:
        return offset

    async def topic_ids(cluster: Cluster, names: Iterable[str]) -> dict[str, str]:
        return dict.fromkeys(names, "an id")

    async def without_end(guard: Guard, work: Coroutine[Any, Any, None]) -> None:
        await work

    monkeypatch.setattr(module, "leave", leave)
    monkeypatch.setattr(Guard, "_guarded", without_end)
    monkeypatch.setattr(module, "ends_of", ends_of)
    monkeypatch.setattr(module, "topic_ids", topic_ids)
    monkeypatch.setattr(module, "first_offset_from", first_offset_from)


@cache
def frames() -> list[Incoming]:
    """Packets span frames, two virtual channels take turns, a stretch comes late and records come again."""
    stretches = [list(scenario_records("flight-72", None, "tm")[start : start + 50]) for start in (520, 1300)]
    mixed = [record for pair in zip(*stretches, strict=True) for record in pair]
    mixed = [*mixed[:30], *mixed[40:70], *mixed[30:40], *mixed[60:70], *mixed[70:]]
    return [_incoming(record, offset) for offset, record in enumerate(mixed)]


def _incoming(record: Record, offset: int) -> Incoming:
    message = topics.frames_message("relay", record, RUN)
    headers = dict(message.headers)
    return Incoming(
        Origin("relay.frames", 0, offset), message.key, message.value, headers, STARTED + offset * 1_000_000
    )


STAGES: Final[dict[str, Stage]] = {
    "decode": DecodeStage("relay", MISSION, PARTITIONS, PURE_FLOW),
    "watch": WatchStage("relay", MISSION, PARTITIONS, PURE_FLOW),
}


class Undisturbed(NamedTuple):
    records: list[Incoming]
    state: dict[str, bytes]
    outputs: dict[bytes, Outbound]


@cache
def undisturbed(stage: str) -> Undisturbed:
    """One worker that takes the records of a stage one by one."""
    kafka = Kafka()
    records = frames() if stage == "decode" else _telemetry()

    async def work() -> Worker:
        worker = Worker(kafka, STAGES[stage])
        await worker.take_over()
        for record in records:
            await worker.take([record])
        return worker

    worker = run(work())
    return Undisturbed(records, contents_of(worker.guard.table.versions), kafka.outputs)


def _telemetry() -> list[Incoming]:
    return [
        Incoming(Origin("relay.telemetry", 0, offset), one.key, one.value or b"", dict(one.headers),
                 STARTED + offset * 1_000_000)
        for offset, one in enumerate(undisturbed("decode").outputs.values())
    ]  # fmt: skip


def through(worker: Worker, records: Sequence[Incoming], batch: int) -> Iterator[Sequence[Incoming]]:
    while worker.next_offset < len(records):
        yield records[worker.next_offset : worker.next_offset + batch]


class Life(NamedTuple):
    """What happens between two starts."""

    batch: int
    batches: int
    """So many are taken in full."""
    writes: int
    """So many entries of the next batch are written before the process dies; of its take-over, where that writes
    more."""
    compacted: float = 0.0
    """Share of the changelog that is compacted afterwards."""


async def live(kafka: Kafka, stage: str, lives: Iterable[Life]) -> None:
    records = undisturbed(stage).records
    for life in lives:
        worker = Worker(kafka, STAGES[stage])
        await worker.take_over()
        for number, batch in enumerate(through(worker, records, life.batch)):
            if number == life.batches:
                worker.connection.writes_left = life.writes
            try:
                await worker.take(batch)
            except Died:
                break
        kafka.compact(round(kafka.end * life.compacted))


async def finish(kafka: Kafka, stage: str, batch: int = 50) -> None:
    """One more worker takes the rest; what it has then, and what the next one reads back, is as undisturbed."""
    wanted = undisturbed(stage)
    worker = Worker(kafka, STAGES[stage])
    await worker.take_over()
    for records in through(worker, wanted.records, batch):
        await worker.take(records)
    assert contents_of(worker.guard.table.versions) == wanted.state
    again = Worker(kafka, STAGES[stage])
    await again.take_over()
    assert contents_of(again.guard.table.versions) == wanted.state
    assert kafka.outputs == wanted.outputs


LIVES = st.lists(
    st.builds(
        Life, st.sampled_from(BATCHES), st.integers(0, 12), st.integers(0, 40), st.sampled_from([0.0, 0.5, 0.9, 1.0])
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=12)
@given(lives=LIVES)
@example(lives=[Life(1, 20, 9), Life(10, 1, 3), Life(7, 2, 30, 1.0)])
def test_after_any_deaths_with_any_batches_and_compaction_a_state_is_what_it_would_be_undisturbed(
    stage: str, lives: list[Life]
) -> None:
    async def work() -> None:
        kafka = Kafka()
        await live(kafka, stage, lives)
        await finish(kafka, stage)

    run(work())


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("before", "after"), [(1, 10), (7, 50), (10, 7)])
def test_a_death_after_each_write_of_a_batch_leaves_nothing_that_a_later_grouping_makes_count(
    stage: str, before: int, after: int
) -> None:
    """The fault that was found: what was half-written counted again once a later head passed its offset."""

    async def work() -> None:
        for writes in range(16):
            kafka = Kafka()
            await live(kafka, stage, [Life(before, 2 + 30 // before, writes), Life(after, 1, 100)])
            await finish(kafka, stage, after)

    run(work())


@pytest.mark.parametrize("writes", range(6))
def test_a_death_while_leavings_are_mended_leaves_them_to_the_next_one(writes: int) -> None:
    async def work() -> None:
        kafka = Kafka()
        await live(kafka, "decode", [Life(10, 3, 6)])
        dying = Worker(kafka, STAGES["decode"])
        dying.connection.writes_left = writes
        with contextlib.suppress(Died):
            await dying.take_over()
        await finish(kafka, "decode", 7)

    run(work())


@settings(max_examples=12)
@given(
    taken=st.integers(1, 40), late=st.sampled_from(BATCHES), batch=st.sampled_from(BATCHES),
    writes=st.integers(0, 40), batches=st.integers(0, 6), stage=st.sampled_from(sorted(STAGES)),
)  # fmt: skip
def test_what_a_worker_writes_that_has_the_partition_no_longer_counts_for_nothing(
    taken: int, late: int, batch: int, writes: int, batches: int, stage: str
) -> None:
    """Two workers of one name: the second has taken over, the first goes on with its batch, and with its progress."""
    wanted = undisturbed(stage)

    async def work() -> None:
        kafka = Kafka()
        first = Worker(kafka, STAGES[stage])
        await first.take_over()
        await first.take(wanted.records[:taken])
        second = Worker(kafka, STAGES[stage])
        await second.take_over()
        for _ in range(batches):
            if second.next_offset < len(wanted.records):
                await second.take(wanted.records[second.next_offset : second.next_offset + batch])
        first.connection.writes_left = writes
        with contextlib.suppress(Died):
            await first.take(wanted.records[first.next_offset : first.next_offset + late])
        # It sees that it is not alone, and the next one mends what was written there.
        if writes and second.next_offset < len(wanted.records):
            with pytest.raises(Died, match="another process has written there"):
                await second.take(wanted.records[second.next_offset : second.next_offset + batch])
        await finish(kafka, stage, batch)

    run(work())


def test_a_worker_that_takes_over_while_another_still_writes_reads_the_changelog_again() -> None:
    async def work() -> None:
        kafka = Kafka()
        first = Worker(kafka, STAGES["decode"])
        await first.take_over()
        second = Worker(kafka, STAGES["decode"])
        await first.take(undisturbed("decode").records[:20])
        with pytest.raises(Died, match="should end at 1 and ends at"):
            await second.take_over()
        await finish(kafka, "decode")

    run(work())


@pytest.mark.parametrize("stage", STAGES)
def test_state_that_version_0_1_0_wrote_is_read_and_its_leavings_are_mended(stage: str) -> None:
    """Its entries have no epoch; their form is the same."""

    async def work() -> None:
        kafka = Kafka()
        await live(kafka, stage, [Life(7, 5, 4)])
        kafka.log = [Logged(offset, record._replace(headers=())) for offset, record in kafka.log]
        await finish(kafka, stage, 10)

    run(work())


def test_the_changelog_of_a_partition_names_its_writer_in_every_entry() -> None:
    async def work() -> None:
        kafka = Kafka()
        await live(kafka, "decode", [Life(50, 2, 3), Life(50, 1, 3)])
        epochs = [dict(record.headers)["epoch"] for _, record in kafka.log]
        assert epochs == sorted(epochs)
        assert set(epochs) == {b"1", b"2"}
        assert orjson.loads(kafka.log[0].record.key) == "~0"

    run(work())
