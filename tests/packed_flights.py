"""Flights made by chance from a seed, as other buses and other ground segments send them: one to four packets in a
frame, housekeeping behind them or not, one relay or two that hear each frame some milliseconds apart, and records in
other orders. Each with what must be said of it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.mission.model import Mission
from pipeline.records import SECOND, Record
from pipeline.shells.files.analyze import analyze
from pipeline.simulate.frames import Heading, data_field_octets, frame
from pipeline.simulate.packets import idle_packet, packet_data, space_packet
from tests.link import START, Frame, Receiver, mission

TAKEOFF_S: Final = 5.0
Said = tuple[float, dict[str, Any] | None]
"""(seconds of the on-board clock, values of a flight packet; None: a housekeeping packet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    seed: int
    mission: Mission
    records: Sequence[Record]
    last_good_at: int | None
    """Of an early end: receive time of the last frame that any relay heard. None: the flight is nominal."""
    what: str


def frame_of(count: int, said: Sequence[Said]) -> bytes:
    """One frame with a packet for each of those."""
    link, vehicle = mission().links[0], mission().vehicles[0]
    flight, housekeeping = vehicle.packets
    octets = b""
    for number, (clock, values) in enumerate(said):
        definition = housekeeping if values is None else flight
        data = packet_data(definition, {"boot_count": 41} | (values or {}), round((1000 + clock) * SECOND), b"")
        octets += space_packet(definition.apid, (count * 8 + number) % 16384, data, secondary_header=True)
    room = data_field_octets(link) - len(octets)
    heading = Heading(
        scid=vehicle.scid, vcid=0, virtual_channel_frame_count=count % 256, master_channel_frame_count=0,
        first_header_pointer=0,
    )  # fmt: skip
    return frame(link, heading, octets + (idle_packet(room) if room else b""))


def make(seed: int, *, ends_early: bool) -> Packed:
    chance = random.Random(f"packed/{seed}/{ends_early}")
    period, packets, relays = chance.choice((0.1, 0.2, 0.4)), chance.randint(1, 4), chance.randint(1, 2)
    top, climb, hover, rate = (chance.uniform(*span) for span in ((3, 20), (1, 3), (1, 15), (0.5, 2)))
    landing = TAKEOFF_S + top / climb + hover + top / rate
    until = landing + 15.0
    frames = [
        (
            number * period,
            frame_of(number, list(_said(number * period, period, packets, chance, (top, climb, hover, rate)))),
        )
        for number in range(round(until / period))
    ]
    (vehicle,), (link,) = mission().vehicles, mission().links
    links = [replace(link, name=f"rover-{name}") for name in "ab"[:relays]]
    of = replace(mission(), vehicles=(replace(vehicle, frame_period_s=period, flights=()),), links=tuple(links))
    lost = chance.uniform(0.0, 0.1)
    heard = [
        [(at + n * late, octets) for at, octets in frames if chance.random() >= lost]
        for n, late in enumerate([chance.uniform(0.001, 0.04)] * relays)
    ]
    last_good_at = None
    if ends_early:
        flying = sorted(at for of_relay in heard for at, _ in of_relay if TAKEOFF_S <= at < landing - period)
        cut = chance.choice(flying[4:])
        heard = [[one for one in of_relay if one[0] <= cut] for of_relay in heard]
        last_good_at = START + round(max(one[0] for of_relay in heard for one in of_relay) * SECOND)
    sessions = [_records(one.name, of_relay, int(until) + 45) for one, of_relay in zip(links, heard)]
    order = chance.choice(("by time", "one after the other", "nearby"))
    records = [one for session in sessions for one in session]
    if order != "one after the other":
        records.sort(key=lambda one: one.earth_receive_time)
    if order == "nearby":
        for place in range(0, len(records), 12):
            few = records[place : place + 12]
            chance.shuffle(few)
            records[place : place + 12] = few
    what = f"{packets} packets a frame of {period} s, {relays} relays, {order}"
    return Packed(seed=seed, mission=of, records=records, last_good_at=last_good_at, what=what)


def _said(
    at: float, period: float, packets: int, chance: random.Random, shape: tuple[float, float, float, float]
) -> Iterator[Said]:
    top, climb, hover, rate = shape
    for place in reversed(range(packets)):
        clock = at - place * period / packets
        since = clock - TAKEOFF_S
        values: dict[str, Any] = {"phase": "preflight", "landed": True, "altitude": 0.0}
        if 0 <= since < top / climb:
            values = {"phase": "climb", "landed": False, "altitude": since * climb, "climb_rate": climb}
        elif top / climb <= since < top / climb + hover:
            values = {"phase": "hover", "landed": False, "altitude": top, "climb_rate": 0.0}
        elif since >= 0:
            left = top - rate * (since - top / climb - hover)
            values = {"phase": "descent", "landed": False, "altitude": left, "climb_rate": -rate}
            if left <= 0:
                values = {"phase": "landed", "landed": True, "altitude": 0.0}
        yield clock, values
    if packets < 4 and chance.random() < 0.2:
        yield at, None


def _records(link: str, frames: Sequence[Frame], until: int) -> list[Record]:
    receiver, records = Receiver(link=link), list[Record]()
    for second in range(until):
        heard = [one for one in frames if second <= one[0] < second + 1]
        for place in range(0, len(heard), 4):
            records.append(receiver.frames(heard[place : place + 4]))
        records.append(receiver.listened(second, second + 1))
    return [*records, receiver.ended(until)]


def faults(flight: Packed) -> list[str]:
    """What was said wrongly in the end, a line each."""
    final = [one for one in analyze(flight.records, flight.mission).incidents if one.state != "retracted"]
    said = [one for one in final if one.type == "ended_before_landing"]
    found = [f"{one.type} raised" for one in final if one.type not in ("ended_before_landing", "link_degraded")]
    if flight.last_good_at is None:
        found += [f"false alert: {one.statement}" for one in said]
    elif not said:
        found.append("missed")
    else:
        period, timers = flight.mission.vehicles[0].frame_period_s or 0.0, flight.mission.timers
        due = flight.last_good_at + round(max(timers.loss_periods * period, timers.loss_seconds) * SECOND)
        raised = said[0].episodes[-1][0]
        if said[0].state != "open" or raised != due:
            found.append(f"{said[0].state}, raised {(raised - due) / SECOND:+.3f} s from when it is due")
    return [f"packed flight {flight.seed} ({flight.what}): {fault}" for fault in found]
