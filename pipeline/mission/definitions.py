"""Packet definitions as a small table of a mission file."""

import re
from typing import Final, get_args

from pipeline.mission.model import Field, FieldType, Packet
from pipeline.mission.table import Table

IDLE_APID: Final = 0x7FF
"""133.0-B keeps it for idle packets."""

MAX_PACKETS: Final = 500
"""Of a mission."""
MAX_FIELDS: Final = 1_000
"""Of a packet."""
MAX_LABELS: Final = 1_000
"""Of an enum."""

MAX_DATA_BITS: Final = 65_536 * 8
"""Of a packet data field."""

_DECIMAL: Final = re.compile(r"[0-9]{1,10}")
"""A number that 32 bits may hold."""

_BITS: Final[dict[FieldType, tuple[int, int]]] = {
    "uint": (1, 64),
    "int": (2, 64),
    "float": (32, 64),
    "enum": (1, 32),
    "bool": (1, 1),
}


def read_packets(table: Table) -> dict[str, Packet]:
    """The `[[packets]]` of a mission file, by name."""
    packets: dict[str, Packet] = {}
    for one in table.tables("packets", most=MAX_PACKETS):
        packet = _packet(one)
        if packet.name in packets:
            one.fault("name", f"{packet.name!r} is the name of another packet too")
        packets[packet.name] = packet
    return packets


def _packet(table: Table) -> Packet:
    name = table.name()
    apid = table.whole("apid", low=0, high=IDLE_APID)
    if apid == IDLE_APID:
        table.fault("apid", f"packet {name!r} uses APID 2047, which 133.0-B keeps for idle packets")
    code = table.text("time_code", "none", choices=("none", "cuc", "cds"))
    basic = table.whole("time_code_basic_octets", 4, low=1, high=4)
    fractional = table.whole("time_code_fractional_octets", 2, low=0, high=3)
    if code != "cuc":
        for key in ("time_code_basic_octets", "time_code_fractional_octets"):
            if table.has(key):
                table.fault(key, f"belongs to a time code of cuc, and this packet has {code}")
    fields: dict[str, Field] = {}
    for one in table.tables("fields", most=MAX_FIELDS):
        field = _field(one)
        if field.name in fields:
            one.fault("name", f"{field.name!r} is the name of another field of packet {name!r} too")
        fields[field.name] = field
    table.close()
    return Packet(
        name=name, apid=apid, fields=tuple(fields.values()), time_code=code,  # type: ignore[arg-type]
        time_code_basic_octets=basic, time_code_fractional_octets=fractional,
    )  # fmt: skip


def _field(table: Table) -> Field:
    name = table.name()
    kind: FieldType = table.text("type", choices=get_args(FieldType))  # type: ignore[assignment]
    low, high = _BITS.get(kind, (1, 64))
    bit = table.whole("bit", low=0, high=MAX_DATA_BITS - 1)
    bits = table.whole("bits", low=low, high=high) if kind != "bool" else table.whole("bits", 1, low=low, high=high)
    if kind == "float" and bits not in (32, 64):
        table.fault("bits", f"{bits} is not the length of a float: 32 or 64")
    if bit + bits > MAX_DATA_BITS:
        table.fault("bit", f"{bit} with {bits} bits is beyond the longest packet data field, {MAX_DATA_BITS} bits")
    is_number = kind in ("uint", "int", "float")
    for key in ("scale", "offset"):
        if table.has(key) and not is_number:
            table.fault(key, f"belongs to numbers, and {name!r} is of type {kind}")
    scale, offset = table.number("scale", 1.0), table.number("offset", 0.0)
    if scale == 0:
        table.fault("scale", "0 would make every value the same")
    labels = _labels(table, kind, bits)
    table.close()
    return Field(name=name, type=kind, bit=bit, bits=bits, scale=scale, offset=offset, labels=labels)


def _labels(table: Table, kind: FieldType, bits: int) -> dict[int, str]:
    """`labels = { 0 = "preflight", 1 = "takeoff" }`; TOML's keys are texts."""
    if kind != "enum":
        if table.has("labels"):
            table.raw("labels")
            table.fault("labels", f"belongs to fields of type enum, not {kind}")
        return {}
    if not table.has("labels"):
        table.fault("labels", "is missing: an enum needs the label of each number")
    labels: dict[int, str] = {}
    inner = table.table("labels")
    if len(inner.data) > MAX_LABELS:
        table.fault("labels", f"has {len(inner.data)} entries; at most {MAX_LABELS} are taken")
        return {}
    for key in inner.data:
        if not _DECIMAL.fullmatch(key) or int(key) >= 1 << bits:
            inner.fault(key, f"{key!r:.40} is not a number that {bits} bits hold")
            continue
        labels[int(key)] = inner.text(key)
    if len(set(labels.values())) < len(labels):
        table.fault("labels", "two numbers have one label")
    return labels
