"""Small builders of what one link hands over: frames of chosen counts at chosen times, records of them, and decoding
with or without a rest between two records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import orjson

from pipeline.flow import LinkState, decode
from pipeline.mission.model import FrameFormat, Mission
from pipeline.records import SECOND, DataEnded, FramesReceived, Listened, Origin, Record
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.resources import read_mission
from pipeline.simulate.frames import ONLY_IDLE_DATA, Heading, data_field_octets, frame
from pipeline.simulate.packets import idle_packet, packet_data, space_packet
from pipeline.telemetry import Telemetry

START = 1_705_579_200 * SECOND
"""2024-01-18T12:00:00Z."""
PERIOD = SECOND // 10

Frame = tuple[float, bytes]
"""(seconds after START, octets)"""


@cache
def mission(frame_format: FrameFormat = "tm", scid: int = 168) -> Mission:
    """Ingenuity's, with its link in that format."""
    shipped = read_mission("ingenuity")
    (link,), (vehicle,) = shipped.links, shipped.vehicles
    return replace(shipped, links=(replace(link, format=frame_format),), vehicles=(replace(vehicle, scid=scid),))


@dataclass
class Sender:
    """Makes frames; each carries one whole flight packet that is like no other."""

    mission: Mission = field(default_factory=mission)
    vcid: int = 0
    scid: int | None = None
    cycle: int = -1
    made: int = 0

    def frame(self, count: int, *, idle: bool = False, altitude: float | None = None, master: int = 0) -> bytes:
        (link,), (vehicle,) = self.mission.links, self.mission.vehicles
        self.made += 1
        room = data_field_octets(link)
        heading = Heading(
            scid=vehicle.scid if self.scid is None else self.scid, vcid=self.vcid, virtual_channel_frame_count=count,
            master_channel_frame_count=master, first_header_pointer=ONLY_IDLE_DATA if idle else 0, cycle=self.cycle,
        )  # fmt: skip
        if idle:
            return frame(link, heading, b"\x55" * room)
        definition = vehicle.packets[0]
        values: dict[str, Any] = {"phase": "hover", "altitude": self.made / 1000 if altitude is None else altitude}
        packet = space_packet(
            definition.apid,
            self.made,
            packet_data(definition, values, self.made * PERIOD, b""),
            secondary_header=True,
        )
        return frame(link, heading, packet + idle_packet(room - len(packet)))

    def frames(self, counts: Iterable[int], at: float = 0.0, period: float = 0.1) -> list[Frame]:
        """One frame a count, a period apart."""
        return [(at + period * place, self.frame(count)) for place, count in enumerate(counts)]


@dataclass
class Receiver:
    """Makes records of one session."""

    link: str = "rover-a"
    session: int = START
    sequence: int = 0

    def _common(self, earth: int) -> dict[str, Any]:
        self.sequence += 1
        return {
            "link": self.link, "session": self.session, "sequence": self.sequence - 1, "earth_receive_time": earth,
        }  # fmt: skip

    def frames(self, frames: Sequence[Frame]) -> FramesReceived:
        times = np.array([START + round(at * SECOND) for at, _ in frames], dtype=np.int64)
        return FramesReceived(
            **self._common(int(times.max())), relay_receive_times=times,
            octets=b"".join(octets for _, octets in frames), frame_length=len(frames[0][1]),
        )  # fmt: skip

    def listened(self, starts_at: float, ends_at: float) -> Listened:
        first, last = (START + round(at * SECOND) for at in (starts_at, ends_at))
        return Listened(**self._common(last), starts_at=first, ends_at=last)

    def ended(self, at: float) -> DataEnded:
        relay = START + round(at * SECOND)
        return DataEnded(**self._common(relay), relay_receive_time=relay)


def stored(state: LinkState, chunks: dict[str, Any]) -> None:
    """Take the state's changes into what is stored, as a shell does; every entry as JSON under 64 KiB."""
    for name, value in state.take_changes().items():
        octets = orjson.dumps(value)
        assert len(octets) < 64 * 1024, f"{name} has {len(octets)} octets"
        if value is None:
            chunks.pop(name, None)
        else:
            chunks[name] = orjson.loads(octets)


def decoded(
    records: Iterable[Record], of: Mission, *, rests: frozenset[int] = frozenset(), state: LinkState | None = None
) -> tuple[LinkState, list[Telemetry]]:
    """What `decode` makes of them, one after the other. Before each record whose place is in `rests` the state is
    stored and another one is made from what was stored."""
    state = LinkState() if state is None else state
    chunks: dict[str, Any] = {}
    said: list[Telemetry] = []
    for place, record in enumerate(records):
        if place in rests:
            stored(state, chunks)
            state = LinkState.restore(chunks)
        said.extend(decode(state, record, Origin("relay.frames", 0, place), of))
    return state, said


def rows(said: Iterable[Telemetry]) -> list[tuple[int, int, int, int, int]]:
    """(scid, vcid, modulus, time, count) of every accepted frame, sorted."""
    return sorted(
        (channel.scid, channel.vcid, channel.modulus, at, count)
        for telemetry in said
        for channel in telemetry.channels
        for at, count in zip(channel.times, channel.counts)
    )


def account(records: Iterable[Record], of: Mission, vcid: int = 0) -> dict[str, Any]:
    """received, gaps, missing, … of one channel of one session, as the ledger has them at the end of the data."""
    analysis = analyze(records, of)
    facts = next(flight.facts for flight in analysis.flights.values() if not flight.name)
    channel: dict[str, Any] = facts["channels"][f"rover-a/{of.vehicles[0].scid}/{vcid}"]
    return channel


def pass_of(frames: Sequence[Frame], *, until: float | None = None) -> list[Record]:
    """One session in which these frames were heard, a record a second, listened to all along."""
    receiver = Receiver()
    last = max(at for at, _ in frames) if until is None else until
    records: list[Record] = []
    for second in range(int(last) + 1):
        heard = [one for one in frames if second <= one[0] < second + 1]
        if heard:
            records.append(receiver.frames(heard))
        records.append(receiver.listened(second, second + 1))
    return [*records, receiver.ended(int(last) + 1)]
