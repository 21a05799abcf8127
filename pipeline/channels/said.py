"""What the packets and messages of records say of a vehicle, as columns. Knows which reader a packet needs; does not
know how a packet came to be whole."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.channels.expected import ExpectedLink
from pipeline.channels.outcome import Outcome
from pipeline.packets.columns import TOGETHER, ColumnReader, merged
from pipeline.packets.lot import PacketLot
from pipeline.packets.mavlink import read, words_of
from pipeline.packets.space_packet import SpacePacket
from pipeline.packets.values import Sample
from pipeline.telemetry import Readings

Columns = tuple[tuple[Any, ...], ...]
"""Relay receive times, virtual channel frame counts, and the columns of `values.Sample`."""


class ChannelSamples(NamedTuple):
    """What one record says of a vehicle by one channel."""

    live: bool
    scid: int
    vcid: int
    columns: Columns


Said = list[ChannelSamples]
"""What one record says of a vehicle, live channels first."""

_NOTHING: Final[Columns] = ((),) * (2 + len(Sample._fields))
_OfRecord = tuple[int, SpacePacket | PacketLot]
"""The place of a record among those that are taken together, and packets that became whole in it."""


def said(expected: ExpectedLink, vehicle: int, outcomes: Sequence[Outcome]) -> list[Said]:
    """What each record says of a vehicle, in the order in which packets became whole. `vehicle`: its place."""
    if expected.link.format == "mavlink":
        return [[] for _ in outcomes]
    of_channels: dict[tuple[bool, int, int], list[_OfRecord]] = {}
    for number, outcome in enumerate(outcomes):
        for name in sorted(outcome.packets):
            role = expected.role(name.scid, name.vcid)
            if role is None or role.vehicle != vehicle:
                continue
            for one in outcome.packets[name]:
                for is_live, part in ((one.live, one),) if isinstance(one, SpacePacket) else one.by_live():
                    channel = not (role.live and is_live), name.scid, name.vcid
                    of_channels.setdefault(channel, []).append((number, part))
    found: list[Said] = [[] for _ in outcomes]
    for (is_recorded, scid, vcid), packets in sorted(of_channels.items()):
        for number, columns in _read(packets, expected.readers[vehicle]):
            if columns[0]:
                found[number].append(ChannelSamples(not is_recorded, scid, vcid, columns))
    return found


def _read(packets: Sequence[_OfRecord], readers: Mapping[int, ColumnReader]) -> Iterator[tuple[int, Columns]]:
    """What the packets of each record say; those that say nothing are left out."""
    sizes = [1 if isinstance(one, SpacePacket) else len(one.at) for _, one in packets]
    if sum(sizes) < TOGETHER:
        for number, some in groupby(packets, key=itemgetter(0)):
            yield number, _read_each([one for _, one in some], readers)
        return
    columns = _read_together(PacketLot.joined([one for _, one in packets]), readers)
    says = None
    if all(None in column for column in columns[2:]):
        says = [any(value is not None for value in row) for row in zip(*columns[2:], strict=True)]
    start = 0
    for number, of_record in groupby(zip(packets, sizes, strict=True), key=lambda one: one[0][0]):
        stop = start + sum(size for _, size in of_record)
        parts = [column[start:stop] for column in columns]
        if says is not None:
            parts = [list(compress(part, says[start:stop])) for part in parts]
        yield number, tuple(map(tuple, parts))
        start = stop


def _read_each(packets: Sequence[SpacePacket | PacketLot], readers: Mapping[int, ColumnReader]) -> Columns:
    alone = [one for some in packets for one in (some.packets() if isinstance(some, PacketLot) else (some,))]
    found = [
        (packet.at, packet.frame_count, *row) for packet in alone if (row := readers[packet.apid].sample(packet.octets))
    ]
    return tuple(zip(*found, strict=True)) if found else _NOTHING


def _read_together(lot: PacketLot, readers: Mapping[int, ColumnReader]) -> list[list[Any]]:
    apid = int(lot.apids[0])
    if not np.count_nonzero(lot.apids != apid):
        columns = readers[apid].read(lot)
    else:
        places = {apid: np.flatnonzero(lot.apids == apid) for apid in set(lot.apids.tolist())}
        columns = merged(*((which, readers[apid].read(lot.those(which))) for apid, which in places.items()))
    return [lot.at.tolist(), lot.frame_counts.tolist(), *columns]


def readings_of(expected: ExpectedLink, vehicle: int, outcome: Outcome) -> tuple[Readings, ...]:
    """What the MAVLink messages of a record say of a vehicle, by component and in order of arrival."""
    rows: dict[tuple[int, int], list[tuple[int, str, tuple[Any, ...]]]] = {}
    for _, name, _, at, message in sorted(outcome.messages, key=lambda row: row[0]):
        role = expected.role(name.scid, name.vcid)
        if role is not None and role.vehicle == vehicle and (reading := read(message)) is not None:
            rows.setdefault((name.scid, name.vcid), []).append((at, reading.message, words_of(reading)))
    return tuple([_readings(source, rows[source]) for source in sorted(rows)])


def _readings(source: tuple[int, int], rows: list[tuple[int, str, tuple[Any, ...]]]) -> Readings:
    times, messages, words = zip(*rows, strict=True)
    return Readings(system=source[0], component=source[1], times=times, messages=messages, words=words)
