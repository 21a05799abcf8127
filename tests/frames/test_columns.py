"""Many frames are read column by column: what they say is what they say one by one."""

import random
from dataclasses import fields

import pytest

from pipeline.frames import FORMATS
from pipeline.frames.frame import Frames, Managed
from pipeline.mission.model import FrameFormat
from pipeline.simulate.frames import seal
from tests.link import mission

MANY = 60
FIELDS = [one.name for one in fields(Frames) if one.name not in ("octets", "messages", "joined", "read_as")]


def frame(chance: random.Random, length: int, first: int) -> bytes:
    """Of chance octets, mostly with the right version and check."""
    octets = bytes([first if chance.random() < 0.9 else chance.randrange(256)]) + chance.randbytes(length - 1)
    if chance.random() < 0.5:
        octets = octets[:4] + bytes([octets[4] & 0x3F, octets[5] & 0xCF]) + octets[6:]
    sealed = seal(mission().links[0], octets)
    return sealed if chance.random() < 0.9 else octets


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("frame_format", ["tm", "aos"])
def test_many_frames_say_what_they_say_one_by_one(frame_format: FrameFormat, seed: int) -> None:
    chance, read = random.Random(seed), FORMATS[frame_format]
    managed = Managed(
        frame_length=chance.choice((8, 9, 10, 12, 14, 30, 100)), frame_error_control_field=chance.random() < 0.7,
        operational_control_field=chance.random() < 0.3, insert_zone_octets=chance.choice((0, 0, 1, 4)),
        frame_header_error_control=chance.random() < 0.3,
    )  # fmt: skip
    first = chance.randrange(64) | (0x40 if frame_format == "aos" else 0)
    octets = [frame(chance, managed.frame_length, first) for _ in range(MANY)]
    together, alone = read(octets, managed), [read([one], managed) for one in octets]
    assert together.reasons == [one.reasons[0] for one in alone]
    for place, one in enumerate(alone):
        if one.reasons[0] is None:
            said = {name: getattr(together, name)[place] for name in FIELDS}
            assert said == {name: getattr(one, name)[0] for name in FIELDS}
    read_as = [column.tolist() for column in together.columns]
    assert read_as == [getattr(together, name) for name in together.columns._fields]
