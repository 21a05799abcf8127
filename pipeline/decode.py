"""Stage one: a receiver's record → what it says of each vehicle of the link. Pure: all it remembers is in LinkState,
and what comes out depends on the state and the record alone, however records were grouped.

Every frame has exactly one disposition: good, idle, duplicate, conflict, `bad:<reason>` or out_of_scope. A frame that
is not plausible has its disposition when a later record settles it, at the latest the one that ends the data.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import compress
from operator import lt
from typing import Any, Final

import numpy as np

from pipeline.channels.channel import Accepted, Channel, ChannelName, Outcome
from pipeline.channels.expected import ExpectedLink, Role
from pipeline.channels.receptions import Receptions
from pipeline.channels.sessions import Sessions
from pipeline.frames.frame import split
from pipeline.frames.mavlink import may_be_vehicle
from pipeline.mission.model import Mission
from pipeline.packets.columns import TOGETHER, ColumnReader, merged
from pipeline.packets.lot import PacketLot
from pipeline.packets.mavlink import OnBoard, learn
from pipeline.packets.space_packet import SpacePacket
from pipeline.packets.values import Sample, sample
from pipeline.records import KINDS, DataEnded, FramesReceived, Listened, Origin, Record, RecordingEnded
from pipeline.telemetry import ChannelFrames, OutOfScope, Samples, Telemetry


class LinkState:
    """What is remembered of one link of one run."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], int] = {}
        """(topic, partition) of the frames records → the last offset that is in this state."""
        self.dispositions: Counter[str] = Counter()
        self.late = 0
        self.channels: dict[ChannelName, Channel] = {}
        self.receptions = Receptions()
        self.sessions = Sessions()
        self.first_heard: int | None = None
        """MAVLink, where a vehicle of any system id is expected: the system of the first vehicle heard."""
        self.on_board: dict[int, OnBoard] = {}
        """MAVLink: system → what was last heard of it."""
        self._expected: ExpectedLink | None = None
        self._unrestored: dict[ChannelName, tuple[list[Any], dict[tuple[str, ...], Any]]] = {}
        self._changed = False

    def expected(self, mission: Mission, link: str) -> ExpectedLink:
        if self._expected is None or self._expected.mission is not mission or self._expected.link.name != link:
            self._expected = ExpectedLink(mission, link)
        return self._expected

    def channel(self, name: ChannelName, role: Role) -> Channel:
        channel = self.channels.get(name)
        if channel is None:
            expected = self._expected
            readers = expected.readers[role.vehicle] if expected is not None else {}
            carries_packets = role.carries_telemetry and expected is not None and expected.link.format != "mavlink"
            channel = Channel(name, role.period, frozenset(readers), packets=carries_packets)
            stored = self._unrestored.pop(name, None)
            if stored is not None:
                channel.restore(*stored)
            self.channels[name] = channel
        return channel

    def restore_channels(self, expected: ExpectedLink) -> None:
        """Channels are made for a mission, so what was stored of them waits for the first record."""
        for name in list(self._unrestored):
            role = expected.role(name.scid, name.vcid, self.first_heard)
            if role is not None:
                self.channel(name, role)

    def take_changes(self) -> dict[str, Any]:
        """Chunks that changed since the last call, by name; None for one that is gone. "" is the head, there whenever
        anything changed."""
        if not self._changed:
            return {}
        self._changed = False
        chunks: dict[str, Any] = {"": self._head()}
        chunks.update(self.receptions.chunks.take_changes())
        chunks.update(self.sessions.chunks.take_changes())
        for channel in self.channels.values():
            chunks.update(channel.take_changes())
        return chunks

    def _head(self) -> dict[str, Any]:
        return {
            "seen": [[topic, partition, offset] for (topic, partition), offset in self.seen.items()],
            "dispositions": dict(self.dispositions),
            "late": self.late,
            "first_heard": self.first_heard,
            "on_board": {str(system): known.to_json() for system, known in self.on_board.items()},
            "channels": [channel.head() for channel in self.channels.values()]
            + [head for head, _ in self._unrestored.values()],
        }

    @classmethod
    def restore(cls, chunks: Mapping[str, Any]) -> "LinkState":
        """The state in all chunks ever taken, the last of each name."""
        state = cls()
        if not chunks:
            return state
        head = chunks[""]
        state.seen = {(topic, partition): offset for topic, partition, offset in head["seen"]}
        state.dispositions = Counter(head["dispositions"])
        state.late = head["late"]
        state.first_heard = head["first_heard"]
        state.on_board = {int(system): OnBoard.from_json(known) for system, known in head["on_board"].items()}
        bins: dict[tuple[int, int], str] = {}
        sessions: dict[tuple[int, int], str] = {}
        for row in head["channels"]:
            state._unrestored[ChannelName(*row[:3])] = (row, {})
        by_text = {str(name): stored for name, (_, stored) in state._unrestored.items()}
        for name, value in chunks.items():
            kind, *rest = name.split("/")
            if value is None or not kind:
                continue
            if kind == "bins":
                bins[int(rest[0]), int(rest[1])] = value
            elif kind == "sessions":
                sessions[int(rest[0]), int(rest[1])] = value
            else:
                by_text[rest[0]][kind, *rest[1:]] = value
        state.receptions.chunks.restore(bins)
        state.sessions.chunks.restore(sessions)
        return state

    def mark_changed(self) -> None:
        self._changed = True


def decode(state: LinkState, record: Record, origin: Origin, mission: Mission) -> tuple[Telemetry, ...]:
    """One Telemetry for each vehicle of the record's link; none where the state has this record already.

    Raises RecordError, and changes nothing, where the mission has no such link.
    """
    expected = state.expected(mission, record.link)
    log = (origin.topic, origin.partition)
    if state.seen.get(log, -1) >= origin.offset:
        return ()
    state.restore_channels(expected)
    state.seen[log] = origin.offset
    state.sessions.take(record)
    state.mark_changed()
    outcome = Outcome()
    out_of_scope: dict[tuple[int, int], list[int]] = {}
    relay_receive_time: int | None = None
    if isinstance(record, FramesReceived):
        times = record.relay_receive_times.tolist()
        relay_receive_time = max(times, default=None)
        _take_frames(state, expected, record, times, outcome, out_of_scope)
    elif isinstance(record, Listened):
        relay_receive_time = record.ends_at
    elif isinstance(record, DataEnded | RecordingEnded):
        relay_receive_time = record.relay_receive_time if isinstance(record, DataEnded) else None
        for channel in state.channels.values():
            channel.settle(outcome)
    for at in outcome.bad_at:
        state.receptions.found_bad(at)
    state.dispositions += outcome.dispositions
    state.late += outcome.late
    common: dict[str, Any] = {
        "link": record.link, "session": record.session, "sequence": record.sequence, "kind": KINDS[type(record)],
        "origin": origin, "earth_receive_time": record.earth_receive_time, "relay_receive_time": relay_receive_time,
        "listened": record if isinstance(record, Listened) else None,
        "recording_whole": record.whole if isinstance(record, RecordingEnded) else True,
        "out_of_scope": tuple(
            OutOfScope(scid=scid, vcid=vcid, times=tuple(sorted(times)))
            for (scid, vcid), times in sorted(out_of_scope.items())
        ),
        "bins": state.receptions.take_touched(),
        "dispositions": dict(sorted(state.dispositions.items())) if outcome.dispositions else {},
        "late": state.late if outcome.late else 0,
    }  # fmt: skip
    return tuple(_of_vehicle(state, expected, place, common, outcome) for place in range(len(expected.vehicles)))


def _take_frames(
    state: LinkState, expected: ExpectedLink, record: FramesReceived, times: list[int], outcome: Outcome,
    out_of_scope: dict[tuple[int, int], list[int]],
) -> None:  # fmt: skip
    frames = expected.read(split(record.octets, record.frame_length, record.lengths), expected.managed)
    if record.lengths is None:
        frames.joined = record.octets
    state.receptions.received(record.relay_receive_times)
    for place, reason in frames.bad():
        outcome.dispositions[f"bad:{reason}"] += 1
        outcome.bad_at.append(times[place])
    for key, of_channel in frames.by_channel().items():
        scid, vcid, _ = key
        if state.first_heard is None and expected.expects_any_system and may_be_vehicle(scid):
            state.first_heard = scid
        role = expected.role(scid, vcid, state.first_heard)
        if role is None:
            outcome.dispositions["out_of_scope"] += len(of_channel)
            out_of_scope.setdefault((scid, vcid), []).extend(times[place] for place in of_channel)
        else:
            state.channel(ChannelName(*key), role).take(of_channel, frames, times, outcome)


def _of_vehicle(
    state: LinkState, expected: ExpectedLink, place: int, common: Mapping[str, Any], outcome: Outcome
) -> Telemetry:
    channels: list[ChannelFrames] = []
    for name in sorted(outcome.accepted):
        role = expected.role(name.scid, name.vcid, state.first_heard)
        if role is not None and role.vehicle == place:
            channels.extend(_channel_frames(name, role, outcome.accepted[name], expected.link.format == "mavlink"))
    told = _told_by_messages if expected.link.format == "mavlink" else _told_by_packets
    samples = tuple(_samples(live, columns) for live, columns in told(state, expected, place, outcome) if columns[0])
    return Telemetry(
        **common, vehicle=expected.vehicles[place].name, channels=tuple(channels), samples=samples,
        set_aside=tuple(sorted(set(outcome.set_aside))),
        told_late=tuple(sorted(
            at for name, at in outcome.told_late
            if (role := expected.role(name.scid, name.vcid, state.first_heard)) is not None and role.vehicle == place
        )),
    )  # fmt: skip


def _channel_frames(name: ChannelName, role: Role, accepted: Accepted, is_mavlink: bool) -> Iterator[ChannelFrames]:
    """Those that are live, and those with the replay flag."""
    for replayed in (False, True):
        if replayed in accepted.replayed:
            times, counts, telemetry = _in_sequence(accepted, replayed, name.modulus)
            yield ChannelFrames(
                scid=name.scid, vcid=name.vcid, live=role.live and not replayed, modulus=name.modulus, times=times,
                counts=counts, telemetry=(True,) * len(times) if is_mavlink else telemetry,
            )  # fmt: skip


def _in_sequence(
    accepted: Accepted, replayed: bool, modulus: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[bool, ...]]:
    """Times, counts and whether they carry telemetry: by time, and frames of one time by count, from the one before
    which most counts are missing, since a count that went round among them is less than those before it."""
    times = accepted.times
    if (not replayed) not in accepted.replayed and all(map(lt, times, times[1:])):
        return tuple(times), tuple(accepted.counts), tuple(accepted.telemetry)
    columns = zip(times, accepted.counts, accepted.telemetry, accepted.replayed, strict=True)
    rows = sorted(row[:3] for row in columns if row[3] is replayed)
    start = 0
    for end in range(1, len(rows) + 1):
        if end < len(rows) and rows[end][0] == rows[start][0]:
            continue
        if rows[end - 1][1] - rows[start][1] > modulus // 2:
            first = max(range(start, end), key=lambda at: rows[at][1] - rows[max(start, at - 1)][1])
            rows[start:end] = rows[first:end] + rows[start:first]
        start = end
    found = tuple(zip(*rows, strict=True))
    return found[0], found[1], found[2]


Columns = tuple[tuple[Any, ...], ...]
"""Relay receive times, and the columns of `values.Sample`."""
_NOTHING_SAID: Final[Columns] = ((),) * (1 + len(Sample._fields))


def _samples(live: bool, columns: Columns) -> Samples:
    times, spacecraft_times, boot_counts, phases, states, landed, altitudes, climb_rates = columns
    return Samples(
        live=live, times=times, spacecraft_times=spacecraft_times, boot_counts=boot_counts, phases=phases,
        states=states, landed=landed, altitudes=altitudes, climb_rates=climb_rates,
    )  # fmt: skip


def _told_by_packets(
    state: LinkState, expected: ExpectedLink, place: int, outcome: Outcome
) -> Iterator[tuple[bool, Columns]]:
    """(live or recorded, what was said), live first."""
    packets: dict[bool, list[SpacePacket | PacketLot]] = {}
    for name, found in outcome.packets.items():
        role = expected.role(name.scid, name.vcid)
        if role is None or role.vehicle != place:
            continue
        if not role.live:
            packets.setdefault(False, []).extend(found)
            continue
        for one in found:
            for live, part in one.by_live() if isinstance(one, PacketLot) else ((one.live, one),):
                packets.setdefault(live, []).append(part)
    for live in sorted(packets, reverse=True):
        yield live, _said(packets[live], expected.readers[place])


def _said(packets: list[SpacePacket | PacketLot], readers: Mapping[int, ColumnReader]) -> Columns:
    """In the order of the packets; those that say nothing are left out."""
    if sum(len(one.at) if isinstance(one, PacketLot) else 1 for one in packets) >= TOGETHER:
        return _said_together(PacketLot.joined(packets), readers)
    alone = [one for some in packets for one in (some.packets() if isinstance(some, PacketLot) else (some,))]
    said = [(packet.at, *found) for packet in alone if (found := readers[packet.apid].sample(packet.octets))]
    return tuple(zip(*said, strict=True)) if said else _NOTHING_SAID


def _said_together(lot: PacketLot, readers: Mapping[int, ColumnReader]) -> Columns:
    apid = int(lot.apids[0])
    if not np.count_nonzero(lot.apids != apid):
        columns = readers[apid].read(lot)
    else:
        places = {apid: np.flatnonzero(lot.apids == apid) for apid in set(lot.apids.tolist())}
        columns = merged(*((which, readers[apid].read(lot.those(which))) for apid, which in places.items()))
    found = [lot.at.tolist(), *columns]
    if all(None in column for column in columns):
        says = [any(value is not None for value in row) for row in zip(*columns, strict=True)]
        found = [list(compress(column, says)) for column in found]
    return tuple(map(tuple, found))


def _told_by_messages(
    state: LinkState, expected: ExpectedLink, place: int, outcome: Outcome
) -> Iterator[tuple[bool, Columns]]:
    rows: dict[bool, list[tuple[Any, ...]]] = {}
    meanings = expected.vehicles[place].meanings
    # In order of arrival over all components: what one says is read together with what another said last.
    for _, name, at, message in sorted(outcome.messages, key=lambda row: row[0]):
        role = expected.role(name.scid, name.vcid, state.first_heard)
        if role is None or role.vehicle != place:
            continue
        known, values = learn(state.on_board.get(message.system, OnBoard()), message, at)
        state.on_board[message.system] = known
        said = None if values is None else sample(meanings, values)
        if said is not None:
            rows.setdefault(role.live, []).append((at, *said))
    for live in sorted(rows, reverse=True):
        yield live, tuple(zip(*rows[live], strict=True))
