"""What is kept of finished flights decides nothing: thrown away at any moment, or with evidence made anew from what is
stored, the same is said."""

import random
from typing import Any

import orjson
import pytest

from pipeline.evidence.stored import dump, load
from pipeline.evidence.summary import Evidence
from pipeline.flow import LinkState, VehicleState, decode, watch
from pipeline.records import Origin, Record, Run
from pipeline.verdicts import verdict
from pipeline.verdicts.flights import flights_of
from pipeline.verdicts.ledger import accounting_of, facts_of
from pipeline.verdicts.picture import Picture
from tests.link import Frame, Receiver, decoded, mission, pass_of
from tests.verdicts.flown import LANDED, flown, sent

FLIGHT_S = 25.0
FLIGHTS = 14
"""So many that the first ones are finished long before the last."""
COMPARED = 0.15
"""Of the records: after so many the two are compared."""


def several(at: float) -> dict[str, Any] | None:
    """Flights of six kinds, one after the other: a whole one; one with a silence; one that ends before landing; one in
    which the on-board clock stands still; one that loses frames; one after a restart."""
    number, since = divmod(at, FLIGHT_S)
    kind = number % 6
    said: dict[str, Any] = {"landed": False, "phase": "hover", "altitude": 2.0 + number}
    if since < 3.0:
        said = {"landed": True, "phase": "preflight", "altitude": 0.0}
    elif since >= 15.0:
        said = dict(LANDED)
    if (kind == 1 and 6.0 <= since < 11.0) or (kind == 2 and since >= 9.0):
        return None
    if kind == 3 and 6.0 <= since < 11.0:
        said["clock"] = 1000.0 + number * FLIGHT_S + 6.0
    if kind == 4 and 6.0 <= since < 11.0 and round(since * 10) % 4:
        return None
    return said | ({"boot_count": 42} if kind == 5 else {})


def played_back() -> list[Frame]:
    """The log of the third flight, which ended before landing, after all of them."""
    frames = []
    for number in range(100):
        onboard = 2 * FLIGHT_S + 7.0 + number / 10
        said: dict[str, Any] = {"phase": "hover", "landed": False} if number < 80 else dict(LANDED)
        frames.append((FLIGHTS * FLIGHT_S + number / 10, sent(onboard, number, said, vcid=1)))
    return frames


def anew(evidence: Evidence, names: set[str]) -> Evidence:
    """As it comes back from storage."""
    made = Evidence(mission().vehicles[0], mission())
    for name in names:
        load(made, name, orjson.loads(orjson.dumps(dump(evidence, name))))
    return made


def told(evidence: Evidence) -> object:
    picture = Picture(evidence, mission().vehicles[0], mission())
    flights, incidents = verdict(picture)
    what_next = [incident.what_next for incident in incidents]
    return flights, incidents, what_next, [facts_of(picture, one) for one in flights], accounting_of(picture)


def arranged(order: str) -> list[Record]:
    records = pass_of([*flown(FLIGHTS * FLIGHT_S, several), *played_back()])
    chance = random.Random(order)
    if order == "shuffled":
        chance.shuffle(records)
    if order == "late":  # a tenth of the records comes long after the others
        late = set(chance.sample(range(len(records) - 1), len(records) // 10))
        records = [one for place, one in enumerate(records) if place not in late] + [records[place] for place in late]
    return records


@pytest.mark.parametrize("order", ["received", "late", "shuffled"])
def test_evidence_made_anew_says_what_the_evidence_that_grew_says(order: str) -> None:
    link, vehicle, names, chance = LinkState(), VehicleState(), set[str](), random.Random(order)
    for offset, record in enumerate(arranged(order)):
        for one in decode(link, record, Origin("kept", 0, offset), mission()):
            watch(vehicle, one, mission(), Run(id="kept", origin="test"))
        evidence = vehicle.evidence
        assert evidence is not None
        names |= evidence.changed
        if chance.random() < COMPARED:
            assert told(evidence) == told(anew(evidence, names))


@pytest.mark.parametrize("order", ["received", "late", "shuffled"])
def test_what_is_kept_of_finished_flights_is_thrown_away_at_random_without_a_change(order: str) -> None:
    link, run, chance = LinkState(), Run(id="kept", origin="test"), random.Random(order)
    keeps, forgets, most = VehicleState(), VehicleState(), 0
    for offset, record in enumerate(arranged(order)):
        for one in decode(link, record, Origin("kept", 0, offset), mission()):
            said = watch(keeps, one, mission(), run)
            if chance.random() < COMPARED:
                forgets.forget_finished()
            assert watch(forgets, one, mission(), run) == said
            picture = keeps.pictures(one.vehicle, mission())[0]
            most = max(most, len(keeps.finished_of(picture).flights))
    assert most >= (FLIGHTS // 2 if order == "received" else 1)


def test_flights_that_are_over_are_not_judged_again() -> None:
    link, vehicle, judged = LinkState(), VehicleState(), []
    for offset, record in enumerate(pass_of(flown(FLIGHTS * FLIGHT_S, several))):
        for one in decode(link, record, Origin("kept", 0, offset), mission()):
            watch(vehicle, one, mission(), Run(id="kept", origin="test"))
            picture = vehicle.pictures(one.vehicle, mission())[0]
        judged.append(len(flights_of(picture)) - len(vehicle.finished_of(picture).flights))
    assert len(flights_of(picture)) == FLIGHTS
    assert max(judged) < FLIGHTS
    assert judged[-1] <= 9


def test_a_take_off_is_none_once_it_is_known_that_nobody_listened_before_it() -> None:
    """Its frames come before the listening records that show the hole."""
    receiver = Receiver()
    on_ground, in_flight = flown(3.0, lambda at: {"phase": "preflight"}), flown(8.4, since=8.0)
    records = [
        receiver.frames(on_ground), receiver.listened(0.0, 3.1), receiver.frames(in_flight),
        receiver.listened(8.2, 8.5),
    ]  # fmt: skip
    vehicle = VehicleState()
    flights = []
    for one in decoded(records, mission())[1]:
        watch(vehicle, one, mission(), Run(id="kept", origin="test"))
        assert vehicle.evidence is not None
        flights.append(len(flights_of(Picture(vehicle.evidence, mission().vehicles[0], mission()))))
    assert flights == [0, 0, 1, 0]
