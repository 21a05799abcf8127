"""Whom a link expects: the mission, arranged so that one look per channel is enough. Knows the mission; does not know
what came."""

from typing import Final, NamedTuple

from pipeline.errors import RecordError
from pipeline.frames import FORMATS
from pipeline.frames.aos import ONLY_IDLE_VCID
from pipeline.frames.frame import FrameFormat, Managed
from pipeline.mission.model import ANY_SYSTEM, SECOND, Link, Mission, Vehicle
from pipeline.packets.columns import ColumnReader


class Role(NamedTuple):
    """What a channel is to the mission."""

    vehicle: int
    """Its place among the vehicles of the link."""
    live: bool
    """False for a channel that plays back what was stored on board."""
    carries_telemetry: bool
    """False for a channel that only keeps the link busy."""
    period: int | None
    """Nominal, nanoseconds."""


class ExpectedLink:
    """One link of a mission."""

    def __init__(self, mission: Mission, name: str) -> None:
        """Raises RecordError where the mission has no such link."""
        link = mission.link(name)
        if link is None:
            known = ", ".join(one.name for one in mission.links)
            raise RecordError("unknown_link", f"link {name!r} is not one of mission {mission.name}: {known}")
        self.mission: Final = mission
        self.link: Final[Link] = link
        self.read: Final[FrameFormat] = FORMATS[link.format]
        self.managed: Final = managed_of(link)
        self.vehicles: Final[tuple[Vehicle, ...]] = tuple(mission.vehicle(one) for one in link.vehicles)
        self.readers: Final = tuple(_readers(vehicle) for vehicle in self.vehicles)
        """Per vehicle: APID → what reads its packets, many at once."""
        self._roles: dict[tuple[int, int], Role | None] = {}

    def role(self, scid: int, vcid: int) -> Role | None:
        """What this channel is; None where the mission does not expect it."""
        key = (scid, vcid)
        if key not in self._roles:
            self._roles[key] = self._find(scid, vcid)
        return self._roles[key]

    def _find(self, scid: int, vcid: int) -> Role | None:
        if self.link.format == "mavlink" and all(vehicle.scid != scid for vehicle in self.vehicles):
            scid = ANY_SYSTEM
        for place, vehicle in enumerate(self.vehicles):
            if vehicle.scid != scid:
                continue
            # MAVLink messages come in bursts: their period does not say which count is due.
            has_period = vehicle.frame_period_s is not None and self.link.format != "mavlink"
            period = round((vehicle.frame_period_s or 0.0) * SECOND) if has_period else None
            if vcid in vehicle.realtime_vcids or (self.link.format == "mavlink" and not vehicle.realtime_vcids):
                return Role(place, True, True, period)
            if vcid in vehicle.recorded_vcids:
                return Role(place, False, True, None)
            # 732.0-B: a frame of only idle data is a frame of its spacecraft, whoever else may be expected.
            if vcid in vehicle.idle_vcids or (self.link.format == "aos" and vcid == ONLY_IDLE_VCID):
                return Role(place, True, False, None)
        return None


def managed_of(link: Link) -> Managed:
    return Managed(
        frame_length=link.frame_length,
        frame_error_control_field=link.frame_error_control_field,
        operational_control_field=link.operational_control_field,
        insert_zone_octets=link.insert_zone_octets,
        frame_header_error_control=link.frame_header_error_control,
    )


def _readers(vehicle: Vehicle) -> dict[int, ColumnReader]:
    readers = {packet.apid: ColumnReader(packet, vehicle.meanings) for packet in vehicle.packets}
    return {apid: reader for apid, reader in readers.items() if reader.says_anything}
