"""What is known and what was last said of a vehicle, as samples: a pure function of its state, and of what it says.
Knows no rule: it asks the picture and what was published."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

from pipeline.evidence.samples import SampleKey, Values
from pipeline.evidence.views import EVER
from pipeline.incidents import Published
from pipeline.metrics import (
    ALERT_TYPES,
    ALTITUDE,
    CLOSED_AT,
    EXPECTED,
    FLIGHT_INFO,
    GAPS,
    INCIDENTS_ACTIVE,
    INCIDENTS_BY_STATE,
    INCIDENTS_OPENED,
    LAST_ALTITUDE,
    LAST_CLIMB_RATE,
    LAST_FRAME,
    LAST_LATITUDE,
    LAST_LONGITUDE,
    LAST_PHASE,
    MISSING,
    OPEN_STATES,
    PHASE,
    RAISED_AT,
    SEVERITIES,
    WINDOW_OPEN,
    Sample,
)
from pipeline.mission.model import Mission, Vehicle
from pipeline.outputs import Output, Revision
from pipeline.records import SECOND, OriginKind
from pipeline.verdicts.flights import Flight, flights_of
from pipeline.verdicts.ledger import totals_in_contacts
from pipeline.verdicts.on_board import last_position
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.relay_outage import TYPE as RELAY_OUTAGE
from pipeline.watch import VehicleState

ON_GROUND: Final = 0
TAKEOFF: Final = 1
IN_AIR: Final = 2
LANDING: Final = 3


def opened(output: Output, vehicle: str) -> Iterator[Sample]:
    """An incident that this output raises."""
    if isinstance(output, Revision) and output.revision == 1:
        yield Sample(INCIDENTS_OPENED, (vehicle, output.type, output.origin), 1)


def vehicle_gauges(vehicle: str, origin: OriginKind, state: VehicleState, mission: Mission) -> Iterator[Sample]:
    """All of one vehicle in one run, or of every vehicle of a mission's entry. What is not known is left out."""
    pictures = state.pictures(vehicle, state.planned(mission))
    for picture in pictures:
        place = picture.vehicle.name, origin
        yield from _frames(picture, place)
        flights = flights_of(picture, state.finished_of(picture).flights)
        yield from _last_known(picture, place)
        yield from _flight(picture, flights, place, _is_outage(state, picture))
        systems = {one.vehicle.name for one in pictures} - {vehicle}
        own = [
            one
            for one in state.published.values()
            if one.incident.vehicle == place[0] or (place[0] == vehicle and one.incident.vehicle not in systems)
        ]
        yield from _incidents(own, place)


def _frames(picture: Picture, place: tuple[str, str]) -> Iterator[Sample]:
    # Before the first record the picture has no link to speak of.
    totals = totals_in_contacts(picture) if picture.links else {"received": 0, "missing": 0, "gaps": 0}
    yield Sample(MISSING, place, totals["missing"])
    yield Sample(GAPS, place, totals["gaps"])
    yield Sample(EXPECTED, place, totals["received"] + totals["missing"])


def _flight(picture: Picture, flights: Sequence[Flight], place: tuple[str, str], is_outage: bool) -> Iterator[Sample]:
    mark = picture.watermark
    windows = [one for one in picture.mission.plan.windows if one.vehicle == picture.vehicle.name]
    yield Sample(WINDOW_OPEN, place, mark is not None and any(one.starts_at <= mark < one.ends_at for one in windows))
    last = picture.last_live_frame
    yield Sample(LAST_FRAME, place, 0 if last is None else last / SECOND)
    if flights:
        yield Sample(FLIGHT_INFO, (place[0], flights[-1].name, place[1]), 1)
    if is_outage or mark is None or not picture.views.going_on:
        return
    altitude = _fresh(picture, mark, picture.newest_sample(lambda key, values: values.altitude is not None))
    if altitude is not None and altitude[1].altitude is not None:
        yield Sample(ALTITUDE, place, altitude[1].altitude)
    told = _fresh(picture, mark, picture.newest_sample(_says_phase))
    phase = None if told is None else _phase(told[0], picture.vehicle)
    if phase is not None and flights and flights[-1].over_at is None:
        yield Sample(PHASE, place, phase)


def _last_known(picture: Picture, place: tuple[str, str]) -> Iterator[Sample]:
    """What somebody asks for who looks for a vehicle that is silent."""
    reported = picture.last_reported(EVER)
    told = picture.newest_sample(_says_phase)
    phase = None if told is None else _phase(told[0], picture.vehicle)
    position = last_position(picture, EVER)
    known = {
        LAST_ALTITUDE: reported.altitude, LAST_CLIMB_RATE: reported.climb_rate, LAST_PHASE: phase,
        LAST_LATITUDE: position[1].latitude if position else None,
        LAST_LONGITUDE: position[1].longitude if position else None,
    }  # fmt: skip
    yield from (Sample(metric, place, value) for metric, value in known.items() if value is not None)


def _fresh(picture: Picture, mark: int, sample: tuple[SampleKey, Values] | None) -> tuple[SampleKey, Values] | None:
    return sample if sample is not None and mark - sample[1].at <= picture.suspect else None


def _phase(key: SampleKey, vehicle: Vehicle) -> int | None:
    """MAVLink's landed state, of what the mission says its phases mean; None where it says neither."""
    if key.landed is True or key.state == "ground":
        # The flag is often set before take-off too: then the vehicle is on the ground as well.
        return ON_GROUND
    if key.phase in vehicle.meanings.descending:
        return LANDING
    if key.state != "flight":
        return None
    return TAKEOFF if key.phase == "takeoff" else IN_AIR


def _says_phase(key: SampleKey, values: Values) -> bool:
    return key.state is not None or key.phase is not None


def _is_outage(state: VehicleState, picture: Picture) -> bool:
    """While a relay is quiet, and no frame has come since, nothing is known of the vehicle."""
    last = picture.last_live_frame
    return any(
        one.state == "open"
        and one.incident.type == RELAY_OUTAGE
        and (last is None or last <= one.incident.episodes[-1][0])
        for one in state.published.values()
    )


def _incidents(published: list[Published], place: tuple[str, str]) -> Iterator[Sample]:
    vehicle, origin = place
    is_open = [one for one in published if one.state == "open"]
    active = Counter((one.incident.type, one.incident.severity) for one in is_open if one.life.state != "shelved")
    by_state = Counter(one.life.state for one in is_open)
    for alert, severity in product(ALERT_TYPES, SEVERITIES):
        yield Sample(INCIDENTS_ACTIVE, (vehicle, alert, severity, origin), active[alert, severity])
    for life in OPEN_STATES:
        yield Sample(INCIDENTS_BY_STATE, (vehicle, life, origin), by_state[life])
    stood = [one for one in published if one.withdrawn_at is None]
    for alert in ALERT_TYPES:
        episodes = [episode for one in stood if one.incident.type == alert for episode in one.incident.episodes]
        ends = [ended for _, ended in episodes if ended is not None]
        ends += [one.life.closed_at for one in stood if one.incident.type == alert and one.life.closed_at is not None]
        yield Sample(RAISED_AT, (vehicle, alert, origin), max((raised for raised, _ in episodes), default=0) / SECOND)
        yield Sample(CLOSED_AT, (vehicle, alert, origin), max(ends, default=0) / SECOND)
