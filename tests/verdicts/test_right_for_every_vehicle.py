"""What a vehicle does that the model of one packet a frame, one relay and a take-off that was seen does not know."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.mission.model import Mission
from pipeline.records import SECOND, Record
from pipeline.shells.files.analyze import Analysis, analyze
from tests.link import Frame, Receiver, mission, pass_of
from tests.packed_flights import frame_of
from tests.verdicts.flown import LANDED, episodes, flown, judged, kinds, only, seconds

GROUND = {"phase": "preflight", "landed": True, "altitude": 0.0}
PACKETS = (1, 3, 4)
"""So many flight packets go into one frame."""


def said_at(at: float, landing: float = 30.0) -> dict[str, Any]:
    if at < 3.0:
        return GROUND
    if at >= landing:
        return LANDED
    return {"phase": "hover", "landed": False, "altitude": 5.0, "climb_rate": -0.1}


def packed(
    until: float, packets: int, *, since: float = 0.0, landing: float = 30.0, boots_at: float = 1e9
) -> list[Frame]:
    """A frame each 0.4 s with so many packets of the time before it."""
    frames = []
    for number in range(round(since / 0.4), round(until / 0.4) + 1):
        at = number * 0.4
        clocks = [at - place * 0.4 / packets for place in reversed(range(packets))]
        said = [(clock, said_at(clock, landing) | {"boot_count": 42 if clock >= boots_at else 41}) for clock in clocks]
        frames.append((at, frame_of(number, said)))
    return frames


def slow() -> Mission:
    """Of a vehicle that sends a frame each 0.4 s."""
    return replace(mission(), vehicles=(replace(mission().vehicles[0], frame_period_s=0.4),))


def by(link: str, frames: Iterable[Frame], until: int, late: float = 0.0) -> list[Record]:
    """What one relay hands over of frames that it heard so much later."""
    receiver, records = Receiver(link=link), list[Record]()
    heard = [(at + late, octets) for at, octets in frames]
    for second in range(until):
        records += [receiver.frames([one]) for one in heard if second <= one[0] < second + 1]
        records.append(receiver.listened(second, second + 1))
    return [*records, receiver.ended(until)]


def two_relays() -> Mission:
    (link,) = mission().links
    return replace(mission(), links=(link, replace(link, name="rover-b")))


def in_every_order(records: Sequence[Record], of: Mission) -> Analysis:
    """What is said of them, which is the same in other orders."""
    said = analyze(records, of)
    by_time = sorted(records, key=lambda one: one.earth_receive_time)
    for seed in range(3):
        nearby = list(by_time)
        for place in range(0, len(nearby), 16):
            few = nearby[place : place + 16]
            random.Random(seed).shuffle(few)
            nearby[place : place + 16] = few
        assert analyze(nearby, of).digest == said.digest
    return said


@pytest.mark.parametrize("packets", PACKETS)
def test_one_frame_that_says_landed_does_not_confirm_a_landing_however_many_packets_are_in_it(packets: int) -> None:
    landing = 20.0 - 0.4 + 0.4 / packets - 0.01 if packets > 1 else 20.0
    said = in_every_order(pass_of(packed(20.0, packets, landing=landing), until=60), slow())
    alert = only(said, "ended_before_landing")
    assert (alert.severity, alert.state, episodes(alert)) == ("warning", "open", [(28.0, None)])


@pytest.mark.parametrize("packets", PACKETS)
def test_a_restart_is_said_however_many_packets_are_in_a_frame(packets: int) -> None:
    said = in_every_order(pass_of(packed(40.0, packets, boots_at=20.0), until=60), slow())
    assert seconds(only(said, "vehicle_restart").raised_at) == pytest.approx(20.0, abs=0.41)


@pytest.mark.parametrize("packets", PACKETS)
def test_take_off_and_ground_in_one_frame_are_a_take_off(packets: int) -> None:
    said = in_every_order(pass_of(packed(45.0, packets, landing=35.0), until=60), slow())
    assert kinds(said) == []
    (flight,) = [one for one in said.flights.values() if one.name]
    assert (flight.facts["state"], flight.facts["takeoff_seen"]) == ("landed", True)


def test_housekeeping_behind_the_last_flight_packet_hides_neither_height_nor_rate_nor_phase() -> None:
    low = {"phase": "terminal_descent", "altitude": 0.05, "climb_rate": -0.5}
    last = (20.1, frame_of(201, [(20.1, None)]))
    said = judged([*flown(20.0, lambda at: low if at >= 19.0 else {}), last], until=60)
    alert = only(said, "ended_before_landing")
    assert alert.severity == "warning"
    assert any(
        "last reported altitude 0.1 m, climb rate -0.5 m/s, phase terminal_descent" in one for one in alert.known
    )


def test_a_value_that_is_older_than_the_last_frames_is_told_with_its_age() -> None:
    later = [(20.0 + n, frame_of(200 + 10 * n, [(20.0 + n, None)])) for n in range(1, 7)]
    alert = only(judged([*flown(20.0), *later], until=60), "ended_before_landing")
    assert any("last reported 6.0 s before: altitude 5.0 m" in one for one in alert.known)


@pytest.mark.parametrize("late", [0.003, 0.03])
def test_what_two_relays_heard_is_no_clock_that_stands_still_and_one_digest_in_any_order(late: float) -> None:
    frames = [
        (n / 10, frame_of(n, [(n / 10, said_at(n / 10)), *([(n / 10, None)] if n % 10 == 0 else [])]))
        for n in range(201)
    ]
    said = in_every_order([*by("rover-a", frames, 60), *by("rover-b", frames, 60, late)], two_relays())
    assert kinds(said) == ["ended_before_landing"]
    assert not any("stood still" in one for one in only(said, "ended_before_landing").known)


def test_a_landed_frame_that_two_relays_heard_counts_once() -> None:
    frames = flown(20.0, lambda at: LANDED if at >= 19.95 else {})
    said = in_every_order([*by("rover-a", frames, 60), *by("rover-b", frames, 60, 0.003)], two_relays())
    assert only(said, "ended_before_landing").severity == "warning"


def test_a_vehicle_that_is_first_heard_in_flight_is_watched_and_the_alert_says_so() -> None:
    falling = lambda at: {"phase": "descent", "landed": False, "altitude": 60.0 - 2 * at}  # noqa: E731
    said = in_every_order(pass_of(flown(10.0, falling, since=4.0), until=60), mission())
    alert = only(said, "ended_before_landing")
    assert (alert.severity, alert.state, episodes(alert)) == ("critical", "open", [(13.0, None)])
    assert "(the take-off was not seen)" in alert.statement
    assert alert.known[0] == (
        "The take-off was not seen; the vehicle was first heard in flight at 2024-01-18 12:00:04.0 UTC."
    )
    (flight,) = [one for one in said.flights.values() if one.name]
    assert (flight.name, flight.facts["takeoff_seen"]) == ("72", False)


def test_a_vehicle_that_is_first_heard_in_flight_and_lands_is_no_alert() -> None:
    falling = lambda at: LANDED if at >= 20.0 else {"phase": "descent", "altitude": 40.0 - 2 * at}  # noqa: E731
    assert kinds(in_every_order(pass_of(flown(30.0, falling, since=4.0), until=60), mission())) == []


def test_a_frame_or_two_of_noise_in_flight_open_no_flight() -> None:
    said = judged([*flown(5.3, since=5.0), *flown(60.0, lambda at: GROUND, since=20.0)], until=60)
    assert [one.name for one in said.flights.values() if one.name] == []


def test_a_flight_takes_its_true_beginning_when_the_take_off_comes_late() -> None:
    before, after = pass_of(flown(5.0), until=5), pass_of(flown(20.0, since=5.1), until=60)
    later = replace(mission(), vehicles=(replace(mission().vehicles[0], flights=()),))
    records = [replace(one, session=one.session + 5 * SECOND, sequence=n) for n, one in enumerate(after[5:])]
    said = analyze([*records, *before], later)
    names = {one.name: one.facts["state"] for one in said.flights.values() if one.name}
    assert names == {"2024-01-18T12:00:05Z": "superseded", "2024-01-18T12:00:03Z": "silent"}
    assert analyze([*before, *records], later).digest == said.digest


def after_the_silence(at: float) -> dict[str, Any] | None:
    """A silence low in the landing; ground; and the next take-off in the same unbroken stretch."""
    if 20.0 < at < 25.0:
        return None
    if at < 25.0 or at >= 45.0:
        return {}
    return dict(LANDED)


def test_an_end_stays_what_it_was_when_the_next_flight_begins_in_the_same_stretch() -> None:
    first, whole = judged(flown(44.9, after_the_silence), until=80), judged(flown(70.0, after_the_silence), until=80)
    before, after = ({one.flight: one for one in said.incidents}["72"] for said in (first, whole))
    assert (before.close_reason, after.close_reason) == ("contact_restored", "contact_restored")
    assert before.ended_at == after.ended_at


def test_of_two_flights_within_the_hour_of_a_listed_one_the_nearer_has_its_number() -> None:
    near, far = flown(40.0, lambda at: said_at(at)), flown(240.0, lambda at: said_at(at - 200.0), since=200.0)
    said = judged([*near, *far], until=300)
    assert sorted(one.name for one in said.flights.values() if one.name) == ["2024-01-18T12:03:23Z", "72"]


def test_yesterdays_landing_on_the_live_channel_closes_nothing() -> None:
    stored = [
        (100.0 + n / 10, frame_of(1000 + n, [(-500.0 + n / 10, LANDED if n > 20 else {"phase": "hover"})]))
        for n in range(80)
    ]
    said = in_every_order(pass_of([*flown(20.0), *stored], until=150), mission())
    alert = only(said, "ended_before_landing")
    assert (alert.state, alert.close_reason) == ("open", None)


def test_a_clock_that_was_set_back_on_the_ground_hides_no_flight() -> None:
    """Without a boot count nothing says that it is another clock."""
    (vehicle,) = mission().vehicles
    of = replace(mission(), vehicles=(replace(vehicle, meanings=replace(vehicle.meanings, boot_count=None)),))
    before = [(at, o) for at, o in flown(100.0, lambda at: GROUND | {"clock": 2000 + at}, since=0.0)]
    after = flown(150.0, lambda at: (GROUND if at < 120.0 else {"phase": "hover"}) | {"clock": 1000 + at}, since=110.0)
    said = judged([*before, *after], until=200, of=of)
    alert = only(said, "ended_before_landing")
    assert (alert.severity, episodes(alert)) == ("critical", [(153.0, None)])
    assert not any("stood still" in one for one in alert.known)
