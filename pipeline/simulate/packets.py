"""Values -> space packets (CCSDS 133.0-B-2), by the same definitions that a decoder reads them with."""

from collections.abc import Mapping

from pipeline.mission.model import Field, Packet

PRIMARY_HEADER_OCTETS = 6
SHORTEST_PACKET = 7
IDLE_APID = 0x7FF

Value = float | str | bool


def space_packet(apid: int, sequence_count: int, data: bytes, *, secondary_header: bool) -> bytes:
    """An unsegmented telemetry packet around `data`, its packet data field."""
    first = (0x0800 if secondary_header else 0) | apid
    header = first << 32 | (0xC000 | sequence_count & 0x3FFF) << 16 | (len(data) - 1)
    return header.to_bytes(6, "big") + data


def idle_packet(octets: int) -> bytes:
    """An idle packet of so many octets, at least 7."""
    return space_packet(IDLE_APID, 0, b"\x55" * (octets - PRIMARY_HEADER_OCTETS), secondary_header=False)


def packet_data(definition: Packet, values: Mapping[str, Value], onboard_time: int, filler: bytes) -> bytes:
    """The packet data field: time code, fields, and `filler` behind them. `onboard_time` is in nanoseconds since the
    on-board epoch; a field without a value is 0."""
    bits = [field.bit + field.bits for field in definition.fields]
    octets = bytearray((max(bits, default=0) + 7) // 8)
    if definition.time_code == "cuc":
        code = cuc(onboard_time, definition.time_code_basic_octets, definition.time_code_fractional_octets)
        octets[: len(code)] = code
    for field in definition.fields:
        if field.name in values:
            _put(octets, field, _raw(field, values[field.name]))
    return bytes(octets) + filler


def cuc(onboard_time: int, basic_octets: int, fractional_octets: int) -> bytes:
    """CUC time code without its P-field (301.0-B-4): whole units since the epoch and their binary fraction."""
    ticks = (onboard_time << (8 * fractional_octets)) // 1_000_000_000
    octets = basic_octets + fractional_octets
    return (ticks % (1 << (8 * octets))).to_bytes(octets, "big")


def _raw(field: Field, value: Value) -> int:
    if field.type == "enum":
        return next(number for number, label in field.labels.items() if label == value)
    if isinstance(value, str):
        raise TypeError(f"{field.name} is of type {field.type}, not a text")
    return round((float(value) - field.offset) / field.scale)


def _put(octets: bytearray, field: Field, raw: int) -> None:
    low = len(octets) * 8 - field.bit - field.bits
    mask = (1 << field.bits) - 1
    whole = int.from_bytes(octets, "big") & ~(mask << low) | (raw & mask) << low
    octets[:] = whole.to_bytes(len(octets), "big")
