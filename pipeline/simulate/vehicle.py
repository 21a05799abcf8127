"""What the vehicle sends: every transfer frame with its moment, whether or not anyone hears it.

A frame of the real-time channel carries one whole flight packet, which says how things are at the frame's own moment;
around it other packets (inertial measurements, idle ones) run from frame to frame.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from pipeline.mission.model import Link, Packet, Vehicle
from pipeline.simulate.frames import (
    AOS_IDLE_VCID,
    NO_PACKET_START,
    ONLY_IDLE_DATA,
    Heading,
    data_field_octets,
    frame,
    modulus,
)
from pipeline.simulate.packets import SHORTEST_PACKET, Value, idle_packet, packet_data, space_packet
from pipeline.simulate.playback import Chunk, chunks
from pipeline.simulate.profile import State, state_at
from pipeline.simulate.scenario import Contact, Flight, Playback, Scenario, nanoseconds

E = TypeVar("E")

FLIGHT_PACKET_OCTETS: Final = 72
MEASUREMENTS_APID: Final = 102
"""No packet that the mission defines."""
FIRST_ONBOARD_EPOCH: Final = 946_684_800_250_000_000
"""2000-01-01T00:00:00.25Z on the relay's clock: until its first reset the on-board clock counts from there."""
SAMPLE_PERIOD_S: Final = 0.1
IDLE_MARGIN_S: Final = 3.0
"""Around take-off, landing and the start of a contact no frame is idle: the moments are those of the profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    at: int
    """Nanoseconds; the relay's receive time where it is heard."""
    vehicle: str
    octets: bytes
    altitude_m: float
    heading: Heading


@dataclass(slots=True, kw_only=True)
class Turn:
    """One frame of the real-time channel that is to be sent."""

    at: int
    state: State
    packet: str
    is_idle: bool
    is_alone: bool = False
    """No packet runs into it or out of it."""

    @property
    def stands_alone(self) -> bool:
        return self.is_idle or self.is_alone


class Sender:
    """One vehicle through one scenario. `frames` can be iterated once."""

    def __init__(self, scenario: Scenario, vehicle: Vehicle, link: Link) -> None:
        self.scenario = scenario
        self.vehicle = vehicle
        self.link = link
        self.octets = data_field_octets(link)
        self.random = random.Random(f"{scenario.seed}/{vehicle.name}/measurements")
        self.restarts = sorted(self._own(scenario.restarts), key=lambda one: one.at_s)
        self.restarts_done = 0
        counts = scenario.counts
        self.counts = Counter(dict.fromkeys(vehicle.realtime_vcids, counts.realtime))
        self.counts.update(dict.fromkeys(vehicle.recorded_vcids, counts.recorded))
        self.counts[AOS_IDLE_VCID] += counts.idle
        self.master_count = counts.master
        self.cycle_starts_at = counts.cycle
        self.packet_counts: Counter[tuple[int, int]] = Counter()
        self.tail = b""
        """What is left of a packet that began in the last frame."""

    def frames(self) -> Iterator[Sent]:
        turns = self._turns()
        agenda: list[tuple[int, int, int | tuple[Playback, Chunk]]] = [
            (turn.at, 0, place) for place, turn in enumerate(turns)
        ]
        for playback in self._own(self.scenario.playbacks):
            agenda += [(chunk.at, 1, (playback, chunk)) for chunk in self._chunks(playback)]
        stuck: bytes | None = None
        for at, _, what in sorted(agenda, key=lambda one: one[:2]):
            if not self._is_up(at):
                continue
            if not isinstance(what, int):
                playback, chunk = what
                is_live = playback.on_live_channel
                vcid = self.vehicle.realtime_vcids[0] if is_live else self.vehicle.recorded_vcids[0]
                yield self._frame(at, vcid, chunk.first_header_pointer, chunk.octets, 0.0, replay=not is_live)
                continue
            turn = turns[what]
            if turn.is_idle:
                vcid = AOS_IDLE_VCID if self.link.format == "aos" else self.vehicle.realtime_vcids[0]
                yield self._frame(at, vcid, ONLY_IDLE_DATA, b"\x55" * self.octets, turn.state.altitude_m)
                continue
            if stuck is None or not self._is_stuck(at):
                pointer, data = len(self.tail), self._data(turn, turns[what + 1 : what + 3])
                stuck = data if turn.is_alone else None
            else:
                pointer, data = 0, stuck
            yield self._frame(at, self.vehicle.realtime_vcids[0], pointer, data, turn.state.altitude_m)

    def onboard_time(self, at: int) -> int:
        """The on-board clock at that moment, nanoseconds since its epoch."""
        epoch = FIRST_ONBOARD_EPOCH
        for restart in self.restarts:
            if restart.clock_reset and self.scenario.at(restart.at_s) <= at:
                epoch = self.scenario.at(restart.at_s)
        steps = self._own(self.scenario.clock_steps)
        return at - epoch + sum(
            nanoseconds(step.by_s)
            for step in steps
            if self.scenario.at(step.from_s) <= at < self.scenario.at(step.until_s)
        )  # fmt: skip

    def boot_count(self, at: int) -> int:
        return self.scenario.boot_count + sum(self.scenario.at(one.at_s) <= at for one in self.restarts)

    def _turns(self) -> list[Turn]:
        """Every frame of the real-time channel, in the order of sending."""
        chance = random.Random(f"{self.scenario.seed}/{self.vehicle.name}/idle")
        turns: list[Turn] = []
        for flight in self._own(self.scenario.flights):
            turns += self._flight(flight, chance)
        for contact in self._own(self.scenario.contacts):
            turns += self._contact(contact, chance)
        turns.sort(key=lambda turn: turn.at)
        for idle in self._own(self.scenario.idle_only):
            for turn in turns:
                if self.scenario.at(idle.after_s) < turn.at <= self.scenario.at(idle.until_s):
                    turn.is_idle = True
        for stuck in self._own(self.scenario.stuck):
            for turn in turns:
                turn.is_alone |= turn.at == self.scenario.at(stuck.after_s)
        return turns

    def _flight(self, flight: Flight, chance: random.Random) -> Iterator[Turn]:
        landing_s = next(
            (
                one.until_s
                for one, after in zip(flight.profile, flight.profile[1:], strict=False)
                if after.phase == "landed"
            ),
            flight.profile[-1].until_s,
        )
        frames = round((flight.profile[-1].until_s - flight.from_s) / flight.period_s)
        for number in range(frames + 1):
            seconds = round(flight.from_s + number * flight.period_s, 6)
            may_idle = seconds < -IDLE_MARGIN_S or seconds > landing_s + IDLE_MARGIN_S
            yield Turn(
                at=self.scenario.at(flight.at_s + flight.offset_s + seconds),
                state=state_at(flight.profile, seconds),
                packet="flight",
                is_idle=chance.random() < self.scenario.idle_share and may_idle,
            )

    def _contact(self, contact: Contact, chance: random.Random) -> Iterator[Turn]:
        state = State(phase=contact.phase, altitude_m=0.0, climb_rate=0.0)
        for number in range(round((contact.until_s - contact.from_s) / contact.period_s) + 1):
            seconds = number * contact.period_s
            may_idle = seconds > IDLE_MARGIN_S and contact.packet == "flight"
            yield Turn(
                at=self.scenario.at(contact.from_s + seconds),
                state=state,
                packet=contact.packet,
                is_idle=chance.random() < self.scenario.idle_share and may_idle,
            )

    def _data(self, turn: Turn, after: list[Turn]) -> bytes:
        """The data field: the end of a packet, the turn's own packet, the start of another."""
        data = self.tail + self._packet(turn)
        self.tail = b""
        room = self.octets - len(data)
        if turn.packet != "flight":
            return data + idle_packet(room)
        if room == 0:
            return data
        # What runs over into the next frame must leave room there for that frame's own packet. Nothing runs into a
        # frame that stands alone, and so the frame before that one must not end in the middle of a header.
        must_end = turn.is_alone or (len(after) > 0 and after[0].stands_alone)
        next_must_end = len(after) > 1 and after[1].stands_alone
        most = self.octets - FLIGHT_PACKET_OCTETS
        over = [0] if must_end else [
            octets
            for octets in range(most + 1)
            if room + octets >= SHORTEST_PACKET and not (next_must_end and 0 < most - octets < SHORTEST_PACKET)
        ]  # fmt: skip
        length = room + self.random.choice(over)
        filler = idle_packet(length) if self.random.random() < 0.2 else self._measurements(length)
        self.tail = filler[room:]
        return data + filler[:room]

    def _packet(self, turn: Turn) -> bytes:
        definition = self._definition(turn.packet)
        data = packet_data(definition, self._values(turn.at, turn.state), self.onboard_time(turn.at), b"")
        if turn.packet == "flight":
            data += self.random.randbytes(FLIGHT_PACKET_OCTETS - 6 - len(data))
        return space_packet(definition.apid, self._next(0, definition.apid), data, secondary_header=True)

    def _values(self, at: int, state: State) -> dict[str, Value]:
        flying = not state.on_ground
        return {
            "boot_count": self.boot_count(at),
            "phase": state.phase,
            # True before take-off as well: on many vehicles it is.
            "landed": state.on_ground,
            "altitude": state.altitude_m,
            "climb_rate": state.climb_rate,
            "battery_voltage": 3.6 if flying else 3.9,
            "rotor_speed": 2537 if flying else 0,
            "battery_temperature": -15.0,
        }

    def _chunks(self, playback: Playback) -> Iterator[Chunk]:
        profile = playback.profile or next(
            (one.profile for one in self._own(self.scenario.flights) if one.at_s == playback.of_s), ()
        )
        definition = self._definition("flight")
        packets: list[bytes] = []
        samples = round((playback.log_until_s - playback.log_from_s) / SAMPLE_PERIOD_S)
        for number in range(samples + 1):
            seconds = round(playback.log_from_s + number * SAMPLE_PERIOD_S, 6)
            at = self.scenario.at(playback.of_s + seconds)
            values = self._values(at, state_at(profile, seconds))
            data = packet_data(definition, values, self.onboard_time(at), b"")
            data += self.random.randbytes(FLIGHT_PACKET_OCTETS - 6 - len(data))
            packets.append(space_packet(definition.apid, self._next(1, definition.apid), data, secondary_header=True))
            if number % 20 == 19:
                packets.append(self._measurements(300))  # long enough that no packet starts in some frame
        return chunks(packets, self.octets, self.scenario.at(playback.at_s), nanoseconds(playback.period_s))

    def _measurements(self, octets: int) -> bytes:
        data = self.random.randbytes(octets - 6)
        return space_packet(MEASUREMENTS_APID, self._next(0, MEASUREMENTS_APID), data, secondary_header=False)

    def _definition(self, name: str) -> Packet:
        return next(packet for packet in self.vehicle.packets if packet.name == name)

    def _frame(self, at: int, vcid: int, pointer: int, data: bytes, altitude: float, *, replay: bool = False) -> Sent:
        count = self.counts[vcid]
        self.counts[vcid] += 1
        cycle = -1 if self.cycle_starts_at < 0 else self.cycle_starts_at + count // modulus(self.link)
        heading = Heading(
            scid=self.vehicle.scid, vcid=vcid, virtual_channel_frame_count=count % modulus(self.link),
            master_channel_frame_count=self.master_count % 256,
            first_header_pointer=NO_PACKET_START if pointer >= self.octets and pointer != ONLY_IDLE_DATA else pointer,
            cycle=cycle, replay=replay and self.link.format == "aos",
        )  # fmt: skip
        self.master_count += 1
        octets = frame(self.link, heading, data)
        return Sent(at=at, vehicle=self.vehicle.name, octets=octets, altitude_m=altitude, heading=heading)

    def _is_up(self, at: int) -> bool:
        """Restarts the vehicle where that is due, and says whether it sends."""
        for restart in self.restarts[self.restarts_done :]:
            if at < self.scenario.at(restart.at_s):
                break
            self.restarts_done += 1
            self.counts.clear()
            self.packet_counts.clear()
            self.master_count = 0
            self.tail = b""
        starts = [self.scenario.at(one.at_s) for one in self.restarts]
        return not any(
            start <= at < start + nanoseconds(one.silent_s) for start, one in zip(starts, self.restarts, strict=True)
        )

    def _is_stuck(self, at: int) -> bool:
        return any(at > self.scenario.at(one.after_s) for one in self._own(self.scenario.stuck))

    def _next(self, stream: int, apid: int) -> int:
        count = self.packet_counts[stream, apid]
        self.packet_counts[stream, apid] += 1
        return count

    def _own(self, events: tuple[E, ...]) -> list[E]:
        first = self.scenario.mission.vehicles[0].name
        return [one for one in events if (getattr(one, "vehicle", "") or first) == self.vehicle.name]
