"""Many frames of a record are taken together for speed: what comes of them, and what is kept, is to the octet what
comes of them one by one."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.channels import channel
from pipeline.decode import LinkState, decode
from pipeline.frames.frame import split
from pipeline.mission.model import Mission
from pipeline.records import FramesReceived, Origin, Record
from pipeline.telemetry import encode_telemetry
from tests.build import scenario, scenario_records

NEVER = 1 << 30


def disturbed(records: tuple[Record, ...], chance: random.Random) -> Iterator[Record]:
    """The frames of some records in fewer and larger ones; now and then one comes twice, late, or broken."""
    frames: list[tuple[int, bytes]] = []
    size = chance.choice((1, 30, 300))
    for record in records:
        if not isinstance(record, FramesReceived):
            if frames and chance.random() < 0.1:
                yield joined(record, frames)
                frames, size = [], chance.choice((1, 30, 300))
            yield record
            continue
        octets = split(record.octets, record.frame_length, record.lengths)
        for at, frame in zip(record.relay_receive_times.tolist(), octets, strict=True):
            frames.append((at, frame))
            fate = chance.random()
            if fate < 0.01:
                frames.append(chance.choice(frames))
            elif fate < 0.02:
                frames[-1], frames[chance.randrange(len(frames))] = frames[chance.randrange(len(frames))], frames[-1]
            elif fate < 0.03:
                frames[-1] = at, frame[:-1] + bytes([frame[-1] ^ 1])
            elif fate < 0.04:
                frames[-1] = at, frame[:-1]
        if len(frames) >= size:
            yield joined(record, frames)
            frames, size = [], chance.choice((1, 30, 300))


def joined(record: Any, frames: list[tuple[int, bytes]]) -> FramesReceived:
    return FramesReceived(
        link=record.link, session=record.session, sequence=record.sequence,
        earth_receive_time=record.earth_receive_time, octets=b"".join(frame for _, frame in frames),
        relay_receive_times=np.array([at for at, _ in frames], np.int64),
        lengths=tuple(len(frame) for _, frame in frames),
    )  # fmt: skip


def made(records: list[Record], mission: Mission) -> Iterator[Any]:
    """Telemetry record by record, and now and then what is stored."""
    states: dict[str, LinkState] = {}
    stored: dict[str, dict[str, Any]] = {}
    for offset, record in enumerate(records):
        state, chunks = states.setdefault(record.link, LinkState()), stored.setdefault(record.link, {})
        yield [encode_telemetry(one) for one in decode(state, record, Origin("frames", 0, offset), mission)]
        chunks |= state.take_changes()
        if offset % 40 == 0:
            yield {name: value for name, value in chunks.items() if value is not None}


@pytest.mark.parametrize(
    "name", ["frames-late", "ghosts", "count-wraps", "last-packets-lost", "two-vehicles", "old-playback"]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_frames_taken_together_are_what_they_are_one_by_one(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mission = scenario(name).mission
    records = list(disturbed(scenario_records(name)[:1200], random.Random(seed)))
    taken: list[int] = []
    stretch = channel.Channel._take_stretch

    def counted(one: channel.Channel, octets: list[bytes], *more: Any) -> bool:
        done = stretch(one, octets, *more)
        taken.append(len(octets) if done else 0)
        return done

    monkeypatch.setattr(channel.Channel, "_take_stretch", counted)
    together = list(made(records, mission))
    assert sum(taken) > 200
    for limit in ("channels.channel._TOGETHER", "frames.tm.TOGETHER", "frames.aos.TOGETHER", "decode.TOGETHER"):
        monkeypatch.setattr(f"pipeline.{limit}", NEVER)
    assert list(made(records, mission)) == together
