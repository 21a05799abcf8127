"""A scenario -> its records: what the vehicles send, what the receivers hear of it, when it reaches the ground."""

from collections.abc import Sequence

from pipeline.errors import MissionError
from pipeline.mission.model import Link
from pipeline.records import Record
from pipeline.simulate.delivery import arrange, deliver
from pipeline.simulate.frames import data_field_octets
from pipeline.simulate.noise import Reception, receptions
from pipeline.simulate.packets import SHORTEST_PACKET
from pipeline.simulate.radio import Channel
from pipeline.simulate.receiver import Receiver
from pipeline.simulate.scenario import Order, Scenario, Session
from pipeline.simulate.vehicle import FLIGHT_PACKET_OCTETS, Sender, Sent


def simulate(scenario: Scenario, *, order: Order | None = None) -> list[Record]:
    """Every record of the scenario in order of arrival, the same octets for the same seed. `order` is used in place of
    the scenario's own.

    Raises MissionError where the mission asks for frames that the simulator cannot write.
    """
    transmissions = transmit(scenario)
    records: list[Record] = []
    for link in scenario.mission.links:
        sent = [one for one in transmissions if one.vehicle in link.vehicles]
        channel = Channel(scenario, link.name)
        heard = receptions(scenario, link, sent, channel)
        for session in _sessions(scenario, link):
            written = Receiver(scenario, link, session, channel).write(sent, heard)
            records += deliver(scenario, link.name, session, written)
    return arrange(records, order or scenario.arrival.order, f"{scenario.seed}/{scenario.arrival.seed}")


def transmit(scenario: Scenario) -> list[Sent]:
    """Every frame that a vehicle sends, by ascending time, whether or not anyone hears it."""
    sent: list[Sent] = []
    for vehicle in scenario.mission.vehicles:
        links = scenario.mission.links_of(vehicle.name)
        for link in links:
            _check(scenario, link, links[0])
        sent += Sender(scenario, vehicle, links[0]).frames()
    return sorted(sent, key=lambda one: one.at)


def heard_by(scenario: Scenario, link: Link) -> list[Reception]:
    """Everything that a link's receiver would take for a frame, whether or not it listens then."""
    sent = [one for one in transmit(scenario) if one.vehicle in link.vehicles]
    return receptions(scenario, link, sent, Channel(scenario, link.name))


def _sessions(scenario: Scenario, link: Link) -> Sequence[Session]:
    first = scenario.mission.links[0].name
    return [one for one in scenario.sessions if (one.link or first) == link.name]


def _check(scenario: Scenario, link: Link, first: Link) -> None:
    where = f"scenario {scenario.name}, link {link.name}"
    if link.format not in ("tm", "aos") or link.frame_header_error_control:
        raise MissionError(f"{where}: the simulator writes TM frames, and AOS frames without header error control")
    if (link.format, link.frame_length) != (first.format, first.frame_length):
        raise MissionError(f"{where}: a vehicle sends the same frames on every link, and {first.name} has other ones")
    least = FLIGHT_PACKET_OCTETS + SHORTEST_PACKET
    if data_field_octets(link) < least:
        raise MissionError(
            f"{where}: a flight packet needs a data field of {least} octets, not {data_field_octets(link)}"
        )
