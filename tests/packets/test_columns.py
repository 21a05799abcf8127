"""Packets read column by column say what they say one by one."""

import random
from typing import Any

import pytest

from pipeline.mission.model import Comparison, Condition, Field, Meanings, Packet
from pipeline.packets.columns import TOGETHER, ColumnReader
from pipeline.packets.lot import PacketLot
from pipeline.packets.space_packet import SpacePacket
from pipeline.packets.values import PacketReader

NUMBERS = ("uint", "int", "float")
KINDS = {"height": NUMBERS, "rate": NUMBERS, "boots": ("uint", "int"), "mode": ("enum",), "flag": ("bool", *NUMBERS)}
DATA_OCTETS = 24
TIME_CODES: Any = (("none", 4, 2), ("cuc", 4, 2), ("cuc", 4, 0), ("cuc", 3, 4), ("cuc", 5, 1), ("cds", 4, 2))


def fields(chance: random.Random) -> tuple[Field, ...]:
    """Mostly such as can be read together; now and then one that cannot."""
    found = []
    for name, usual in KINDS.items():
        odd = chance.random() < 0.05
        kind: Any = chance.choice((*NUMBERS, "enum", "bool") if odd else usual)
        bits = chance.choice((16, 32, 64)) if kind == "float" else chance.randint(2, 40 if odd else 32)
        bit = chance.randint(0, 8 * DATA_OCTETS - bits)
        if kind == "float" and not odd:
            bit -= bit % 8
        scale, offset = chance.choice(((1.0, 0.0), (0.1, -3.0), (2, 0)))
        if name == "boots" and not odd:
            scale, offset = 1.0, 0.0
        labels = {code: f"mode {code % 3}" for code in range(8) if chance.random() < 0.8}
        found.append(Field(name=name, type=kind, bit=bit, bits=bits, scale=scale, offset=offset, labels=labels))
    return tuple(found)


def condition(chance: random.Random, kinds: dict[str, str]) -> Condition:
    parts: list[Comparison | Condition] = []
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.2:
            parts.append(condition(chance, kinds))
            continue
        name = chance.choice((*KINDS, "absent"))
        is_number = kinds.get(name) in NUMBERS
        operator: Any = chance.choice(("<", "<=", ">", ">=", "==", "!=") if is_number else ("==", "!="))
        value = chance.choice((0, 1, 2.5, 127) if is_number else (True, 1, "mode 1"))
        parts.append(Comparison(parameter=name, operator=operator, value=value))
    return Condition(joined_by=chance.choice(("any", "all")), parts=tuple(parts))


def data(chance: random.Random) -> bytes:
    """Few different octets, so that labels, zeros and what is no number occur."""
    return bytes(chance.choice((0, 0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256))) for _ in range(DATA_OCTETS))


@pytest.mark.parametrize("seed", range(400))
def test_a_column_says_what_the_packets_say_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    time_code, basic, fractional = chance.choice(TIME_CODES)
    packet = Packet(
        name="p", apid=100, fields=fields(chance), time_code=time_code, time_code_basic_octets=basic,
        time_code_fractional_octets=fractional,
    )  # fmt: skip
    kinds = {field.name: str(field.type) for field in packet.fields}

    def some(what: Any) -> Any:
        return chance.choice((None, what, what))

    meanings = Meanings(
        altitude=some("height"), climb_rate=some("rate"), boot_count=some("boots"), phase=some("mode"),
        spacecraft_time=some("packet"), in_flight=some(condition(chance, kinds)),
        on_ground=some(condition(chance, kinds)), landed=some(condition(chance, kinds)),
    )  # fmt: skip
    packets = [bytes(6) + data(chance) for _ in range(2 * TOGETHER)]
    if chance.random() < 0.1:
        packets[0] = packets[0][: 6 + chance.randrange(DATA_OCTETS)]
    one_by_one = [PacketReader(packet, meanings).sample(one) or (None,) * 7 for one in packets]
    columns = ColumnReader(packet, meanings).read(PacketLot.of([SpacePacket(100, one, 0, True, 0) for one in packets]))
    assert list(zip(*columns, strict=True)) == one_by_one
    for column, expected in zip(columns, zip(*one_by_one, strict=True), strict=True):
        assert list(map(type, column)) == list(map(type, expected))
