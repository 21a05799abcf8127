"""Many packets of one definition at once: what `PacketReader.sample` says of each, column by column. Knows numpy;
knows no frame and no link.

Reading one packet takes microseconds in any case; of hundreds, a column costs about what one packet does. Definitions
that do not lend themselves to it (numbers of more than 32 bits, floats between octets) are read packet by packet."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.mission.model import SECOND, Comparison, Condition, Field, FlightState, Meanings, Packet
from pipeline.packets import timecode
from pipeline.packets.space_packet import PRIMARY_HEADER_OCTETS
from pipeline.packets.values import OPERATORS, PacketReader, Value, holds, parameters_named

TOGETHER: Final = 24
"""From so many packets on it is worth while."""
_WIDEST: Final = 32
_WIDEST_TIME: Final = 4

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]


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

    values: list[Value | None]
    places: npt.NDArray[np.intp]
    """Of each row, in `values`."""

    def each(self, function: Callable[[Value | None], Any]) -> npt.NDArray[Any]:
        """What a function makes of each row, as objects."""
        made = np.empty(len(self.values), object)
        made[:] = [function(value) for value in self.values]
        return made[self.places]


class Measured(NamedTuple):
    """A column of numbers."""

    numbers: Numbers
    known: Mask | None
    """None: all are."""

    def listed(self) -> list[Any]:
        return _listed(self.numbers, self.known)


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
            phases=phase.each(lambda value: value).tolist() if isinstance(phase, Coded) else nothing,
            states=_states(meanings, columns, len(packets)),
            landed=nothing if meanings.landed is None else _held(meanings.landed, columns, len(packets)).listed(),
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


class _Held(NamedTuple):
    """Whether something holds; where it is not known, `true` is False."""

    true: Mask
    known: Mask

    def listed(self) -> list[bool | None]:
        return _listed(self.true, self.known)


def _listed(values: Numbers, known: Mask | None) -> list[Any]:
    listed: list[Any] = values.tolist()
    if known is None or known.all():
        return listed
    return [value if is_known else None for value, is_known in zip(listed, known.tolist(), strict=True)]


def _states(meanings: Meanings, columns: dict[str, Column], rows: int) -> list[FlightState | None]:
    states = np.full(rows, None, object)
    if meanings.on_ground is not None:
        states[_held(meanings.on_ground, columns, rows).true] = "ground"
    if meanings.in_flight is not None:
        states[_held(meanings.in_flight, columns, rows).true] = "flight"
    said: list[FlightState | None] = states.tolist()
    return said


def _held(condition: Condition | Comparison, columns: dict[str, Column], rows: int) -> _Held:
    """`values.holds` of each row."""
    if isinstance(condition, Condition):
        parts = [_held(part, columns, rows) for part in condition.parts]
        known = np.logical_and.reduce([part.known for part in parts])
        if condition.joined_by == "any":
            true = np.logical_or.reduce([part.true for part in parts])
            return _Held(true, known | true)
        true = np.logical_and.reduce([part.true for part in parts])
        return _Held(true, known | np.logical_or.reduce([part.known & ~part.true for part in parts]))
    column = columns.get(condition.parameter)
    if isinstance(column, Coded):
        held = [None if value is None else holds(condition, {condition.parameter: value}) for value in column.values]
        return _Held(
            np.array([one is True for one in held])[column.places],
            np.array([one is not None for one in held])[column.places],
        )
    if column is None or isinstance(condition.value, str):
        return _Held(np.zeros(rows, bool), np.zeros(rows, bool))
    known = np.ones(rows, bool) if column.known is None else column.known
    compare: Callable[[Any, Any], Any] = OPERATORS[condition.operator]
    return _Held(compare(column.numbers, condition.value) & known, known)


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
        numbers: Numbers = np.ascontiguousarray(octets[:, first:stop]).view(f">f{field.bits // 8}")[:, 0]
        numbers = numbers.astype(np.float64)
        known = np.isfinite(numbers)
        return Measured(_scaled(field, numbers), None if known.all() else known)
    last_bit = 8 * PRIMARY_HEADER_OCTETS + field.bit + field.bits
    numbers = _number(octets[:, first:stop]) >> 8 * stop - last_bit & (1 << field.bits) - 1
    if field.type in ("enum", "bool"):
        codes, places = np.unique(numbers, return_inverse=True)
        labels = dict(field.labels)
        values = [labels.get(code) if field.type == "enum" else code != 0 for code in codes.tolist()]
        return Coded(values, places)
    if field.type == "int":
        numbers = np.where(numbers >= 1 << field.bits - 1, numbers - (1 << field.bits), numbers)
    return Measured(_scaled(field, numbers), None)


def _scaled(field: Field, numbers: Numbers) -> Numbers:
    return numbers if _is_plain(field) else numbers * field.scale + field.offset


def _number(octets: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Octets of each row as one number, the first the most significant: at most 7 of them."""
    number = np.zeros(len(octets), np.int64)
    for place in range(octets.shape[1]):
        number = number << 8 | octets[:, place]
    return number
