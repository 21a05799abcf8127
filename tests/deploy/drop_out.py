"""A drop-out, told to Prometheus scrape by scrape: with each scrape the script goes on by one step, so what is scraped
does not depend on how fast the machine is. The records go through the worker's own stages and exporter; only Kafka is
left out, and what a worker measures of Kafka and of its process is set by the script."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Literal

from pipeline import metrics, topics
from pipeline.metrics import Sample
from pipeline.records import SECOND, Origin, Record, Run
from pipeline.shells.files.simulate import read_scenario
from pipeline.shells.worker.exporter import Exporter
from pipeline.shells.worker.lives import Lives
from pipeline.shells.worker.meter import Meter
from pipeline.shells.worker.stages import PURE_FLOW, DecodeStage, Incoming, Outgoing, Stage, WatchStage
from pipeline.shells.worker.versions import Versions
from pipeline.simulate.simulation import simulate
from pipeline.topics import TOPICS, TopicName
from tests.build import root

SCENARIO: Final = read_scenario(root() / "tests/deploy/drop_out.toml")
RUNS: Final[dict[str, Run]] = {
    "rover-a": Run(id="", origin="live"),
    "rover-b": Run(id="run-1", origin="replay"),
}
"""The run of each link's records, so that the vehicles differ in their origin too."""
_PARTITIONS: Final[dict[TopicName, int]] = {name: topic.partitions for name, topic in TOPICS.items()}
_ON_THE_WAY: Final = 2 * SECOND
"""From a record's publication to its being taken."""


@dataclass(slots=True)
class Worker:
    """Both stages in one process, without a broker."""

    exporter: Exporter = field(default_factory=Exporter)
    decode: Meter = field(init=False)
    watch: Meter = field(init=False)
    _offsets: Iterator[int] = field(default_factory=count)
    _newest: Incoming | None = None
    _now: float = 0.0

    def __post_init__(self) -> None:
        mission = SCENARIO.mission
        stages: list[Stage] = [
            DecodeStage("relay", mission, _PARTITIONS, PURE_FLOW),
            WatchStage("relay", mission, _PARTITIONS, PURE_FLOW),
        ]
        self.decode, self.watch = (
            Meter(Lives(stage, "relay", Versions()), self.exporter, clock=lambda: self._now) for stage in stages
        )
        self.exporter.bear(metrics.births("worker"))
        self.exporter.apply([Sample(metrics.BUILD, ("1.2.3",), 1), Sample(metrics.READY, (), 1)])
        for meter in (self.decode, self.watch):
            meter.assigned(range(4))

    def take(self, records: Sequence[Record]) -> None:
        """One batch of each stage."""
        arrived = [topics.frames_message("relay", one, RUNS[one.link]) for one in records]
        frames = [self._incoming("frames", one.key, one.value, dict(one.headers)) for one in arrived]
        self._newest = frames[-1] if frames else self._newest
        telemetry = self._pass(self.decode, frames, seconds=0.03)
        self._pass(
            self.watch,
            [
                self._incoming("telemetry", one.message.key, one.message.value, dict(one.message.headers))
                for one in telemetry
            ],
            seconds=0.003,
        )

    def take_again(self) -> None:
        """The newest frames record comes once more, at its own offset."""
        assert self._newest is not None
        self._pass(self.decode, [self._newest], seconds=0.03)

    def refuse(self) -> None:
        """A record of no kind."""
        self._pass(self.decode, [self._incoming("frames", b"rover-a", b"junk", {})], seconds=0.03)

    def _pass(self, meter: Meter, batch: list[Incoming], *, seconds: float) -> list[Outgoing]:
        self._now += 60  # gauges are shown now and then; a minute after the last time they are due
        folded = meter.lives.fold(batch)
        moved = meter.lives.written(folded, meter.lives.changes(folded))
        meter.taken(len(batch), batch, folded, moved, seconds)
        return [one for one in folded.outgoing if one.message.topic == "relay.telemetry"]

    def _incoming(self, topic: TopicName, key: bytes, value: bytes, headers: dict[str, bytes]) -> Incoming:
        if topic == "frames":
            place = topics.link_partition(SCENARIO.mission, key.decode(), _PARTITIONS[topic])
        else:
            place = topics.vehicle_partition(SCENARIO.mission, key.decode(), _PARTITIONS[topic])
        origin = Origin(f"relay.{topic}", place, next(self._offsets))
        return Incoming(origin, key, value, headers, time.time_ns() - _ON_THE_WAY)

    def measured(self, *, frames_lag: tuple[int, int], telemetry_lag: int, loop_lag: float, ready: bool) -> None:
        """What a worker asks of Kafka, for two partitions of `frames` and one of `telemetry`, and of its process."""
        places = [("frames", "0", frames_lag[0]), ("frames", "1", frames_lag[1]), ("telemetry", "0", telemetry_lag)]
        self.exporter.show("backlog", [Sample(metrics.LAG, (topic, place), lag) for topic, place, lag in places])
        self.exporter.apply([Sample(metrics.LOOP_LAG, (), loop_lag), Sample(metrics.READY, (), ready)])


Step = Callable[[], None]
Instant = Literal["before", "during", "after"]


@dataclass(slots=True)
class Script:
    """The steps, one for each scrape."""

    steps: list[tuple[Step, Instant | None]]
    """What happens before a scrape is answered, and the instant that this scrape is."""
    scraped_at: list[float] = field(default_factory=list)
    """Wall clock, seconds, of each scrape that was a step."""
    instants: dict[Instant, int] = field(default_factory=dict)
    """Which scrape it was."""
    over: threading.Event = field(default_factory=threading.Event)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def scrape(self) -> None:
        """Called when Prometheus asks, before it is answered."""
        with self._one_at_a_time:
            if len(self.scraped_at) == len(self.steps):
                self.over.set()
                return
            step, instant = self.steps[len(self.scraped_at)]
            if instant is not None:
                self.instants[instant] = len(self.scraped_at)
            self.scraped_at.append(time.time())
            step()


def script(worker: Worker) -> Script:
    """Flight and drop-out in steps of one or two seconds of relay time, then two days later."""
    records = sorted(simulate(SCENARIO), key=lambda one: one.earth_receive_time)

    def until(seconds: float, *, is_busy: bool = False) -> Step:
        """All that has come by then. Busy: the worker falls behind, and gets what is no record and one that it had."""

        def step() -> None:
            if is_busy:
                worker.measured(frames_lag=(30, 10), telemetry_lag=5, loop_lag=0.25, ready=False)
                worker.refuse()
                worker.take_again()
            else:
                worker.measured(frames_lag=(1, 0), telemetry_lag=0, loop_lag=0.01, ready=True)
            batch = []
            while records and records[0].earth_receive_time < SCENARIO.at(seconds):
                batch.append(records.pop(0))
            worker.take(batch)

        return step

    steps: list[tuple[Step, Instant | None]] = [(lambda: None, None)]
    steps += [(until(seconds), None) for seconds in (-10, 0, *range(5, 18))]
    steps += [(until(18), "before")]
    steps += [(until(seconds, is_busy=True), None) for seconds in range(20, 44, 2)]
    steps += [(until(44, is_busy=True), "during")]
    steps += [(until(seconds), None) for seconds in (60, 90, 120, *range(172_802, 172_830, 2))]
    steps += [(until(172_830), "after")]
    return Script(steps)
