"""Packets to the values that a mission names, and what they mean."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mission.model import Comparison, Condition, Field, Meanings, Packet
from pipeline.packets.values import NOTHING, PacketReader, holds, parameters_named, sample

HEADER = bytes.fromhex("0064c0000009")


def number(kind: str, bit: int, bits: int, data: bytes, **more: Any) -> Any:
    """The one value that a field of a packet with these data gives; None where it is left out."""
    field = Field(name="value", type=kind, bit=bit, bits=bits, **more)  # type: ignore[arg-type]
    reader = PacketReader(Packet(name="p", apid=100, fields=(field,)), Meanings(altitude="value", phase="value"))
    return reader.values(HEADER + data).get("value")


def test_bit_0_is_the_most_significant_after_the_primary_header() -> None:
    data = bytes.fromhex("a55a")
    assert number("uint", 0, 4, data) == 0xA
    assert number("uint", 4, 8, data) == 0x55
    assert number("uint", 0, 16, data) == 0xA55A
    assert number("uint", 15, 1, data) == 0
    assert number("bool", 0, 1, data) is True
    assert number("bool", 1, 1, data) is False


def test_a_signed_number_of_any_length() -> None:
    assert number("int", 0, 16, b"\xff\xfe") == -2
    assert number("int", 0, 12, b"\x80\x00") == -2048
    assert number("int", 4, 12, b"\x07\xff") == 2047
    assert number("int", 0, 2, b"\xc0") == -1
    assert number("int", 0, 64, b"\xff" * 8) == -1


def test_scale_and_offset() -> None:
    assert number("uint", 0, 8, b"\x0a", scale=0.5, offset=-3.0) == 2.0


def test_a_float_that_is_no_number_is_left_out() -> None:
    assert number("float", 0, 32, struct.pack(">f", 12.5)) == 12.5
    assert number("float", 0, 64, struct.pack(">d", -0.1)) == -0.1
    for octets in (struct.pack(">f", float("nan")), struct.pack(">f", float("inf"))):
        assert number("float", 0, 32, octets) is None


def test_a_number_without_a_label_is_left_out() -> None:
    labels = {0: "ground", 1: "climb"}
    assert number("enum", 0, 8, b"\x01", labels=labels) == "climb"
    assert number("enum", 0, 8, b"\x02", labels=labels) is None


def test_a_packet_too_short_for_a_value_does_not_carry_it() -> None:
    assert number("uint", 8, 8, b"\x01") is None
    assert number("uint", 9, 8, b"\x01\x02") is None
    assert number("uint", 8, 8, b"\x01\x02") == 2


def test_only_fields_with_a_meaning_are_read() -> None:
    packet = Packet(
        name="p",
        apid=1,
        fields=(
            Field(name="altitude", type="uint", bit=0, bits=8),
            Field(name="voltage", type="uint", bit=8, bits=8),
        ),
    )
    meanings = Meanings(altitude="altitude")
    assert PacketReader(packet, meanings).values(HEADER + b"\x05\x06") == {"altitude": 5}
    assert not PacketReader(packet, Meanings()).says_anything


CLIMB = Comparison(parameter="phase", operator="==", value="climb")
HIGH = Comparison(parameter="altitude", operator=">", value=1.0)


@pytest.mark.parametrize(
    ("joined_by", "values", "held"),
    [
        ("all", {"phase": "climb", "altitude": 2.0}, True),
        ("all", {"phase": "climb", "altitude": 1.0}, False),
        ("all", {"phase": "climb"}, None),
        ("all", {"phase": "hover"}, False),
        ("any", {"phase": "climb"}, True),
        ("any", {"phase": "hover"}, None),
        ("any", {"phase": "hover", "altitude": 0.0}, False),
        ("any", {}, None),
    ],
)
def test_a_condition_holds_fails_or_is_not_known(joined_by: Any, values: dict[str, Any], held: bool | None) -> None:
    assert holds(Condition(joined_by=joined_by, parts=(CLIMB, HIGH)), values) is held


@pytest.mark.parametrize(
    ("operator", "held"),
    [("==", [0, 1, 0]), ("!=", [1, 0, 1]), ("<", [1, 0, 0]), ("<=", [1, 1, 0]), (">", [0, 0, 1]), (">=", [0, 1, 1])],
)
def test_every_operator(operator: Any, held: list[int]) -> None:
    comparison = Comparison(parameter="x", operator=operator, value=2)
    assert [holds(comparison, {"x": x}) for x in (1, 2, 3)] == [bool(one) for one in held]


def test_a_text_is_never_compared_with_a_number() -> None:
    assert holds(Comparison(parameter="x", operator=">", value=2), {"x": "climb"}) is None
    assert holds(Comparison(parameter="x", operator="==", value="2"), {"x": 2}) is None


MEANINGS = Meanings(
    altitude="altitude", climb_rate="rate", phase="phase", boot_count="boot", spacecraft_time="clock",
    in_flight=Condition(joined_by="all", parts=(CLIMB,)),
    on_ground=Condition(joined_by="all", parts=(Comparison(parameter="phase", operator="==", value="ground"),)),
    landed=Condition(joined_by="all", parts=(Comparison(parameter="landed", operator="==", value=True),)),
)  # fmt: skip


def test_values_become_what_they_mean() -> None:
    said = sample(MEANINGS, {"altitude": 3.0, "rate": -1.0, "phase": "climb", "boot": 4, "clock": 1.5, "landed": False})
    assert said == (1_500_000_000, 4, "climb", "flight", False, 3.0, -1.0)


def test_what_is_not_said_is_none_and_never_0() -> None:
    assert sample(MEANINGS, {"phase": "ground"}) == (None, None, "ground", "ground", None, None, None)
    assert sample(MEANINGS, {}) is None
    assert sample(MEANINGS, {"voltage": 3.0}) is None
    assert sample(MEANINGS, {"altitude": 0.0}) == NOTHING._replace(altitude=0.0)


def test_every_parameter_with_a_meaning_is_named() -> None:
    assert parameters_named(MEANINGS) == {"altitude", "rate", "phase", "boot", "clock", "landed"}
    assert parameters_named(Meanings()) == frozenset()


def test_the_time_of_a_packet_is_its_time_code() -> None:
    packet = Packet(name="p", apid=1, fields=(), time_code="cuc")
    reader = PacketReader(packet, Meanings(spacecraft_time="packet"))
    said = reader.sample(HEADER + bytes.fromhex("0000000a8000"))
    assert said is not None
    assert said.spacecraft_time == 10_500_000_000
    assert reader.sample(HEADER + b"\x00") is None
    cds = PacketReader(Packet(name="p", apid=1, fields=(), time_code="cds"), Meanings(spacecraft_time="packet"))
    said = cds.sample(HEADER + (24_123).to_bytes(2, "big") + bytes(4))
    assert said is not None
    assert said.spacecraft_time == 24_123 * 86_400 * 10**9


@given(
    st.sampled_from(["uint", "int", "float", "enum", "bool"]),
    st.integers(0, 40),
    st.integers(2, 64),
    st.binary(max_size=12),
)
def test_random_octets_never_raise(kind: str, bit: int, bits: int, data: bytes) -> None:
    bits = {"float": 32 if bits < 40 else 64, "bool": 1}.get(kind, bits)
    value = number(kind, bit, bits, data, labels={0: "zero"})
    assert (value is None) or len(data) * 8 >= bit + bits
