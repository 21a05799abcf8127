"""Many packets of one definition at once: what `PacketReader.sample` says of each, column by column. Knows numpy;
knows no frame and no link.

Reading one packet takes microseconds in any case; of hundreds, a column costs about what one packet does. Definitions
that do not lend themselves to it (numbers of more than 32 bits, floats between octets) are read packet by packet."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.mission.model import SECOND, Comparison, Condition, Field, FlightState, Meanings, Packet
from pipeline.packets import timecode
from pipeline.packets.space_packet import PRIMARY_HEADER_OCTETS
from pipeline.packets.values import OPERATORS, PacketReader, Value, holds, parameters_named, parameters_of

TOGETHER: Final = 24
"""From so many packets on it is worth while."""
_WIDEST: Final = 32
_WIDEST_TIME: Final = 4


class SampleColumns(NamedTuple):
    """Those of `values.Sample`, in the same order; rows in which nothing is said are there too."""

    spacecraft_times: list[int | None]
    boot_counts: list[int | None]
    phases: list[str | None]
    states: list[FlightState | None]
    landed: list[bool | None]
    altitudes: list[float | None]
    climb_rates: list[float | None]


class Coded(NamedTuple):
    """A column of few different values."""

    codes: list[int]
    values: dict[int, Value | None]
    """Code → what it stands for."""

    def listed(self, meant: Mapping[int, Any]) -> list[Any]:
        """What each row's code stands for."""
        return [meant[code] for code in self.codes]


class Measured(NamedTuple):
    """A column of numbers."""

    numbers: npt.NDArray[Any]
    known: npt.NDArray[np.bool_] | None
    """None: all are."""

    def listed(self) -> list[Any]:
        listed: list[Any] = self.numbers.tolist()
        if self.known is None:
            return listed
        return [value if is_known else None for value, is_known in zip(listed, self.known.tolist(), strict=True)]


Column = Coded | Measured


class ColumnReader:
    """Made once for a mission and a packet, used for every lot of packets."""

    __slots__ = ("_fields", "_meanings", "_one", "_packet", "_readable", "_stop")

    def __init__(self, packet: Packet, meanings: Meanings) -> None:
        named = parameters_named(meanings)
        self._fields = tuple(field for field in packet.fields if field.name in named)
        self._meanings, self._packet, self._one = meanings, packet, PacketReader(packet, meanings)
        by_name = {field.name: field for field in self._fields}
        numbers = [by_name[name] for name in (meanings.altitude, meanings.climb_rate) if name in by_name]
        boots = [by_name[name] for name in (meanings.boot_count,) if name in by_name]
        phases = [by_name[name] for name in (meanings.phase,) if name in by_name]
        self._readable = (
            all(map(_is_readable, self._fields))
            and meanings.spacecraft_time in (None, "packet")
            and all(field.type not in ("enum", "bool") for field in numbers)
            and all(field.type in ("uint", "int") and _is_plain(field) for field in boots)
            and all(field.type == "enum" for field in phases)
        )
        self._stop = max((_stop(field) for field in self._fields), default=0)

    @property
    def says_anything(self) -> bool:
        return self._one.says_anything

    def read(self, packets: Sequence[bytes]) -> SampleColumns:
        """Of whole packets of this definition."""
        if not self._readable or len(packets) < TOGETHER or min(map(len, packets)) < self._stop:
            return self._read_each(packets)
        stop, meanings = self._stop, self._meanings
        octets = np.frombuffer(b"".join([packet[:stop] for packet in packets]), np.uint8).reshape(len(packets), stop)
        # As Python does: what is no number, or too large, is no fault.
        with np.errstate(all="ignore"):
            columns = {field.name: _column(field, octets) for field in self._fields}
        nothing: list[Any] = [None] * len(packets)

        def numbers(name: str | None) -> list[Any]:
            column = columns.get(name or "")
            return column.listed() if isinstance(column, Measured) else nothing

        phase = columns.get(meanings.phase or "")
        return SampleColumns(
            spacecraft_times=self._times(packets),
            boot_counts=numbers(meanings.boot_count),
            phases=phase.listed(phase.values) if isinstance(phase, Coded) else nothing,
            states=[
                "flight" if in_flight else "ground" if on_ground else None
                for in_flight, on_ground in zip(
                    _held(meanings.in_flight, columns, nothing),
                    _held(meanings.on_ground, columns, nothing),
                    strict=True,
                )
            ],
            landed=list(_held(meanings.landed, columns, nothing)),
            altitudes=numbers(meanings.altitude),
            climb_rates=numbers(meanings.climb_rate),
        )

    def _read_each(self, packets: Sequence[bytes]) -> SampleColumns:
        rows = [self._one.sample(packet) or (None,) * len(SampleColumns._fields) for packet in packets]
        return SampleColumns(*map(list, zip(*rows, strict=True))) if rows else SampleColumns([], [], [], [], [], [], [])

    def _times(self, packets: Sequence[bytes]) -> list[int | None]:
        """Of the packets' secondary headers."""
        packet, start = self._packet, PRIMARY_HEADER_OCTETS
        if self._meanings.spacecraft_time != "packet" or packet.time_code == "none":
            return [None] * len(packets)
        if packet.time_code == "cds":
            return [timecode.day_segmented(octets[start:]) for octets in packets]
        basic, fractional = packet.time_code_basic_octets, packet.time_code_fractional_octets
        middle, stop = start + basic, start + basic + fractional
        if max(basic, fractional) > _WIDEST_TIME or min(map(len, packets)) < stop:
            return [timecode.unsegmented(octets[start:stop], basic, fractional) for octets in packets]
        joined = np.frombuffer(b"".join([octets[:stop] for octets in packets]), np.uint8).reshape(len(packets), stop)
        bits = 8 * fractional
        fraction = _number(joined[:, middle:stop]) * SECOND + (1 << bits >> 1)
        times: list[int | None] = (_number(joined[:, start:middle]) * SECOND + (fraction >> bits)).tolist()
        return times


def _held(
    condition: Condition | Comparison | None, columns: Mapping[str, Column], nothing: list[None]
) -> Sequence[bool | None]:
    """`values.holds` of each row. `nothing`: where no row says."""
    names = parameters_of(condition)
    if condition is None or names.isdisjoint(columns):
        return nothing
    if len(names) == 1 and isinstance(column := columns[min(names)], Coded):
        name = min(names)
        held = {code: holds(condition, {} if value is None else {name: value}) for code, value in column.values.items()}
        return column.listed(held)
    if isinstance(condition, Condition):
        deciding = condition.joined_by == "any"
        parts = [_held(part, columns, nothing) for part in condition.parts]
        return [
            deciding if deciding in row else None if None in row else not deciding for row in zip(*parts, strict=True)
        ]
    column = columns[condition.parameter]
    if isinstance(column, Coded) or isinstance(condition.value, str):
        return nothing
    compare: Callable[[Any, Any], Any] = OPERATORS[condition.operator]
    return Measured(compare(column.numbers, condition.value), column.known).listed()


def _stop(field: Field) -> int:
    return PRIMARY_HEADER_OCTETS + (field.bit + field.bits + 7) // 8


def _is_plain(field: Field) -> bool:
    return field.scale == 1 and field.offset == 0


def _is_readable(field: Field) -> bool:
    if field.type == "float":
        return field.bit % 8 == 0
    return field.bits <= _WIDEST and (_is_plain(field) or isinstance(field.scale * field.offset, float))


def _column(field: Field, octets: npt.NDArray[np.uint8]) -> Column:
    first, stop = PRIMARY_HEADER_OCTETS + field.bit // 8, _stop(field)
    if field.type == "float":
        numbers: npt.NDArray[Any] = np.ascontiguousarray(octets[:, first:stop]).view(f">f{field.bits // 8}")[:, 0]
        numbers = numbers.astype(np.float64)
        known = np.isfinite(numbers)
        return Measured(_scaled(field, numbers), None if known.all() else known)
    last_bit = 8 * PRIMARY_HEADER_OCTETS + field.bit + field.bits
    numbers = _number(octets[:, first:stop]) >> 8 * stop - last_bit & (1 << field.bits) - 1
    if field.type in ("enum", "bool"):
        codes: list[int] = numbers.tolist()
        labels = dict(field.labels)
        return Coded(codes, {code: labels.get(code) if field.type == "enum" else code != 0 for code in set(codes)})
    if field.type == "int":
        numbers = np.where(numbers >= 1 << field.bits - 1, numbers - (1 << field.bits), numbers)
    return Measured(_scaled(field, numbers), None)


def _scaled(field: Field, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return numbers if _is_plain(field) else numbers * field.scale + field.offset


def _number(octets: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Octets of each row as one number, the first the most significant: at most 7 of them."""
    number = np.zeros(len(octets), np.int64)
    for place in range(octets.shape[1]):
        number = number << 8 | octets[:, place]
    return number
