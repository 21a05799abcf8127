"""A flight that no list names is named by its take-off. Late frames can show an earlier take-off: then the name that
was given first is superseded in the ledger, as incidents are."""

from dataclasses import replace

from pipeline.records import SECOND, FramesReceived
from pipeline.shells.files.analyze import analyze
from tests.build import scenario, scenario_records


def test_a_flight_named_before_its_first_frames_came_is_superseded_and_no_part_of_the_result() -> None:
    nominal = scenario("nominal")
    unlisted = replace(nominal.mission, vehicles=tuple(replace(one, flights=()) for one in nominal.mission.vehicles))
    records = scenario_records("nominal")
    takeoff, later = nominal.at(0), nominal.at(3)
    times = {id(one): int(one.relay_receive_times[0]) for one in records if isinstance(one, FramesReceived)}
    first = [one for one in records if takeoff <= times.get(id(one), 0) < takeoff + SECOND]
    others = [one for one in records if one not in first]
    place = next(place for place, one in enumerate(others) if times.get(id(one), 0) >= later)

    in_order, mixed = analyze(records, unlisted), analyze([*others[:place], *first, *others[place:]], unlisted)

    states = {flight.name: flight.facts["state"] for flight in mixed.flights.values() if flight.name}
    assert states == {"2024-01-18T12:00:00Z": "landed", "2024-01-18T12:00:01Z": "superseded"}
    assert mixed.digest == in_order.digest
