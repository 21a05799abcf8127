"""What is measured: one vehicle in a long hover, heard without loss. TM frames of 1115 octets at 1 kHz, in each a whole
flight packet and another that fills the frame; records of 235 frames (256 KiB), unless told otherwise, and a listening
record each second. And a vehicle that falls silent in flight: five records, of which the last raises an alert."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from pipeline.mission.load import load_mission
from pipeline.mission.model import Mission
from pipeline.records import SECOND, DataEnded, FramesReceived, Listened, Record
from pipeline.shells.files.resources import mission_path, read_text
from pipeline.simulate.frames import Heading, frame
from pipeline.simulate.packets import packet_data, space_packet

FRAME_OCTETS: Final = 1115
FRAMES_A_SECOND: Final = 1_000
FRAMES_A_RECORD: Final = 235
_STARTS_AT: Final = 1_705_579_140 * SECOND
_FILLER_APID: Final = 102
_HEADER_AND_CHECK: Final = 8


def mission_text() -> str:
    text = read_text(mission_path("ingenuity"))
    return text.replace("frame_length = 128", f"frame_length = {FRAME_OCTETS}").replace(
        "frame_period_s = 0.1", f"frame_period_s = {1 / FRAMES_A_SECOND}"
    )


def mission() -> Mission:
    return load_mission(mission_text(), where="bench")


def _time(number: int) -> int:
    return _STARTS_AT + number * SECOND // FRAMES_A_SECOND


def _phase(number: int, frames: int) -> str:
    """Two seconds on the ground at either end."""
    seconds, all_seconds = number / FRAMES_A_SECOND, frames / FRAMES_A_SECOND
    if seconds < 2:
        return "preflight"
    return "takeoff" if seconds < 3 else "hover" if seconds < all_seconds - 2 else "landed"


def frames(count: int) -> Iterator[bytes]:
    """`count` frames one after the other, none of them missing."""
    described = mission()
    for number in range(count):
        yield _frame(described, number, _phase(number, count), _time(number))


def _frame(described: Mission, number: int, phase: str, at: int) -> bytes:
    link, vehicle = described.links[0], described.vehicles[0]
    flight = next(packet for packet in vehicle.packets if packet.name == "flight")
    flying = phase in ("takeoff", "hover")
    values = {"boot_count": 7, "phase": phase, "landed": not flying, "altitude": 12.0 if flying else 0.0}
    data = space_packet(flight.apid, number, packet_data(flight, values, at, bytes(40)), secondary_header=True)
    filler = FRAME_OCTETS - _HEADER_AND_CHECK - len(data) - 6
    data += space_packet(_FILLER_APID, number, bytes(filler), secondary_header=False)
    heading = Heading(
        scid=vehicle.scid, vcid=0, virtual_channel_frame_count=number % 256, master_channel_frame_count=number % 256,
        first_header_pointer=0,
    )  # fmt: skip
    return frame(link, heading, data)


def records(count: int, frames_a_record: int = FRAMES_A_RECORD) -> Iterator[Record]:
    """The same frames as their receiver hands them over."""
    sequence, listened = 0, _STARTS_AT
    batch: list[bytes] = []
    link = mission().links[0].name
    for number, octets in enumerate(frames(count)):
        batch.append(octets)
        last = number + 1 == count
        if len(batch) == frames_a_record or (number + 1) % FRAMES_A_SECOND == 0 or last:
            times = np.array([_time(one) for one in range(number + 1 - len(batch), number + 1)], np.int64)
            yield FramesReceived(
                link=link, session=_STARTS_AT, sequence=sequence, earth_receive_time=int(times[-1]),
                relay_receive_times=times, octets=b"".join(batch), frame_length=FRAME_OCTETS,
            )  # fmt: skip
            sequence, batch = sequence + 1, []
        if (number + 1) % FRAMES_A_SECOND == 0 or last:
            until = _time(number + 1)
            yield Listened(
                link=link, session=_STARTS_AT, sequence=sequence, earth_receive_time=until, starts_at=listened,
                ends_at=until, frames_heard=(until - listened) * FRAMES_A_SECOND // SECOND,
            )  # fmt: skip
            sequence, listened = sequence + 1, until
    yield DataEnded(
        link=link, session=_STARTS_AT, sequence=sequence, earth_receive_time=listened, relay_receive_time=listened
    )


def drop_out() -> Iterator[Record]:
    """Two seconds on the ground, two in flight, and nothing more."""
    described, until = mission(), _STARTS_AT
    common: Any = {"link": described.links[0].name, "session": _STARTS_AT}
    for place, phase in enumerate(("preflight", "hover")):
        times = until + np.arange(20, dtype=np.int64) * (SECOND // 10)
        until += 2 * SECOND
        octets = [_frame(described, 20 * place + number, phase, int(at)) for number, at in enumerate(times)]
        yield FramesReceived(
            **common, sequence=2 * place, earth_receive_time=until, relay_receive_times=times, octets=b"".join(octets),
            frame_length=FRAME_OCTETS,
        )  # fmt: skip
        yield Listened(
            **common, sequence=2 * place + 1, earth_receive_time=until, starts_at=until - 2 * SECOND, ends_at=until,
            frames_heard=20,
        )  # fmt: skip
    yield Listened(
        **common, sequence=4, earth_receive_time=until + 5 * SECOND, starts_at=until, ends_at=until + 5 * SECOND,
        frames_heard=0,
    )  # fmt: skip
