"""Many frames of a record, and the records that wait of a link, are taken together for speed: what comes of them, and
what is kept, is to the octet what comes of them one by one."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.channels import channel
from pipeline.flow import LinkState, decode_together
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


def made(records: list[Record], mission: Mission, cuts: frozenset[int] | None = None) -> Iterator[Any]:
    """Telemetry record by record, and now and then what is stored. `cuts`: at these places, and where another link
    follows, those that are taken together end; None: they are taken one by one."""
    states: dict[str, LinkState] = {}
    stored: dict[str, dict[str, Any]] = {}
    waiting: list[tuple[Origin, Record]] = []
    for offset, record in enumerate(records):
        waiting.append((Origin("frames", 0, offset), record))
        is_looked_at = offset % 40 == 0
        ends = cuts is None or offset in cuts or is_looked_at or offset + 1 == len(records)
        if not ends and records[offset + 1].link == record.link:
            continue
        state, chunks = states.setdefault(record.link, LinkState()), stored.setdefault(record.link, {})
        for told in decode_together(state, waiting, mission):
            yield [encode_telemetry(one) for one in told]
        waiting.clear()
        chunks |= state.take_changes()
        if is_looked_at:
            yield {name: value for name, value in chunks.items() if value is not None}


@pytest.mark.parametrize(
    "name", ["frames-late", "ghosts", "count-wraps", "last-packets-lost", "two-vehicles", "old-playback"]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_frames_taken_together_are_what_they_are_one_by_one(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mission, chance = scenario(name).mission, random.Random(seed)
    records = list(disturbed(scenario_records(name)[:1200], chance))
    frames: list[int] = []
    spanned: list[int] = []
    stretch = channel.Channel._take_stretch

    def counted(one: channel.Channel, octets: list[bytes], columns: Any, parts: Any) -> bool:
        done = stretch(one, octets, columns, parts)
        frames.append(len(octets) if done else 0)
        spanned.append(len(parts) if done else 0)
        return done

    monkeypatch.setattr(channel.Channel, "_take_stretch", counted)
    together = list(made(records, mission))
    assert sum(frames) > 200
    assert max(spanned) == 1
    cuts = frozenset(place for place in range(len(records)) if chance.random() < 0.1)
    assert list(made(records, mission, cuts)) == together
    assert max(spanned) > 1
    for limit in ("channels.channel._TOGETHER", "frames.tm.TOGETHER", "frames.aos.TOGETHER", "channels.said.TOGETHER"):
        monkeypatch.setattr(f"pipeline.{limit}", NEVER)
    assert list(made(records, mission)) == together
