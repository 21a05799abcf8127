"""What a receiver hands over that no vehicle sent, or not so: bursts of bad frames, and sources nobody expects."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.mission.model import Link
from pipeline.records import SECOND
from pipeline.simulate.frames import Heading, data_field_octets, frame, modulus, passes, seal
from pipeline.simulate.packets import idle_packet, packet_data, space_packet
from pipeline.simulate.radio import Channel
from pipeline.simulate.scenario import Burst, Ghost, Scenario, nanoseconds
from pipeline.simulate.vehicle import FLIGHT_PACKET_OCTETS, Sent


@dataclass(frozen=True, slots=True)
class Reception:
    """One frame as the receiver has it."""

    at: int
    octets: bytes


def receptions(scenario: Scenario, link: Link, sent: Sequence[Sent], channel: Channel) -> list[Reception]:
    """Everything one receiver would take for a frame, by ascending relay receive time."""
    chance = random.Random(f"{scenario.seed}/{link.name}/noise")
    bursts = [one for one in scenario.bursts if one.link in ("", link.name)]
    heard: list[Reception] = []
    spoilt = [0] * len(bursts)
    for one in sent:
        if channel.loses(one):
            continue
        number = next((n for n, burst in enumerate(bursts) if _is_spoilt(scenario, burst, one)), None)
        if number is None:
            heard.append(Reception(one.at, one.octets))
        elif spoilt[number] < bursts[number].flipped:
            spoilt[number] += 1
            heard.append(Reception(one.at, flip(chance, link, one.octets)))
    for burst, already in zip(bursts, spoilt, strict=True):
        heard += _burst(scenario, link, burst, sent, already, chance)
    for ghost in scenario.ghosts:
        if ghost.link in ("", link.name):
            heard += _ghosts(scenario, link, ghost, chance)
    return sorted(heard, key=lambda one: one.at)


def flip(chance: random.Random, link: Link, octets: bytes) -> bytes:
    """The frame with some bits wrong, so that it fails its check."""
    while True:
        spoilt = bytearray(octets)
        for _ in range(chance.randint(1, 24)):
            spoilt[int(chance.random() * len(spoilt))] ^= 1 << int(chance.random() * 8)
        if not passes(link, bytes(spoilt)):
            return bytes(spoilt)


def _is_spoilt(scenario: Scenario, burst: Burst, sent: Sent) -> bool:
    since = sent.at - scenario.at(burst.from_s)
    if not 0 <= since < nanoseconds(burst.until_s - burst.from_s):
        return False
    return burst.good_every_s == 0 or since % nanoseconds(burst.good_every_s) != 0


def _burst(
    scenario: Scenario, link: Link, burst: Burst, sent: Sequence[Sent], already: int, chance: random.Random
) -> list[Reception]:
    starts_at = scenario.at(burst.from_s)
    span = burst.until_s - burst.from_s
    moments = [one.at for one in sent]

    def moment() -> int:
        return starts_at + int(chance.random() * span * 1000) * SECOND // 1000

    found = []
    for _ in range(burst.flipped - already):
        at = moment()
        last = bisect_right(moments, at) - 1
        found.append(Reception(at, flip(chance, link, sent[max(last, 0)].octets)))
    for number in range(burst.random):
        at = moment()
        octets = chance.randbytes(link.frame_length)
        if number == 0 and burst.lucky == "random":
            octets = seal(link, octets)
        elif number == 0 and burst.lucky == "landing":
            octets = _lucky(scenario, link, sent[max(bisect_right(moments, at) - 1, 0)], chance)
        else:
            octets = flip(chance, link, octets)
        found.append(Reception(at, octets))
    return found


def _lucky(scenario: Scenario, link: Link, last: Sent, chance: random.Random) -> bytes:
    """The worst that noise can do: it passes its check, names the vehicle, and says landed after a restart. Only its
    count is nowhere near the one expected."""
    vehicle = next(one for one in scenario.mission.vehicles if one.name == last.vehicle)
    definition = next(packet for packet in vehicle.packets if packet.name == "flight")
    data = packet_data(definition, {"boot_count": 9_999, "phase": "landed", "landed": True}, 0, b"")
    packet = space_packet(
        definition.apid, chance.getrandbits(14), data + chance.randbytes(FLIGHT_PACKET_OCTETS - 6 - len(data)),
        secondary_header=True,
    )  # fmt: skip
    count = last.heading.virtual_channel_frame_count + modulus(link) // 2
    heading = Heading(
        scid=vehicle.scid, vcid=vehicle.realtime_vcids[0], virtual_channel_frame_count=count % modulus(link),
        master_channel_frame_count=chance.getrandbits(8), first_header_pointer=0,
    )  # fmt: skip
    return frame(link, heading, packet + idle_packet(data_field_octets(link) - len(packet)))


def _ghosts(scenario: Scenario, link: Link, ghost: Ghost, chance: random.Random) -> list[Reception]:
    found = []
    for number in range(round((ghost.until_s - ghost.from_s) / ghost.period_s) + 1):
        heading = Heading(
            scid=ghost.scid, vcid=ghost.vcid, virtual_channel_frame_count=number % modulus(link),
            master_channel_frame_count=number % 256, first_header_pointer=0,
        )  # fmt: skip
        data = space_packet(
            100, number, chance.randbytes(data_field_octets(link) - 6), secondary_header=True
        )  # fmt: skip
        found.append(Reception(scenario.at(ghost.from_s + number * ghost.period_s), frame(link, heading, data)))
    return found
