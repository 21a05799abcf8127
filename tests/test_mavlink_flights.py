"""Real flights of real drones, from telemetry log to verdict, with the shipped mission."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pymavlink.dialects.v20 import all as mavlink

from pipeline.outputs import Revision
from pipeline.records import SECOND
from pipeline.shells.files.analyze import Analysis, analyze
from pipeline.shells.files.resources import read_mission
from pipeline.shells.files.tlog import Tlog, read_tlog
from tests.build import root
from tests.link import decoded

TRUTH = root().parent / "shared" / "data" / "ground-truth.json"
IN_FLIGHT_OCTETS = 463_478
"""Of 20211202-132614.tlog: it then ends armed, at 12.42 m, sinking 1.58 m/s."""


def record(at: int, message: Any, sender: mavlink.MAVLink) -> bytes:
    """A tlog record: microseconds since 1970 and one message."""
    return (at // 1_000).to_bytes(8, "big") + message.pack(sender)


def radio_status(starts_at: int, seconds: int) -> bytes:
    """What a ground modem says once a second, whether or not it hears a vehicle."""
    modem = mavlink.MAVLink(None, srcSystem=51, srcComponent=68)
    return b"".join(
        record(starts_at + n * SECOND, mavlink.MAVLink_radio_status_message(190, 0, 100, 40, 0, 0, 0), modem)
        for n in range(1, seconds + 1)
    )


def last_time(octets: bytes) -> int:
    """Nanoseconds, of the last record in whole records."""
    at = time = 0
    while at < len(octets):
        time = int.from_bytes(octets[at : at + 8], "big") * 1_000
        at += 8 + 10 + octets[at + 9] + 2
    assert at == len(octets)
    return time


@cache
def run(path: Path) -> tuple[Analysis, Tlog]:
    mission = read_mission("mavlink")
    tlog = read_tlog(path, mission)
    return analyze(tlog, mission), tlog


def types(analysis: Analysis) -> list[str]:
    return [incident.type for incident in analysis.incidents]


def flights(analysis: Analysis) -> list[dict[str, Any]]:
    return [flight.facts for flight in analysis.flights.values() if flight.name]


def accounting(analysis: Analysis) -> dict[str, Any]:
    """Of all vehicles together."""
    accounts = [flight.facts for flight in analysis.flights.values() if not flight.name]
    return {
        name: {key: value for account in accounts for key, value in account[name].items()}
        for name in ("links", "channels")
    }


@pytest.fixture(scope="session")
def clean_flight(shared_data: Path) -> Path:
    return shared_data / "mavlink" / "20211202-132614.tlog"


def tlogs() -> list[Any]:
    """Every real tlog with what is known to be in it, or one placeholder whose test says that they are absent."""
    if not TRUTH.is_file():
        return [pytest.param(None, id="no real recordings")]
    entries = json.loads(TRUTH.read_text())
    return [pytest.param(one, id=one["file"]) for one in entries if one["file"].startswith("mavlink/")]


@pytest.mark.parametrize("entry", tlogs())
def test_what_is_said_of_a_real_tlog_is_the_truth_that_comes_with_it(entry: dict[str, Any], shared_data: Path) -> None:
    analysis, _ = run(shared_data / entry["file"])
    verified = entry["verified"]
    sources = verified.get("sources", verified["messages"])
    received = {name: channel["received"] for name, channel in accounting(analysis)["channels"].items()}
    assert received == {f"mavlink/{source}": number for source, number in sources.items()}
    flown = [
        round(one.get("max_rel_alt", one.get("max_m")), 1)
        for one in verified.get("flights_armed_to_disarmed", verified.get("flights"))
        if one.get("max_rel_alt", one.get("max_m")) > 1.0
    ]
    found = sorted(flights(analysis), key=lambda facts: str(facts["takeoff_at"]))
    assert [one["highest_altitude_m"] for one in found] == pytest.approx(flown, abs=0.15)
    assert [one["state"] for one in found] == ["landed"] * len(flown)
    reboots = [
        (one["boot_ms_before"], one["boot_ms_after"]) if isinstance(one, dict) else tuple(one[1:])
        for one in verified.get("vehicle_reboots", verified.get("reboots"))
    ]
    restarts = sum(len(one.episodes) for one in analysis.incidents if one.type == "vehicle_restart")
    assert restarts == sum(before - after > 2000 for before, after in reboots)
    assert set(types(analysis)) <= {"vehicle_restart"}


def test_a_flight_that_lands_and_disarms_raises_nothing(clean_flight: Path) -> None:
    analysis, _ = run(clean_flight)
    assert types(analysis) == []
    (facts,) = flights(analysis)
    assert facts["state"] == "landed"
    assert facts["takeoff_at"].startswith("2021-12-02T16:26:51")
    assert facts["landing_confirmed_at"].startswith("2021-12-02T16:34:06")
    assert facts["highest_altitude_m"] == pytest.approx(30.8, abs=0.05)
    assert facts["silences"] == []


def test_every_message_of_a_real_log_is_accounted_for(clean_flight: Path) -> None:
    analysis, _ = run(clean_flight)
    assert accounting(analysis)["links"]["mavlink"] == {"good": 12_023}
    channel = accounting(analysis)["channels"]["mavlink/10/1"]
    assert (channel["received"], channel["gaps"], channel["missing"]) == (12_023, 1, 1)


def test_a_log_that_stops_in_the_air_is_a_truncated_recording_and_no_loss(clean_flight: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.tlog"
    path.write_bytes(clean_flight.read_bytes()[:IN_FLIGHT_OCTETS])
    analysis, tlog = run(path)
    assert tlog.cut_off is None, "the cut falls between two records"
    (incident,) = analysis.incidents
    assert (incident.type, incident.state, incident.severity) == ("recording_truncated", "open", "warning")
    assert "12.4 m" in incident.statement
    assert "not proven" in incident.statement
    assert incident.evidence["listened_after_last_frame_s"] == 0
    assert flights(analysis)[0]["state"] == "incomplete"


def test_a_log_cut_inside_a_message_says_where_and_is_truncated_too(clean_flight: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.tlog"
    path.write_bytes(clean_flight.read_bytes()[: IN_FLIGHT_OCTETS - 5])
    analysis, tlog = run(path)
    assert tlog.cut_off is not None
    assert tlog.cut_off.startswith("cut.tlog: record 10951 at offset ")
    assert types(analysis) == ["recording_truncated"]
    assert analysis.incidents[0].evidence["recording_whole"] is False


def ended(analysis: Analysis) -> Revision:
    (incident,) = analysis.incidents
    assert incident.type == "ended_before_landing"
    return incident


def test_the_same_log_with_a_modem_that_goes_on_listening_ended_before_landing(
    clean_flight: Path, tmp_path: Path
) -> None:
    path = tmp_path / "listened.tlog"
    octets = clean_flight.read_bytes()[:IN_FLIGHT_OCTETS]
    path.write_bytes(octets + radio_status(last_time(octets), 60))
    analysis, _ = run(path)
    incident = ended(analysis)
    assert (incident.state, incident.severity, incident.confirmed) == ("open", "critical", True)
    assert incident.starts_at == last_time(octets)
    assert incident.raised_at == last_time(octets) + 3 * SECOND
    assert incident.evidence["last_altitude_m"] == pytest.approx(12.42, abs=0.01)
    assert incident.evidence["last_climb_rate_m_s"] == pytest.approx(-1.36, abs=0.01), "of VFR_HUD"
    assert accounting(analysis)["channels"]["mavlink/51/68"]["received"] == 60


def test_three_seconds_of_listening_prove_a_loss_and_two_do_not(clean_flight: Path, tmp_path: Path) -> None:
    octets = clean_flight.read_bytes()[:IN_FLIGHT_OCTETS]
    found = {}
    for seconds in (2, 3):
        path = tmp_path / f"listened-{seconds}.tlog"
        path.write_bytes(octets + radio_status(last_time(octets), seconds))
        found[seconds] = types(run(path)[0])
    assert found == {2: ["recording_truncated"], 3: ["ended_before_landing"]}


def test_a_modem_that_reports_all_along_makes_no_other_story_of_a_landing(clean_flight: Path, tmp_path: Path) -> None:
    octets = clean_flight.read_bytes()
    path = tmp_path / "landed.tlog"
    path.write_bytes(with_modem(octets) + radio_status(last_time(octets), 60))
    analysis, _ = run(path)
    assert types(analysis) == []
    assert flights(analysis)[0]["state"] == "landed"
    assert accounting(analysis)["channels"]["mavlink/51/68"]["received"] > 400


def test_a_modem_that_is_unplugged_in_flight_is_no_outage_and_no_loss(clean_flight: Path, tmp_path: Path) -> None:
    octets = clean_flight.read_bytes()
    half = IN_FLIGHT_OCTETS
    path = tmp_path / "unplugged.tlog"
    path.write_bytes(with_modem(octets[:half]) + octets[half:])
    analysis, _ = run(path)
    assert types(analysis) == []
    assert flights(analysis)[0]["state"] == "landed"


def with_modem(octets: bytes) -> bytes:
    """The records with a RADIO_STATUS after the first one of each second."""
    return b"".join(_with_modem(octets))


def _with_modem(octets: bytes) -> Iterator[bytes]:
    at = second = 0
    while at < len(octets):
        end = at + 8 + 10 + octets[at + 9] + 2
        yield octets[at:end]
        time = int.from_bytes(octets[at : at + 8], "big") * 1_000
        if time // SECOND != second:
            second = time // SECOND
            yield radio_status(time - SECOND, 1)
        at = end


def test_armed_for_nine_seconds_and_never_risen_is_no_flight(shared_data: Path) -> None:
    analysis, tlog = run(shared_data / "mavlink" / "20211202-133659.tlog")
    assert types(analysis) == []
    assert flights(analysis) == []
    assert tlog.notes == [], "zeros at the end of a file are no clock"
    assert tlog.cut_off is not None
    assert "722 records before it" in tlog.cut_off


def test_a_vehicle_switched_off_and_on_on_the_ground_restarts(shared_data: Path) -> None:
    """The file is broken off at both, and its clock set back: how long it was is not known, so any time is possible."""
    analysis, tlog = run(shared_data / "mavlink" / "20211208-151717.tlog")
    (incident,) = analysis.incidents
    assert (incident.type, incident.severity, len(incident.episodes)) == ("vehicle_restart", "warning", 2)
    assert ["200.0 s" in incident.known[0], "498.5 s" in incident.known[1]] == [True, True]
    assert [note.split(": ")[1].split(" offset")[0] for note in tlog.notes] == [
        "writing was broken off before",
        "the clock is set back by 168.218 s at",
        "writing was broken off before",
        "the clock is set back by 467.582 s at",
    ]
    (facts,) = flights(analysis)
    assert facts["state"] == "landed"
    assert facts["highest_altitude_m"] == pytest.approx(25.4, abs=0.1)


def test_a_clock_that_jumps_forward_in_a_file_is_no_silence_that_was_listened_to(shared_data: Path) -> None:
    analysis, _ = run(shared_data / "mavlink" / "20211208-151717.tlog")
    assert accounting(analysis)["links"]["mavlink"] == {"bad:version": 2, "good": 19_384}
    assert not any(flight["silences"] for flight in flights(analysis))


def test_a_log_that_starts_in_the_air_with_pauses_of_two_to_four_seconds_raises_nothing(shared_data: Path) -> None:
    """Nobody shows that anything was listened to in the pauses, and no take-off was seen."""
    analysis, _ = run(shared_data / "mavlink" / "vtol.tlog")
    assert types(analysis) == []


def test_messages_that_come_in_bursts_are_counted_by_their_sequence_and_not_by_time(shared_data: Path) -> None:
    analysis, _ = run(shared_data / "mavlink" / "vtol.tlog")
    channel = accounting(analysis)["channels"]["mavlink/1/1"]
    assert (channel["received"], channel["gaps"], channel["missing"]) == (23_894, 22, 1_200)
    assert channel["ambiguous"], "a sequence number modulo 256 cannot tell 54 from 310"


def test_a_mavlink_state_saved_and_restored_after_every_record_says_the_same(shared_data: Path) -> None:
    mission = read_mission("mavlink")
    records = list(read_tlog(shared_data / "mavlink" / "20211202-133659.tlog", mission))
    straight = decoded(records, mission)[1]
    assert sum(len(readings.times) for telemetry in straight for readings in telemetry.readings) > 50
    assert decoded(records, mission, rests=frozenset(range(len(records))))[1] == straight
