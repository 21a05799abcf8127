"""Stage one: a receiver's record → what it says of each vehicle of the link. Pure: all it remembers is in LinkState,
and what comes out depends on the state and the record alone, however records were grouped.

Every frame has exactly one disposition: good, idle, duplicate, conflict, `bad:<reason>` or out_of_scope. A frame that
is not plausible has its disposition when a later record settles it, at the latest the one that ends the data.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress
from operator import lt
from typing import Any, Final

from pipeline.channels.expected import ExpectedLink, Role
from pipeline.channels.link_state import LinkState
from pipeline.channels.outcome import Accepted, ChannelName, Outcome, parts_of
from pipeline.channels.said import ChannelSamples, Said, readings_of, said
from pipeline.evidence.segments import fuse
from pipeline.frames.frame import split
from pipeline.mission.model import Mission
from pipeline.records import KINDS, SECOND, DataEnded, FramesReceived, Listened, Origin, Record, RecordingEnded
from pipeline.telemetry import ChannelFrames, OutOfScope, Samples, Telemetry

Logged = tuple[Origin, Record]
"""A record, and where it stands in its log."""

_HEARD: Final = ("good", "idle", "duplicate", "conflict")
"""Dispositions of frames of a vehicle of the mission that passed their check."""
_SETTLING: Final = (DataEnded, RecordingEnded)
RECEIVING_APART: Final = 3 * SECOND
"""Two good frames further apart show nothing about the time between them."""
_OCTETS_TOGETHER: Final = 768 << 10
"""With so many octets of frames there are enough to reckon in columns; with many more they are fetched from memory
again for each step."""


def decode(state: LinkState, record: Record, origin: Origin, mission: Mission) -> tuple[Telemetry, ...]:
    """One Telemetry for each vehicle of the record's link; none where the state has this record already.

    Raises RecordError, and changes nothing, where the mission has no such link.
    """
    (told,) = decode_together(state, [(origin, record)], mission)
    return told


def decode_together(state: LinkState, records: Sequence[Logged], mission: Mission) -> list[tuple[Telemetry, ...]]:
    """What `decode` gives for each of these records of one link, one after the other; of many it takes less time.

    Raises as `decode` does.
    """
    expected = state.expected(mission, records[0][1].link)
    state.restore_channels(expected)
    is_new = [state.is_new(origin) for origin, _ in records]
    told = chain.from_iterable(_told(state, expected, group) for group in _groups(compress(records, is_new)))
    return [next(told) if new else () for new in is_new]


def has_room(state: LinkState, record: Record, mission: Mission) -> bool:
    """Whether the state can remember the session of the record: `channels.sessions`."""

    def passes() -> bool:
        expected = state.expected(mission, record.link)
        if not isinstance(record, FramesReceived) or not len(record.relay_receive_times):
            return False
        octets = split(record.octets, record.frame_length, record.lengths)
        frames = expected.read(octets, expected.managed)
        return len(list(frames.bad())) < len(octets)

    return state.sessions.has_room(record, passes)


def _groups(records: Iterable[Logged]) -> Iterator[list[Logged]]:
    """Those that are best taken together: one that ends the data settles the frames before it and none after."""
    group: list[Logged] = []
    octets = 0
    for one in records:
        _, record = one
        group.append(one)
        if isinstance(record, FramesReceived):
            octets += len(record.octets)
        if octets >= _OCTETS_TOGETHER or isinstance(record, _SETTLING):
            yield group
            group, octets = [], 0
    if group:
        yield group


def _told(state: LinkState, expected: ExpectedLink, group: Sequence[Logged]) -> Iterator[tuple[Telemetry, ...]]:
    outcomes = [Outcome() for _ in group]
    _take_frames(state, expected, group, outcomes)
    if isinstance(group[-1][1], _SETTLING):
        for channel in state.channels.values():
            channel.settle(outcomes[-1])
    of_vehicles = [said(expected, vehicle, outcomes) for vehicle in range(len(expected.vehicles))]
    for (origin, record), outcome, *found in zip(group, outcomes, *of_vehicles, strict=True):
        yield _of_record(state, expected, origin, record, outcome, found)


def _take_frames(
    state: LinkState, expected: ExpectedLink, group: Sequence[Logged], outcomes: Sequence[Outcome]
) -> None:
    octets: list[bytes] = []
    times: list[int] = []
    ends: list[int] = []
    joined: list[bytes] = []
    for (_, record), outcome in zip(group, outcomes, strict=True):
        if isinstance(record, FramesReceived):
            octets += split(record.octets, record.frame_length, record.lengths)
            joined.append(record.octets)
            of_record = record.relay_receive_times.tolist()
            outcome.latest = max(of_record, default=None)
            times += of_record
        ends.append(len(octets))
    if not octets:
        return
    frames = expected.read(octets, expected.managed)
    frames.joined = b"".join(joined)
    for place, reason in frames.bad():
        outcome = outcomes[bisect_right(ends, place)]
        outcome.count(f"bad:{reason}", 1)
        outcome.bad_at.append(times[place])
    for key, of_channel in frames.by_channel().items():
        scid, vcid, _ = key
        role, parts = expected.role(scid, vcid), parts_of(of_channel, ends, outcomes)
        if role is not None:
            state.channel(ChannelName(*key), role).take(of_channel, frames, times, parts)
            continue
        for part in parts:
            part.outcome.count("out_of_scope", part.stop - part.start)
            part.outcome.out_of_scope[scid, vcid] += [times[place] for place in of_channel[part.start : part.stop]]


def _of_record(
    state: LinkState, expected: ExpectedLink, origin: Origin, record: Record, outcome: Outcome, of_vehicles: list[Said]
) -> tuple[Telemetry, ...]:
    """`of_vehicles`: what the record says of each vehicle of the link."""
    state.sessions.take(record, heard=any(outcome.dispositions[word] for word in _HEARD))
    relay_receive_time: int | None = None
    if isinstance(record, FramesReceived):
        relay_receive_time = outcome.latest
        state.receptions.received(record.relay_receive_times)
    elif isinstance(record, Listened):
        relay_receive_time = record.ends_at
    elif isinstance(record, DataEnded):
        relay_receive_time = record.relay_receive_time
    for at in outcome.bad_at:
        state.receptions.found_bad(at)
    state.dispositions += outcome.dispositions
    state.late += outcome.late
    of_link: dict[str, Any] = {
        "link": record.link, "session": record.session, "sequence": record.sequence, "kind": KINDS[type(record)],
        "origin": origin, "earth_receive_time": record.earth_receive_time, "relay_receive_time": relay_receive_time,
        "listened": record if isinstance(record, Listened) else None,
        "recording_whole": record.whole if isinstance(record, RecordingEnded) else True,
        "out_of_scope": tuple(
            OutOfScope(scid=scid, vcid=vcid, times=tuple(sorted(times)))
            for (scid, vcid), times in sorted(outcome.out_of_scope.items())
        ),
        "set_aside": tuple(sorted(set(outcome.set_aside))), "bins": state.receptions.take_touched(),
        "dispositions": dict(sorted(state.dispositions.items())) if outcome.dispositions else {},
        "late": state.late if outcome.late else 0,
        "receiving": tuple(_receiving(outcome)) if expected.link.format == "mavlink" else (),
    }  # fmt: skip
    return tuple([_of_vehicle(expected, place, of_link, outcome, found) for place, found in enumerate(of_vehicles)])


def _receiving(outcome: Outcome) -> Iterator[tuple[int, int]]:
    """Stretches of time in which good frames came, of whatever source."""
    times = [at for accepted in outcome.accepted.values() for at in accepted.times]
    times += [at for of_source in outcome.out_of_scope.values() for at in of_source]
    yield from fuse(((at, at) for at in times), RECEIVING_APART)


def _of_vehicle(
    expected: ExpectedLink, place: int, of_link: Mapping[str, Any], outcome: Outcome, found: Said
) -> Telemetry:
    channels: list[ChannelFrames] = []
    for name in sorted(outcome.accepted):
        role = expected.role(name.scid, name.vcid)
        if role is not None and role.vehicle == place:
            channels.extend(_channel_frames(name, role, outcome.accepted[name]))
    return Telemetry(
        **of_link, vehicle=expected.vehicles[place].name, channels=tuple(channels),
        samples=tuple(map(_samples, found)),
        readings=readings_of(expected, place, outcome) if outcome.messages else (),
        told_late=tuple(sorted(
            at for name, at in outcome.told_late
            if (role := expected.role(name.scid, name.vcid)) is not None and role.vehicle == place
        )),
    )  # fmt: skip


def _samples(found: ChannelSamples) -> Samples:
    times, counts, spacecraft_times, boot_counts, phases, states, landed, altitudes, climb_rates = found.columns
    return Samples(
        scid=found.scid, vcid=found.vcid, live=found.live, times=times, counts=counts,
        spacecraft_times=spacecraft_times, boot_counts=boot_counts, phases=phases, states=states, landed=landed,
        altitudes=altitudes, climb_rates=climb_rates,
    )  # fmt: skip


def _channel_frames(name: ChannelName, role: Role, accepted: Accepted) -> Iterator[ChannelFrames]:
    """Those that are live, and those with the replay flag."""
    for replayed in (False, True):
        if replayed in accepted.replayed:
            times, counts, telemetry = _in_sequence(accepted, replayed, name.modulus)
            yield ChannelFrames(
                scid=name.scid, vcid=name.vcid, live=role.live and not replayed, modulus=name.modulus, times=times,
                counts=counts, telemetry=telemetry,
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
