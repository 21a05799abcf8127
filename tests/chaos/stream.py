"""What the workers are given while they are killed: two or three vehicles on two links, one of which hands over records
of 64 KiB and the other one frame a record, with losses, ends of transmission, late passes and repetitions by a seed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from pipeline.mission.model import Mission
from pipeline.records import FramesReceived, Record
from pipeline.shells.files.resources import mission_path, read_text
from pipeline.simulate.load import load_scenario
from pipeline.simulate.simulation import simulate

BIG_RECORD_OCTETS: Final = 64 << 10
FRAME_OCTETS: Final = 1115

# The first vehicle is lost below a hill, heard again two days later; the others land. Both links hear all of them.
_SCENARIO: Final = """\
name = "chaos"
title = "What the workers are given while they are killed"
row = "chaos"
seed = {seed}
starts_at = 2024-01-18T12:00:00Z

[radio]
loss = 0.01

[[losses]]
link = "rover-b"
from_s = -{listen}
until_s = 120.0
probability = {lost}

[[mission.links]]
name = "rover-a"
vehicles = [{vehicles}]
frame_length = {octets}

[[mission.links]]
name = "rover-b"
like = "rover-a"

[[flights]]
period_s = {period}
from_s = -{ground}
profile = [["takeoff", 1.0, 0.8276], ["climb", 14.5, 12.0], ["hover", 19.0, 12.0], ["descent", 30.0, 1.0]]

[[sessions]]
link = "rover-a"
from_s = -{listen}
until_s = 120.0

[[sessions]]
link = "rover-b"
from_s = -{listen}
until_s = 120.0

[[sessions]]
link = "rover-b"
from_s = 172800.0
until_s = 172840.0

[[restarts]]
vehicle = "ingenuity"
at_s = 3600.0
clock_reset = false

[[contacts]]
vehicle = "ingenuity"
from_s = 172805.0
until_s = 172825.0
"""
_OTHER: Final = """
[[mission.vehicles]]
name = "{name}"
like = "ingenuity"
scid = {scid}

[[flights]]
vehicle = "{name}"
offset_s = {offset}
period_s = {period}
from_s = -{ground}
"""
OTHERS: Final = (("dragonfly", 170), ("butterfly", 171))


@dataclass(frozen=True, slots=True)
class Stream:
    records: list[Record]
    """In order of arrival."""
    mission: Mission
    mission_data: dict[str, Any]
    """The mission as a table, for the workers' mission file."""


def stream(
    seed: int, *, vehicles: int = 2, rate_hz: float = 10.0, ground_s: float = 20.0, lost: float = 0.0
) -> Stream:  # fmt: skip
    """`rate_hz`: frames of each vehicle a second; `ground_s`: how long it sends before it takes off; `lost`: the share
    of the frames that the second link does not hear, which hands over one frame a record."""
    others = OTHERS[: vehicles - 1]
    common = {"period": 1 / rate_hz, "ground": ground_s}
    text = _SCENARIO.format(
        seed=seed, octets=FRAME_OCTETS, listen=ground_s + 10, lost=lost,
        vehicles=", ".join(f'"{name}"' for name in ("ingenuity", *(name for name, _ in others))), **common,
    )  # fmt: skip
    for place, (name, scid) in enumerate(others, 1):
        text += _OTHER.format(name=name, scid=scid, offset=place / rate_hz / vehicles, **common)
    scenario = load_scenario(text, where="chaos", mission_text=lambda name: read_text(mission_path(name)))
    records = simulate(scenario)
    return Stream(list(_regrouped(records)), scenario.mission, dict(scenario.mission_data))


def _regrouped(records: Iterable[Record]) -> Iterator[Record]:
    """The first link's frames joined to records of 64 KiB, the second's one frame a record; nothing changes places with
    a record of another kind of its link."""
    sequences: dict[tuple[str, int], int] = {}
    waiting: list[FramesReceived] = []

    def numbered(record: Record) -> Record:
        key = record.link, record.session
        sequences[key] = sequences.get(key, -1) + 1
        return replace(record, sequence=sequences[key])

    for record in records:
        if isinstance(record, FramesReceived) and record.link == "rover-a":
            waiting.append(record)
            if sum(len(one.octets) for one in waiting) >= BIG_RECORD_OCTETS:
                yield numbered(_joined(waiting))
                waiting.clear()
            continue
        if record.link == "rover-a" and waiting:
            yield numbered(_joined(waiting))
            waiting.clear()
        if isinstance(record, FramesReceived):
            for place in range(len(record.relay_receive_times)):
                yield numbered(_one_frame(record, place))
        else:
            yield numbered(record)


def _joined(records: list[FramesReceived]) -> FramesReceived:
    return replace(
        records[-1], octets=b"".join(one.octets for one in records),
        relay_receive_times=np.concatenate([one.relay_receive_times for one in records]),
    )  # fmt: skip


def _one_frame(record: FramesReceived, place: int) -> FramesReceived:
    length = record.frame_length
    return replace(
        record, octets=record.octets[place * length : (place + 1) * length],
        relay_receive_times=record.relay_receive_times[place : place + 1],
    )  # fmt: skip
