"""The two stages with one frame in each record, the dearest way to hand frames over: records a second of CPU time, of
one flight and of a run that holds several."""

import time
from dataclasses import replace
from typing import Final

from pipeline.flow import LinkState, VehicleState, decode, watch
from pipeline.records import Origin, Run
from pipeline.shells.terminal import note, say
from pipeline.simulate.simulation import simulate
from tests.build import scenario

NAMES: Final = ("nominal", "mask-on-every-landing")
ROUNDS: Final = 3


def single() -> None:
    for name in NAMES:
        shipped = scenario(name)
        note(f"simulating {name} with one frame a record")
        records = list(simulate(replace(shipped, receiver=replace(shipped.receiver, batch_frames=1))))
        best = [float("inf"), float("inf")]
        for _ in range(ROUNDS):
            links: dict[str, LinkState] = {}
            vehicle = VehicleState()
            started = time.process_time()
            told = [
                one
                for offset, record in enumerate(records)
                for one in decode(
                    links.setdefault(record.link, LinkState()), record, Origin("bench", 0, offset), shipped.mission
                )
            ]
            decoded = time.process_time()
            for one in told:
                watch(vehicle, one, shipped.mission, Run(id="bench", origin="test"))
            best = [min(best[0], decoded - started), min(best[1], time.process_time() - decoded)]
        rates = ", ".join(f"{stage} {len(records) / taken:,.0f}" for stage, taken in zip(("decode", "watch"), best))
        say(f"{name}, one frame a record:  {len(records):,} records, a second of CPU time: {rates}")
