"""What is said of vehicles that speak MAVLink, kind by kind: which component it is, how long a state counts, what a
reboot is, and that neither order nor repetition changes any of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import all as mavlink

from pipeline.mission.model import Mission
from pipeline.records import SECOND, Record
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.resources import read_mission
from pipeline.shells.files.tlog import read_tlog
from tests.mavlink_log import (
    FLOWN,
    START,
    Log,
    every,
    flight,
    flights,
    incidents,
    judged,
    profile,
    standing,
)

LOST = [("ended_before_landing", "system-1", "critical", None)]
FALLS = profile((2, 0), (7, 30), (12, 30), (20, 0))
NO_VEHICLE = (
    mavlink.MAV_TYPE_ONBOARD_CONTROLLER, mavlink.MAV_TYPE_GIMBAL, mavlink.MAV_TYPE_CAMERA, mavlink.MAV_TYPE_ADSB,
    mavlink.MAV_TYPE_ANTENNA_TRACKER, mavlink.MAV_TYPE_GCS,
)  # fmt: skip


def heard_on(log: Log, until: float = 40.0) -> Log:
    """A ground station shows that the log goes on."""
    return log.ground_station(every(1.0, until, 0.1))


# -- which component the vehicle is --------------------------------------------------------------------------------


@pytest.mark.parametrize("component", [1, 7, 250])
@pytest.mark.parametrize("kind", NO_VEHICLE)
def test_only_the_autopilot_says_armed_whatever_else_has_a_heartbeat(component: int, kind: int, tmp_path: Path) -> None:
    log = flight(17.5, component=component)
    other = 191 if component != 191 else 192
    log.heartbeats(every(0.5, 40, 0.2), 1, other, armed=lambda at: False, kind=kind, autopilot=0)
    log.heartbeats(every(0.5, 40, 0.4), 1, 100, armed=lambda at: False, kind=2, autopilot=8)
    analysis = judged(log, tmp_path)
    assert incidents(analysis) == LOST
    assert standing(analysis)[0].starts_at == START + 17_400_000_000
    assert flights(analysis) == [("system-1", "silent")]


def test_another_component_that_goes_on_proves_listening_and_keeps_no_vehicle_alive(tmp_path: Path) -> None:
    log = flight(17.5)
    for at in every(1.0, 40):
        log.say(at + 0.05, mavlink.MAVLink_param_value_message(b"X", 1.0, 9, 1, 0), 1, 240)
    (incident,) = standing(judged(log, tmp_path))
    assert (incident.type, incident.starts_at) == ("ended_before_landing", START + 17_400_000_000)
    assert (incident.raised_at - incident.starts_at) / SECOND == pytest.approx(incident.evidence["loss_limit_s"])


def test_which_component_it_is_may_be_known_late(tmp_path: Path) -> None:
    """Its first HEARTBEAT comes when it has long been flying."""
    log = heard_on(Log().positions(every(0.2, 18), FLOWN))
    log.heartbeats(every(1.0, 18, 12.0), armed=lambda at: True)
    log.landed_states(every(1.0, 18, 12.5), lambda at: 2)
    # Before the first HEARTBEAT nothing says that it is armed.
    assert flights(judged(log, tmp_path)) in ([], [("system-1", "silent")])


def test_two_heartbeats_are_no_vehicle(tmp_path: Path) -> None:
    log = heard_on(Log().positions(every(0.2, 18), FLOWN).heartbeats([0.3, 2.3], armed=lambda at: at > 1))
    analysis = judged(log, tmp_path)
    assert incidents(analysis) == []
    assert flights(analysis) == []


def test_every_system_of_a_swarm_is_judged_by_itself(tmp_path: Path) -> None:
    log = flight(17.5, 3)
    flight(40.0, 4, log=log)
    flight(40.0, 200, log=log, kind=mavlink.MAV_TYPE_FIXED_WING)
    analysis = judged(log, tmp_path)
    assert incidents(analysis) == [("ended_before_landing", "system-3", "critical", None)]
    assert flights(analysis) == [("system-200", "landed"), ("system-3", "silent"), ("system-4", "landed")]


def named(system: int) -> Mission:
    """The shipped mission, with a vehicle of that system id named before it."""
    mission = read_mission("mavlink")
    (entry,), (link,) = mission.vehicles, mission.links
    own = replace(entry, name="heron", scid=system)
    return replace(mission, vehicles=(own, entry), links=(replace(link, vehicles=("heron", "vehicle")),))


def test_a_system_that_the_mission_names_has_that_name(tmp_path: Path) -> None:
    log = flight(17.5, 9)
    flight(40.0, 4, log=log)
    analysis = judged(log, tmp_path, named(9))
    assert incidents(analysis) == [("ended_before_landing", "heron", "critical", None)]
    assert flights(analysis) == [("heron", "silent"), ("system-4", "landed")]


def test_every_message_is_in_a_count_those_of_a_ground_station_too(tmp_path: Path) -> None:
    analysis = judged(heard_on(flight(40.0)), tmp_path)
    accounts = [one.facts for one in analysis.flights.values() if not one.name]
    counts = {name: one["received"] for account in accounts for name, one in account["channels"].items()}
    assert counts == {"mavlink/1/1": 240, "mavlink/255/190": 40}
    assert [account["links"] for account in accounts if account["links"]] == [{"mavlink": {"good": 280}}]


@pytest.mark.parametrize(
    "kind", [mavlink.MAV_TYPE_GROUND_ROVER, mavlink.MAV_TYPE_SURFACE_BOAT, mavlink.MAV_TYPE_SUBMARINE]
)
def test_what_does_not_fly_opens_no_flight(kind: int, tmp_path: Path) -> None:
    analysis = judged(heard_on(flight(18.0, kind=kind)), tmp_path)
    assert (incidents(analysis), flights(analysis)) == ([], [])


# -- a state has an age ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [1.0, 3.16, 4.8])
def test_a_slow_word_on_ground_is_outlived_by_a_take_off(period: float, tmp_path: Path) -> None:
    log = heard_on(flight(17.5, rate=3.2))
    log.landed_states(every(period, 17.5, 1.9 - period / 2), lambda at: 1 if at < 2.4 else 2)
    analysis = judged(log, tmp_path)
    assert incidents(analysis) == LOST
    assert flights(analysis) == [("system-1", "silent")]


@pytest.mark.parametrize("falls", [2.0, 4.0, 9.0])
def test_disarmed_while_falling_is_not_landed(falls: float, tmp_path: Path) -> None:
    height = profile((2, 0), (7, 30), (12, 30), (12 + 30 / falls, 0))
    log = heard_on(flight(14.5, height=height, armed=lambda at: 1.5 <= at < 12))
    analysis = judged(log, tmp_path)
    assert incidents(analysis) == LOST
    (incident,) = standing(analysis)
    assert incident.evidence["last_phase"] == "disarmed_in_air"


@pytest.mark.parametrize("site", [-3.0, 0.0, 1.1, 12.0])
def test_a_landing_site_at_any_height_is_one_where_the_altitude_is_steady(site: float, tmp_path: Path) -> None:
    height = profile((2, 0), (9, 15), (15, 15), (25, site))
    analysis = judged(heard_on(flight(40.0, height=height, armed=lambda at: 1.5 <= at < 27)), tmp_path)
    assert (incidents(analysis), flights(analysis)) == ([], [("system-1", "landed")])


def test_after_a_silence_only_what_was_received_after_it_says_how_things_stand(tmp_path: Path) -> None:
    """in_air was said just before 4.5 s of nothing; then the vehicle stands on the ground."""
    log = heard_on(flight(19.0, height=profile((2, 0), (7, 6), (15, 6), (21, 0))), 60)
    log.landed_states(every(0.5, 19.0, 3.0), lambda at: 2)
    log.heartbeats(every(1.0, 45, 23.6), armed=lambda at: False).positions(every(0.2, 45, 23.5), lambda at: 0.0)
    (incident,) = standing(judged(log, tmp_path))
    assert (incident.type, incident.close_reason) == ("ended_before_landing", "contact_restored")


# -- altitude and landed state --------------------------------------------------------------------------------------


def local(at: float, height: float) -> Any:
    return mavlink.MAVLink_local_position_ned_message(round(at * 1000) + 9000, 1.0, 2.0, -height, 0, 0, 0)


def relative(at: float, height: float) -> Any:
    return mavlink.MAVLink_altitude_message(0, 0, 0, 0, height, 0, 0)


def hud(at: float, height: float) -> Any:
    return mavlink.MAVLink_vfr_hud_message(0, 0, 0, 0, 612.5 + height, 0.0)


@pytest.mark.parametrize("message", [local, relative, hud])
def test_any_message_that_says_how_high_opens_a_flight(message: Any, tmp_path: Path) -> None:
    log = heard_on(Log().heartbeats(every(1.0, 18, 0.3), armed=lambda at: at >= 1.5))
    for at in every(0.2, 18):
        log.say(at, message(at, FLOWN(at)))
    analysis = judged(log, tmp_path)
    assert incidents(analysis) == LOST
    assert standing(analysis)[0].evidence["highest_altitude_m"] == pytest.approx(10.0, abs=0.05)


def test_the_landed_state_is_a_flight_by_itself_for_who_is_armed(tmp_path: Path) -> None:
    def of(armed_from: float) -> list[tuple[str, str]]:
        log = heard_on(Log().heartbeats(every(1.0, 18, 0.3), armed=lambda at: at >= armed_from))
        log.landed_states(every(0.5, 18, 0.1), lambda at: 1 if at < 2 else 3 if at < 4 else 2)
        return flights(judged(log, tmp_path))

    assert of(1.5) == [("system-1", "silent")]
    assert of(99.0) == [], "in_air while disarmed never opens a flight"


def test_armed_alone_is_no_flight(tmp_path: Path) -> None:
    log = heard_on(Log().heartbeats(every(1.0, 18, 0.3), armed=lambda at: at >= 1.5))
    assert flights(judged(log, tmp_path)) == []


def test_heartbeats_alone_are_no_telemetry(tmp_path: Path) -> None:
    log = heard_on(flight(12.0)).heartbeats(every(0.5, 40, 12.2), armed=lambda at: True)
    (incident,) = [one for one in standing(judged(log, tmp_path)) if one.type == "data_silent"]
    assert incident.starts_at == START + 11_800_000_000
    assert 3 * SECOND <= incident.raised_at - incident.starts_at <= 10 * SECOND


def test_position_mode_and_errors_are_told_as_known(tmp_path: Path) -> None:
    log = heard_on(flight(17.5, mode=3))
    for at, severity, text in ((1.0, 2, b"at the start"), (16.0, 2, b"Crash: Disarming"), (16.5, 6, b"a notice")):
        log.say(at, mavlink.MAVLink_statustext_message(severity, text))
    (incident,) = standing(judged(log, tmp_path))
    assert incident.evidence["last_mode"] == "AUTO"
    assert incident.evidence["last_position"] == {
        "at": "2023-11-14T22:13:37.400000000Z", "latitude_deg": 47.1234567, "longitude_deg": 8.54321,
        "height_m": pytest.approx(437.6), "speed_m_s": 3.0, "course_deg": 0.0,
    }  # fmt: skip
    known = " ".join(incident.known)
    assert "Last known position 47.123457°, 8.543210° at 2023-11-14 22:13:37.4 UTC; speed 3.0 m/s, course 0°." in known
    assert "'Crash: Disarming'" in known
    assert "a notice" not in known


def test_a_position_that_is_old_is_told_with_its_age(tmp_path: Path) -> None:
    log = heard_on(flight(12.0)).heartbeats(every(0.5, 18, 12.1), armed=lambda at: True)
    log.landed_states(every(0.5, 18, 12.3), lambda at: 2)
    (incident,) = [one for one in standing(judged(log, tmp_path)) if one.type == "ended_before_landing"]
    assert any("s before the last good frame" in one for one in incident.known)


# -- reboots --------------------------------------------------------------------------------------------------------


def rebooted(at: float, quiet: float, since_boot: float, until: float = 40.0, system: int = 1) -> Log:
    """Falls quiet at an instant, and goes on with another boot."""
    log = flight(at, system)
    log.heartbeats(every(1.0, until, at + quiet), system, armed=lambda now: now < 26)
    return log.positions(every(0.2, until, at + quiet), FLOWN, system, boot=since_boot - at - quiet)


@pytest.mark.parametrize(("quiet", "since_boot"), [(2.0, 0.5), (1.0, 2.9), (2.8, 0.0)])
def test_a_reboot_in_flight_is_a_restart_and_no_step_of_the_clock(
    quiet: float, since_boot: float, tmp_path: Path
) -> None:
    analysis = judged(heard_on(rebooted(12.0, quiet, since_boot)), tmp_path)
    assert incidents(analysis) == [("vehicle_restart", "system-1", "critical", None)]
    assert standing(analysis)[0].raised_at == START + round((12 + quiet) * SECOND)
    assert flights(analysis) == [("system-1", "landed")]


def test_a_reboot_on_the_ground_is_a_warning(tmp_path: Path) -> None:
    height = profile((0, 0), (1, 0))
    log = heard_on(flight(12.0, height=height, armed=lambda at: False))
    log.heartbeats(every(1.0, 40, 30.3), armed=lambda at: False)
    log.positions(every(0.2, 40, 30.0), height, boot=-14.0)
    assert incidents(judged(log, tmp_path)) == [("vehicle_restart", "system-1", "warning", None)]


def test_a_time_that_no_boot_can_have_is_stored_data(tmp_path: Path) -> None:
    log = heard_on(flight(40.0)).positions(every(0.2, 14, 12), lambda at: 9.0, boot=60.0)
    assert "vehicle_restart" not in [one.type for one in standing(judged(log, tmp_path))]
    assert "clock_step" not in [one.type for one in standing(judged(log, tmp_path))]


def test_the_clock_goes_round_after_49_days_and_the_vehicle_does_not_restart(tmp_path: Path) -> None:
    wraps_at = 12.0
    log = heard_on(Log().heartbeats(every(1.0, 40, 0.3), armed=lambda at: 1.5 <= at < 26))
    for at in every(0.2, 40):
        since_boot = (1 << 32) - round(wraps_at * 1000) + round(at * 1000)
        log.say(at, mavlink.MAVLink_global_position_int_message(
            since_boot % (1 << 32), 0, 0, 0, round(FLOWN(at) * 1000), 0, 0, 0, 0,
        ))  # fmt: skip
    analysis = judged(log, tmp_path)
    assert (incidents(analysis), flights(analysis)) == ([], [("system-1", "landed")])


def test_two_components_have_two_clocks(tmp_path: Path) -> None:
    log = heard_on(flight(40.0)).heartbeats(every(1.0, 40, 0.5), 1, 2, armed=lambda at: False, kind=30, autopilot=8)
    for at in every(0.2, 40, 0.1):
        log.say(at, mavlink.MAVLink_attitude_message(round(at * 1000), 0, 0, 0, 0, 0, 0), 1, 2)
    assert incidents(judged(log, tmp_path)) == []


# -- the usual pause ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [3.5, 5.0, 12.0])
def test_a_link_on_which_everything_comes_in_bunches_is_not_lost_between_two(pause: float, tmp_path: Path) -> None:
    height = profile((8 * pause, 0), (13 * pause, 30), (30 * pause, 30))
    beats = every(pause, 20 * pause)
    log = heard_on(Log().heartbeats(beats, armed=lambda at: at >= 7 * pause), 30 * pause)
    log.positions([at + 0.4 for at in beats], height)
    (incident,) = standing(judged(log, tmp_path))
    assert (incident.type, incident.close_reason) == ("ended_before_landing", None)
    last = START + round((beats[-1] + 0.4) * SECOND)
    assert incident.starts_at == last
    assert incident.raised_at - last == round(4 * (pause - 0.4) * SECOND)


# -- order and repetition -------------------------------------------------------------------------------------------


def stories() -> dict[str, Log]:
    swarm = flight(17.5, 3)
    flight(40.0, 4, log=swarm)
    slow = heard_on(flight(17.5, rate=3.2)).landed_states(every(3.16, 17.5, 0.6), lambda at: 1 if at < 2.4 else 2)
    companion = flight(17.5, component=5)
    companion.heartbeats(every(0.5, 40, 0.2), 1, 191, armed=lambda at: False, kind=18, autopilot=0)
    return {
        "lands": heard_on(flight(40.0)), "lost": heard_on(flight(17.5)), "swarm": swarm, "slow": slow,
        "companion": companion, "reboots": heard_on(rebooted(12.0, 2.0, 0.5)),
        "falls": heard_on(flight(14.5, height=FALLS, armed=lambda at: 1.5 <= at < 12)),
    }  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Record]]:
    mission, folder = read_mission("mavlink"), tmp_path_factory.mktemp("logs")
    return {name: list(read_tlog(log.write(folder, f"{name}.tlog"), mission)) for name, log in stories().items()}


@settings(max_examples=10, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", sorted(stories()))
def test_records_in_any_order_and_more_than_once_say_the_same(
    name: str, recorded: dict[str, list[Record]], data: st.DataObject
) -> None:
    records, mission = recorded[name], read_mission("mavlink")
    shuffled = data.draw(st.permutations(records))
    again = data.draw(st.lists(st.sampled_from(records), max_size=3))
    assert analyze([*shuffled, *again], mission).digest == analyze(records, mission).digest
