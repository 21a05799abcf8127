"""Many packets of one definition at once: what `PacketReader.sample` says of each, column by column. Knows numpy;
knows no frame and no link.

Reading one packet takes microseconds in any case; of hundreds, a column costs about what one packet does. Definitions
that do not lend themselves to it (numbers of more than 32 bits, floats between octets) are read packet by packet."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.mission.model import SECOND, Comparison, Condition, Field, FlightState, Meanings, Packet
from pipeline.packets.lot import Numbers, Octets, PacketLot
from pipeline.packets.space_packet import PRIMARY_HEADER_OCTETS
from pipeline.packets.values import (
    OPERATORS,
    PacketReader,
    Sample,
    Value,
    Values,
    holds,
    landed_of,
    parameters_named,
    parameters_of,
    phase_of,
    state_of,
)

TOGETHER: Final = 24
"""From so many packets on it is worth while."""
_WIDEST: Final = 32
_WIDEST_TIME: Final = 4

T = TypeVar("T")


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

    parameter: str
    codes: list[int]
    values: dict[int, Value | None]
    """Code → what it stands for."""

    def listed(self, meaning: Callable[[Values], T]) -> list[T]:
        """What each row means, where this is the only parameter that decides."""
        meant = {code: meaning({} if value is None else {self.parameter: value}) for code, value in self.values.items()}
        return [meant[code] for code in self.codes] if len(meant) > 1 else [*meant.values()] * len(self.codes)


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

    __slots__ = (
        "_cuc_stop", "_fields", "_landed_by", "_meanings", "_one", "_packet", "_phase_by", "_readable", "_state_by",
        "_stop",
    )  # fmt: skip

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
        self._phase_by = frozenset(field.name for field in phases)
        self._state_by = parameters_of(meanings.in_flight) | parameters_of(meanings.on_ground)
        self._landed_by = parameters_of(meanings.landed)
        self._cuc_stop = _cuc_stop(packet) if meanings.spacecraft_time == "packet" else 0
        self._stop = max(self._cuc_stop, *map(_stop, self._fields)) if self._fields else self._cuc_stop

    @property
    def says_anything(self) -> bool:
        return self._one.says_anything

    def sample(self, octets: bytes) -> Sample | None:
        """Of one packet."""
        return self._one.sample(octets)

    def read(self, lot: PacketLot) -> SampleColumns:
        """Of whole packets of this definition."""
        is_short = lot.stops - lot.starts < self._stop
        shorts = np.count_nonzero(is_short)
        if not self._readable or shorts == len(is_short):
            return self._read_each(lot)
        if shorts:
            long, short = (~is_short).nonzero()[0], is_short.nonzero()[0]
            return merged((long, self.read(lot.those(long))), (short, self._read_each(lot.those(short))))
        meanings, heads = self._meanings, _gathered(lot, self._stop)
        # As Python does: what is no number, or too large, is no fault.
        with np.errstate(all="ignore"):
            columns = {field.name: _column(field, heads) for field in self._fields}
        nothing: list[Any] = [None] * len(heads)

        def numbers(name: str | None) -> list[Any]:
            column = columns.get(name or "")
            return column.listed() if isinstance(column, Measured) else nothing

        def decided(by: frozenset[str], meaning: Callable[[Values], T]) -> list[T] | None:
            """Where a single coded parameter decides, which is nearly always so."""
            column = columns.get(min(by)) if len(by) == 1 else None
            return column.listed(meaning) if isinstance(column, Coded) else None

        return SampleColumns(
            spacecraft_times=self._times(heads, lot),
            boot_counts=numbers(meanings.boot_count),
            phases=decided(self._phase_by, partial(phase_of, meanings)) or nothing,
            states=decided(self._state_by, partial(state_of, meanings)) or _states(meanings, columns, nothing),
            landed=decided(self._landed_by, partial(landed_of, meanings))
            or [*_held(meanings.landed, columns, nothing)],
            altitudes=numbers(meanings.altitude),
            climb_rates=numbers(meanings.climb_rate),
        )

    def _read_each(self, lot: PacketLot) -> SampleColumns:
        nothing = (None,) * len(SampleColumns._fields)
        rows = [self._one.sample(packet.octets) or nothing for packet in lot.packets()]
        return SampleColumns(*map(list, zip(*rows, strict=True)))

    def _times(self, heads: Octets, lot: PacketLot) -> list[int | None]:
        """Of the packets' secondary headers."""
        packet = self._packet
        if self._meanings.spacecraft_time != "packet" or packet.time_code == "none":
            return [None] * len(heads)
        if not self._cuc_stop:
            return [self._one.time(one.octets) for one in lot.packets()]
        middle, bits = PRIMARY_HEADER_OCTETS + packet.time_code_basic_octets, 8 * packet.time_code_fractional_octets
        fraction = _number(heads, middle, self._cuc_stop) * SECOND + (1 << bits >> 1)
        seconds = _number(heads, PRIMARY_HEADER_OCTETS, middle)
        times: list[int | None] = (seconds * SECOND + (fraction >> bits)).tolist()
        return times


def _cuc_stop(packet: Packet) -> int:
    """Where the packet's CUC time code ends; 0 where it has none, or one with too wide a part."""
    parts = packet.time_code_basic_octets, packet.time_code_fractional_octets
    return PRIMARY_HEADER_OCTETS + sum(parts) if packet.time_code == "cuc" and max(parts) <= _WIDEST_TIME else 0


def merged(*parts: tuple[Numbers, SampleColumns]) -> SampleColumns:
    """Rows of several, each with the places where they belong."""
    rows = np.full((len(SampleColumns._fields), sum(len(places) for places, _ in parts)), None)
    for places, columns in parts:
        for row, column in zip(rows, columns, strict=True):
            row[places] = np.array(column, object)
    return SampleColumns(*rows.tolist())


def _states(meanings: Meanings, columns: Mapping[str, Column], nothing: list[None]) -> list[FlightState | None]:
    """`values.state_of` of each row."""
    held = [_held(condition, columns, nothing) for condition in (meanings.in_flight, meanings.on_ground)]
    return ["flight" if flying else "ground" if standing else None for flying, standing in zip(*held, strict=True)]


def _gathered(lot: PacketLot, octets: int) -> Octets:
    """The first octets of each packet, which all have as many."""
    rows = np.ndarray(len(lot.octets) - octets + 1, f"V{octets}", lot.octets, strides=(1,))
    return rows[lot.starts].view(np.uint8).reshape(-1, octets)


def _held(
    condition: Condition | Comparison | None, columns: Mapping[str, Column], nothing: list[None]
) -> Sequence[bool | None]:
    """`values.holds` of each row. `nothing`: where no row says."""
    names = parameters_of(condition)
    if condition is None or names.isdisjoint(columns):
        return nothing
    if len(names) == 1 and isinstance(column := columns[min(names)], Coded):
        return column.listed(partial(holds, condition))
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


def _column(field: Field, heads: Octets) -> Column:
    first, stop = PRIMARY_HEADER_OCTETS + field.bit // 8, _stop(field)
    if field.type == "float":
        numbers: npt.NDArray[Any] = _words(heads, first, f">f{stop - first}").astype(np.float64)
        known = np.isfinite(numbers)
        return Measured(_scaled(field, numbers), None if known.all() else known)
    shift = 8 * (stop - PRIMARY_HEADER_OCTETS) - field.bit - field.bits
    numbers = _number(heads, first, stop)
    if shift or field.bits < 8 * (stop - first):
        numbers = numbers >> shift & (1 << field.bits) - 1
    if field.type in ("enum", "bool"):
        codes: list[int] = numbers.tolist()
        return Coded(
            field.name,
            codes,
            {code: field.labels.get(code) if field.type == "enum" else code != 0 for code in set(codes)},
        )
    if field.type == "int":
        # Two's complement: flip the sign bit, and take off what it then stands for.
        sign = 1 << field.bits - 1
        numbers = (numbers ^ sign) - sign
    return Measured(_scaled(field, numbers), None)


def _scaled(field: Field, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return numbers if _is_plain(field) else numbers * field.scale + field.offset


def _number(heads: Octets, first: int, stop: int) -> Numbers:
    """Octets `first` to `stop` of each row as one number, the first the most significant: at most 5 of them. Read as a
    word that ends there; what stands before them in it is cut off."""
    if first == stop:
        return np.zeros(len(heads), np.int64)
    width = next(width for width in (1, 2, 4, 8) if width >= stop - first)
    numbers = _words(heads, stop - width, f">u{width}").astype(np.int64)
    return numbers if width == stop - first else numbers & (1 << 8 * (stop - first)) - 1


def _words(heads: Octets, first: int, form: str) -> npt.NDArray[Any]:
    return np.ndarray(len(heads), form, heads, offset=first, strides=heads.strides[:1])
