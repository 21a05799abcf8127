"""Packets → the values that the mission names. Knows definitions and meanings; does not know frames, links or what
follows from a value.

A value that a packet does not carry (too short, a number without a label, a float that is no number) is left out: it
is never 0."""

import math
import struct
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pipeline.mission.model import SECOND, Comparison, Condition, Field, FlightState, Meanings, Packet
from pipeline.packets import timecode
from pipeline.packets.space_packet import PRIMARY_HEADER_OCTETS

Value = float | str | bool
Values = Mapping[str, Value]


class Sample(NamedTuple):
    """What one packet says of the vehicle; None where it does not say."""

    spacecraft_time: int | None
    """Nanoseconds since the on-board clock's epoch."""
    boot_count: int | None
    phase: str | None
    state: FlightState | None
    landed: bool | None
    altitude: float | None
    climb_rate: float | None


NOTHING: Final = Sample(None, None, None, None, None, None, None)

_FLOATS: Final = {16: struct.Struct(">e"), 32: struct.Struct(">f"), 64: struct.Struct(">d")}
OPERATORS: Final[Mapping[str, Callable[[Value, Value], bool]]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


def holds(condition: Condition | Comparison, values: Values) -> bool | None:
    """Whether the condition holds; None where a value that would decide it is not there."""
    if isinstance(condition, Comparison):
        value = values.get(condition.parameter)
        if value is None:
            return None
        if isinstance(value, str) is not isinstance(condition.value, str):
            return None
        return OPERATORS[condition.operator](value, condition.value)
    deciding = condition.joined_by == "any"
    unknown = False
    for part in condition.parts:
        held = holds(part, values)
        if held is deciding:
            return deciding
        unknown = unknown or held is None
    return None if unknown else not deciding


def parameters_of(condition: Condition | Comparison | None) -> frozenset[str]:
    """The parameters a condition compares."""
    if condition is None:
        return frozenset()
    if isinstance(condition, Comparison):
        return frozenset((condition.parameter,))
    return frozenset().union(*(parameters_of(part) for part in condition.parts))


def parameters_named(meanings: Meanings) -> frozenset[str]:
    """Every parameter that has a meaning; the others are not read at all."""
    names = (meanings.altitude, meanings.climb_rate, meanings.phase, meanings.boot_count, meanings.spacecraft_time)
    conditions = (meanings.in_flight, meanings.on_ground, meanings.landed)
    return frozenset(name for name in names if name is not None).union(*map(parameters_of, conditions))


def phase_of(meanings: Meanings, values: Values) -> str | None:
    phase = None if meanings.phase is None else values.get(meanings.phase)
    return None if phase is None else str(phase)


def state_of(meanings: Meanings, values: Values) -> FlightState | None:
    """What the conditions in_flight and on_ground make of the values."""
    if meanings.in_flight is not None and holds(meanings.in_flight, values):
        return "flight"
    if meanings.on_ground is not None and holds(meanings.on_ground, values):
        return "ground"
    return None


def landed_of(meanings: Meanings, values: Values) -> bool | None:
    return None if meanings.landed is None else holds(meanings.landed, values)


def sample(meanings: Meanings, values: Values, packet_time: int | None = None) -> Sample | None:
    """What the values mean; None where they mean nothing. `packet_time`: the time code of the packet itself."""
    onboard: int | None = None
    if meanings.spacecraft_time == "packet":
        onboard = packet_time
    elif meanings.spacecraft_time is not None:
        seconds = _number(values.get(meanings.spacecraft_time))
        onboard = None if seconds is None else round(seconds * SECOND)
    boot = None if meanings.boot_count is None else _number(values.get(meanings.boot_count))
    said = Sample(
        spacecraft_time=onboard,
        boot_count=None if boot is None else int(boot),
        phase=phase_of(meanings, values),
        state=state_of(meanings, values),
        landed=landed_of(meanings, values),
        altitude=None if meanings.altitude is None else _number(values.get(meanings.altitude)),
        climb_rate=None if meanings.climb_rate is None else _number(values.get(meanings.climb_rate)),
    )
    return None if said == NOTHING else said


def _number(value: Value | None) -> float | None:
    return None if value is None or isinstance(value, str) else value


class PacketReader:
    """Reads what is needed of one packet definition. Made once for a mission, used for every packet."""

    __slots__ = ("_fields", "_meanings", "_packet", "_time")

    def __init__(self, packet: Packet, meanings: Meanings) -> None:
        named = parameters_named(meanings)
        self._packet = packet
        self._meanings = meanings
        self._fields = tuple((field.name, *_reader(field)) for field in packet.fields if field.name in named)
        self._time = packet.time_code if meanings.spacecraft_time == "packet" else "none"

    @property
    def says_anything(self) -> bool:
        return bool(self._fields) or self._time != "none"

    def values(self, octets: bytes) -> dict[str, Value]:
        """The named values in a whole packet."""
        values: dict[str, Value] = {}
        for name, stop, read in self._fields:
            if stop <= len(octets):
                value = read(octets)
                if value is not None:
                    values[name] = value
        return values

    def sample(self, octets: bytes) -> Sample | None:
        """What a whole packet says of the vehicle; None where it says nothing that has a meaning."""
        return sample(self._meanings, self.values(octets), self.time(octets))

    def time(self, octets: bytes) -> int | None:
        """The time code of a whole packet, where it has a meaning."""
        if self._time == "cuc":
            packet = self._packet
            data = octets[PRIMARY_HEADER_OCTETS:]
            return timecode.unsegmented(data, packet.time_code_basic_octets, packet.time_code_fractional_octets)
        if self._time == "cds":
            return timecode.day_segmented(octets[PRIMARY_HEADER_OCTETS:])
        return None


def _reader(field: Field) -> tuple[int, Callable[[bytes], Value | None]]:
    """Where the field ends in the packet, in octets, and what reads it from there."""
    bit = field.bit + 8 * PRIMARY_HEADER_OCTETS
    first, stop = bit // 8, (bit + field.bits + 7) // 8
    shift, mask = 8 * stop - bit - field.bits, (1 << field.bits) - 1
    scale, offset = field.scale, field.offset
    is_plain = scale == 1 and offset == 0

    def raw(octets: bytes) -> int:
        return int.from_bytes(octets[first:stop], "big") >> shift & mask

    def scaled(value: float) -> float:
        return value if is_plain else value * scale + offset

    if field.type == "enum":
        labels = dict(field.labels)
        return stop, lambda octets: labels.get(raw(octets))
    if field.type == "bool":
        return stop, lambda octets: raw(octets) != 0
    if field.type == "uint":
        return stop, lambda octets: scaled(raw(octets))
    if field.type == "int":
        half, whole = 1 << field.bits - 1, 1 << field.bits
        return stop, lambda octets: scaled((number := raw(octets)) - (whole if number >= half else 0))
    form, octets_used = _FLOATS[field.bits], field.bits // 8

    def floating(octets: bytes) -> float | None:
        value: float = form.unpack(raw(octets).to_bytes(octets_used, "big"))[0]
        return scaled(value) if math.isfinite(value) else None

    return stop, floating
