"""What a scrape would see of a vehicle at chosen instants of a stream."""

from dataclasses import replace

import pytest
from msgspec import structs

from pipeline.measures.vehicles import IN_AIR, LANDING, TAKEOFF, vehicle_gauges
from pipeline.metrics import (
    ALTITUDE,
    CLOSED_AT,
    EXPECTED,
    FLIGHT_INFO,
    GAPS,
    INCIDENTS_ACTIVE,
    INCIDENTS_BY_STATE,
    LAST_ALTITUDE,
    LAST_CLIMB_RATE,
    LAST_FRAME,
    LAST_LATITUDE,
    LAST_PHASE,
    METRICS,
    MISSING,
    PHASE,
    RAISED_AT,
    SEVERITIES,
    WINDOW_OPEN,
    Metric,
)
from pipeline.mission.model import Mission, Window
from pipeline.records import SECOND
from pipeline.watch import VehicleState, watch
from tests.build import scenario
from tests.evidence.test_whole import STREAMS, telemetry_of
from tests.link import START
from tests.test_obey import INCIDENT, Step, ack, close, passed_on, shelve, take
from tests.test_watch import RUN, restored

Seen = dict[tuple[str, tuple[str, ...]], float]
"""(metric, labels without vehicle and origin) → value."""
DAY = 86_400
ENDED = ("ended_before_landing",)


def gauges(state: VehicleState, mission: Mission) -> Seen:
    seen: Seen = {}
    for metric, (vehicle, *others, origin), value in vehicle_gauges("ingenuity", "test", state, mission):
        assert (vehicle, origin) == ("ingenuity", "test")
        assert (metric.name, tuple(others)) not in seen
        seen[metric.name, tuple(others)] = value
    return seen


def seen_at(seconds: float, name: str = "flight-72", mission: Mission | None = None) -> Seen:
    """With every record that reaches no further than so many seconds after take-off."""
    state, mission = VehicleState(), mission or scenario(name).mission
    for one in STREAMS[name]:
        if one.relay_receive_time is not None and one.relay_receive_time <= START + seconds * SECOND:
            watch(state, one, mission, RUN)
    return gauges(state, mission)


def given(*steps: Step) -> Seen:
    state = VehicleState()
    for one in steps:
        take(state, one)
    return gauges(state, scenario("flight-72").mission)


def value(seen: Seen, metric: Metric, *labels: str) -> float | None:
    return seen.get((metric.name, labels))


def active(seen: Seen) -> dict[tuple[str, ...], float]:
    return {labels: number for (name, labels), number in seen.items() if name == INCIDENTS_ACTIVE.name and number}


def by_state(seen: Seen) -> dict[tuple[str, ...], float]:
    return {labels: number for (name, labels), number in seen.items() if name == INCIDENTS_BY_STATE.name and number}


def test_what_was_last_known_stays_while_the_vehicle_is_silent_and_is_absent_before_it_was_ever_known() -> None:
    seen = seen_at(DAY)
    assert value(seen, LAST_ALTITUDE) == pytest.approx(1.0)
    assert value(seen, LAST_CLIMB_RATE) == pytest.approx(-0.5, abs=0.6)
    assert value(seen, LAST_PHASE) == LANDING
    assert value(seen, LAST_LATITUDE) is None
    assert value(seen_at(-100), LAST_ALTITUDE) is None


@pytest.mark.parametrize(
    ("seconds", "altitude", "phase", "flight"),
    [
        (-1, 0.0, None, None),  # on the ground, and no flight is open
        (0.95, 0.7, TAKEOFF, "72"),
        (5, 4.138, IN_AIR, "72"),
        (17, 12.0, IN_AIR, "72"),
        (29, 2.0, LANDING, "72"),
        (30.5, 1.0, LANDING, "72"),  # the last frame is half a second old: no silence yet
        (32, None, None, "72"),  # unknown is no value, and no plateau
        (DAY, None, None, "72"),
        (2 * DAY + 20, 0.0, None, "72"),  # heard again, on the ground: that flight is over
    ],
)
def test_altitude_and_phase_are_there_while_they_are_known(
    seconds: float, altitude: float | None, phase: int | None, flight: str | None
) -> None:
    seen = seen_at(seconds)
    assert value(seen, ALTITUDE) == (None if altitude is None else pytest.approx(altitude, abs=0.2))
    assert value(seen, PHASE) == phase
    assert [labels for name, labels in seen if name == FLIGHT_INFO.name] == ([] if flight is None else [(flight,)])


def test_frames_are_those_that_the_ledger_counts() -> None:
    state, mission = VehicleState(), scenario("flight-72").mission
    for one in STREAMS["flight-72"]:
        watch(state, one, mission, RUN)
    channels = [one for name, one in state.ledger[""][1]["channels"].items() if name.endswith("/0")]
    seen = gauges(state, mission)
    assert value(seen, MISSING) == sum(one["missing"] for one in channels) > 0
    assert value(seen, GAPS) == sum(one["gaps"] for one in channels) > 0
    assert value(seen, EXPECTED) == sum(one["received"] + one["missing"] for one in channels)


@pytest.mark.parametrize("name", ["expected-loss", "flight-17", "flight-72"])
def test_from_one_contact_to_the_next_nothing_is_missing(name: str) -> None:
    state, mission = VehicleState(), scenario(name).mission
    for one in telemetry_of(name):
        watch(state, one, mission, RUN)
    channels = state.ledger[""][1]["channels"].items()
    assert value(gauges(state, mission), MISSING) == sum(
        one["missing"] for name, one in channels if name.endswith("/0")
    )


def test_an_incident_is_active_from_its_raise_to_its_end_and_its_event_times_stay() -> None:
    before, during, after = seen_at(32), seen_at(40), seen_at(2 * DAY + 20)
    assert (active(before), active(during), active(after)) == ({}, {(*ENDED, "critical"): 1}, {})
    assert (by_state(during), by_state(after)) == ({("unacknowledged",): 1}, {})
    assert (value(before, RAISED_AT, *ENDED), value(before, CLOSED_AT, *ENDED)) == (0, 0)
    assert (value(during, RAISED_AT, *ENDED), value(during, CLOSED_AT, *ENDED)) == (START / SECOND + 33, 0)
    assert value(after, RAISED_AT, *ENDED) == START / SECOND + 33
    assert value(after, CLOSED_AT, *ENDED) == START / SECOND + 2 * DAY + 6


def test_what_people_do_with_an_incident_moves_it_from_state_to_state() -> None:
    stream = [one for one in STREAMS["flight-72"] if (one.relay_receive_time or 0) <= START + 40 * SECOND]
    acknowledged = given(*stream, *passed_on(ack()))
    assert (active(acknowledged), by_state(acknowledged)) == ({(*ENDED, "critical"): 1}, {("acknowledged",): 1})
    # A shelved one is open and asks nobody.
    shelved = given(*stream, *passed_on(shelve(200)))
    assert (active(shelved), by_state(shelved)) == ({}, {("shelved",): 1})
    closed = given(*stream, *passed_on(close()))
    assert (active(closed), by_state(closed)) == ({}, {})
    assert value(closed, CLOSED_AT, *ENDED) >= START / SECOND + 33  # type: ignore[operator]


def test_while_the_relay_is_quiet_nothing_is_known_of_the_vehicle() -> None:
    heard = [one for one in STREAMS["relay-outage"] if (one.relay_receive_time or 0) <= START + 5 * SECOND]
    stopped = structs.replace(
        heard[-1], kind="no_delivery", channels=(), samples=(), listened=None, relay_receive_time=None
    )
    mission, state, known = scenario("relay-outage").mission, VehicleState(), []
    for place in range(5):
        heard.append(
            structs.replace(
                stopped,
                origin=stopped.origin._replace(offset=10_000 + place),
                earth_receive_time=stopped.earth_receive_time + place * 10 * SECOND,
                sequence=stopped.sequence + 1 + place,
            )
        )
    for one in heard:
        watch(state, one, mission, RUN)
        known.append(value(gauges(state, mission), ALTITUDE))
    assert known[-6] is not None
    assert known[-1] is None
    assert active(gauges(state, mission)) == {("relay_outage", "warning"): 1}


def test_a_contact_window_is_open_by_the_plan_at_the_watermark() -> None:
    shipped = scenario("flight-72").mission
    window = Window(
        name="noon", vehicle="ingenuity", link="rover-a", starts_at=START, ends_at=START + 25 * SECOND
    )  # fmt: skip
    mission = replace(shipped, plan=replace(shipped.plan, windows=(window,)))
    opened = [value(seen_at(seconds, mission=mission), WINDOW_OPEN) for seconds in (-1, 1, 24, 26, DAY)]
    assert opened == [0, 1, 1, 0, 0]


def test_before_the_first_record_all_that_is_never_absent_is_0() -> None:
    seen = gauges(VehicleState(), scenario("flight-72").mission)
    assert set(seen.values()) == {0}
    born = {one.name for one in METRICS if one.of == "vehicle" and one.kind == "gauge" and not one.absent}
    assert {name for name, _ in seen} == born


def test_a_state_that_was_read_back_shows_the_same() -> None:
    state, mission = VehicleState(), scenario("flight-72").mission
    for one in STREAMS["flight-72"]:
        if (one.relay_receive_time or 0) <= START + 40 * SECOND:
            watch(state, one, mission, RUN)
    assert gauges(restored(state.take_changes()), mission) == gauges(state, mission)
    assert value(gauges(state, mission), LAST_FRAME) == pytest.approx(START / SECOND + 30, abs=0.11)


def test_every_severity_is_told_apart() -> None:
    labels = [labels for name, labels in seen_at(40) if name == INCIDENTS_ACTIVE.name]
    assert {severity for _, severity in labels} == set(SEVERITIES)
    assert INCIDENT.endswith(ENDED[0])
