"""A long hover at 50 frames a second with 5 % of them lost, through both stages as a worker would run them: what is
stored, what is counted, what it costs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pipeline.flow import LinkState, VehicleState, decode, watch
from pipeline.mission.model import FrameFormat
from pipeline.outputs import Output, Revision
from pipeline.records import SECOND, FramesReceived, Origin, Record, Run
from pipeline.simulate.scenario import Flight, Loss, Radio, Receiver, Scenario, Segment, Session
from pipeline.simulate.simulation import simulate
from tests.generated import STARTS_AT, mission_of

PERIOD_S: Final = 0.02
LOST: Final = 0.05
SAVED_EVERY: Final = 20
"""Records between two times at which what changed is stored."""


def scenario(minutes: float, frame_format: FrameFormat) -> Scenario:
    """Everything is sent on the real-time channel: so near to take-off and landing no frame is idle."""
    lands_s = 60.0 * minutes - 4.0
    parts = (
        ("takeoff", 1.0, 1.0), ("climb", 10.0, 12.0), ("hover", lands_s - 15.0, 12.0), ("descent", lands_s, 0.0),
        ("landed", lands_s + 2.0, 0.0),
    )  # fmt: skip
    return Scenario(
        name="long", title="long", row="", seed=50, starts_at=STARTS_AT, mission=mission_of(frame_format, PERIOD_S),
        mission_data={}, radio=Radio(transmit_dbm=60.0), receiver=Receiver(batch_frames=50),
        flights=(
            Flight(
                from_s=-2.0, period_s=PERIOD_S,
                profile=tuple(Segment(phase=phase, until_s=until, altitude_m=high) for phase, until, high in parts),
            ),
        ),
        losses=(Loss(from_s=-1e6, until_s=1e6, probability=LOST),),
        sessions=(Session(from_s=-5.0, until_s=lands_s + 10.0),),
    )  # fmt: skip


@dataclass(kw_only=True)
class Outcome:
    records: int = 0
    received: int = 0
    missing: int = 0
    """By the receive times of what came, sent at even intervals."""
    outputs: list[Output] = field(default_factory=list)
    decode_s: float = 0.0
    watch_s: float = 0.0
    slowest_watch_s: float = 0.0
    stored: dict[str, int] = field(default_factory=dict)
    """Stage and name of a stored entry → its octets when it was last stored."""
    largest: dict[str, int] = field(default_factory=dict)
    """Stage → octets of the largest entry that was ever stored."""

    @property
    def alerts(self) -> set[str]:
        return {one.type for one in self.outputs if isinstance(one, Revision)}

    @property
    def accounting(self) -> Mapping[str, Any]:
        """Of the channel, from the ledger."""
        facts = [one.facts for one in self.outputs if not isinstance(one, Revision) and one.name == ""]
        (channel,) = facts[-1]["channels"].values()
        return channel  # type: ignore[no-any-return]

    def store(self, stage: str, changes: Mapping[str, Any]) -> None:
        for name, value in changes.items():
            octets = len(orjson.dumps(value))
            self.stored[f"{stage}/{name}"] = octets
            self.largest[stage] = max(octets, self.largest.get(stage, 0))


def fly(minutes: float, frame_format: FrameFormat, *, heard: Callable[[Record], None] = lambda record: None) -> Outcome:
    """`heard` is called with each record before it is taken."""
    flight = scenario(minutes, frame_format)
    mission, run = flight.mission, Run(id="long", origin="test")
    link, vehicle = LinkState(), VehicleState()
    outcome = Outcome()
    first = last = None
    for offset, record in enumerate(simulate(flight)):
        heard(record)
        if isinstance(record, FramesReceived):
            outcome.received += len(record.relay_receive_times)
            first = int(record.relay_receive_times.min()) if first is None else first
            last = int(record.relay_receive_times.max())
        started = time.perf_counter()
        telemetry = decode(link, record, Origin("long", 0, offset), mission)
        decoded = time.perf_counter()
        for one in telemetry:
            outcome.outputs += watch(vehicle, one, mission, run)
        taken = time.perf_counter() - decoded
        outcome.decode_s += decoded - started
        outcome.watch_s += taken
        outcome.slowest_watch_s = max(outcome.slowest_watch_s, taken)
        outcome.records = offset + 1
        if offset % SAVED_EVERY == 0:
            outcome.store("decode", link.take_changes())
            outcome.store("watch", vehicle.take_changes())
    outcome.store("decode", link.take_changes())
    outcome.store("watch", vehicle.take_changes())
    if first is not None and last is not None:
        outcome.missing = round((last - first) / (PERIOD_S * SECOND)) + 1 - outcome.received
    return outcome
