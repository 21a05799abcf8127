"""A short flight of Ingenuity, frame by frame: on the ground for 3 s, in the air from then on. A test says of each
moment what is different, and asks what is said of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from pipeline.mission.model import Mission
from pipeline.outputs import Revision
from pipeline.records import SECOND, Record
from pipeline.shells.files.analyze import Analysis, analyze
from pipeline.simulate.frames import ONLY_IDLE_DATA, Heading, data_field_octets, frame
from pipeline.simulate.packets import idle_packet, packet_data, space_packet
from tests.link import START, Frame, mission, pass_of

TAKEOFF = 3.0
NOISE = bytes(128)
"""What fails its check."""

Change = Callable[[float], dict[str, Any] | None]
"""Seconds → what that frame says that others do not ("idle": it says nothing, "clock": seconds that the on-board clock
shows, else a value of the packet); None: it is not heard."""


def flown(until: float, change: Change = lambda at: {}, *, since: float = 0.0, first_count: int = 0) -> list[Frame]:
    """A frame each tenth of a second, those not heard left out."""
    frames = []
    for number in range(round(since * 10), round(until * 10) + 1):
        at = number / 10
        said = change(at)
        if said is not None:
            frames.append((at, sent(at, first_count + number, said)))
    return frames


def sent(at: float, count: int, said: dict[str, Any], *, scid: int | None = None, vcid: int = 0) -> bytes:
    link, vehicle = mission().links[0], mission().vehicles[0]
    room = data_field_octets(link)
    idle = said.get("idle", False)
    heading = Heading(
        scid=vehicle.scid if scid is None else scid, vcid=vcid, virtual_channel_frame_count=count % 256,
        master_channel_frame_count=0, first_header_pointer=ONLY_IDLE_DATA if idle else 0,
    )  # fmt: skip
    if idle:
        return frame(link, heading, b"\x55" * room)
    flying = at >= TAKEOFF
    values = {"boot_count": 41, "phase": "hover" if flying else "preflight", "landed": not flying, "altitude": 5.0}
    clock = round(said.get("clock", 1000 + at) * SECOND)
    definition = vehicle.packets[0]
    packet = space_packet(
        definition.apid, count % 16384, packet_data(definition, values | said, clock, b""), secondary_header=True
    )
    return frame(link, heading, packet + idle_packet(room - len(packet)))


LANDED = {"phase": "landed", "landed": True, "altitude": 0.0}


def planned(duration_s: float) -> Mission:
    """The mission, with another planned duration of its flight 72."""
    of = mission()
    flights = tuple(replace(one, planned_duration_s=duration_s) for one in of.vehicles[0].flights)
    return replace(of, vehicles=(replace(of.vehicles[0], flights=flights),))


def judged(frames: Sequence[Frame], until: float | None = None, of: Mission | None = None) -> Analysis:
    """What is said of these frames, all of them received in one session that was listened to all along."""
    return told(pass_of(sorted(frames, key=lambda one: one[0]), until=until), of)


def told(records: Iterable[Record], of: Mission | None = None) -> Analysis:
    return analyze(records, mission() if of is None else of)


def only(analysis: Analysis, kind: str) -> Revision:
    """The one incident of its type in the final result."""
    (found,) = [one for one in analysis.incidents if one.type == kind and one.state != "retracted"]
    return found


def kinds(analysis: Analysis) -> list[str]:
    return sorted(one.type for one in analysis.incidents)


def episodes(incident: Revision) -> list[tuple[float, float | None]]:
    """(raised, ended) in seconds."""
    return [(seconds(raised), None if ended is None else seconds(ended)) for raised, ended in incident.episodes]


def seconds(at: int) -> float:
    return round((at - START) / SECOND, 3)
