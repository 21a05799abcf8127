"""Good frames of somebody whom the mission does not expect."""

from dataclasses import replace
from pathlib import Path

from pymavlink.dialects.v20 import all as mavlink

from pipeline.records import SECOND
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.resources import read_mission
from pipeline.shells.files.tlog import read_tlog
from tests.link import Frame
from tests.test_mavlink_flights import record
from tests.verdicts.flown import episodes, flown, judged, kinds, only, sent


def ghost(at: float, *, scid: int | None = None, vcid: int = 0) -> Frame:
    return at, sent(at, round(at * 10), {}, scid=scid, vcid=vcid)


def test_the_third_frame_of_another_spacecraft_raises_it() -> None:
    analysis = judged([*flown(12.0), *(ghost(at, scid=99) for at in (5.0, 6.5, 8.0, 9.5))])
    incident = only(analysis, "unexpected_source")
    assert (incident.severity, incident.state, incident.subject, incident.vehicle) == ("info", "open", "rover-a", "")
    assert episodes(incident) == [(8.0, None)]
    assert incident.known == ("Spacecraft 99: first good frame at 2024-01-18 12:00:05.0 UTC.",)


def test_two_frames_are_none() -> None:
    assert kinds(judged([*flown(12.0), ghost(5.0, scid=99), ghost(9.0, scid=99)])) == []


def test_frames_for_1_s_are_one() -> None:
    analysis = judged([*flown(12.0), ghost(5.0, scid=99), ghost(6.0, scid=99)])
    assert episodes(only(analysis, "unexpected_source")) == [(6.0, None)]


def test_another_spacecraft_is_one_source_whatever_its_channels() -> None:
    analysis = judged([*flown(12.0), *(ghost(5.0 + 2 * vcid, scid=99, vcid=vcid) for vcid in range(3))])
    assert len(only(analysis, "unexpected_source").known) == 1


def test_channels_that_nobody_expects_are_each_a_source() -> None:
    frames = flown(12.0)
    assert kinds(judged([*frames, *(ghost(5.0 + vcid, vcid=vcid) for vcid in (4, 5, 6))])) == []
    twice = [ghost(at + vcid / 100, vcid=vcid) for at in (5.0, 5.5, 6.0) for vcid in (4, 5)]
    analysis = judged([*frames, *twice])
    assert [known.split(":")[0] for known in only(analysis, "unexpected_source").known] == [
        "Spacecraft 168, virtual channel 4", "Spacecraft 168, virtual channel 5",
    ]  # fmt: skip


def test_they_keep_no_vehicle_in_contact() -> None:
    analysis = judged([*flown(6.0), *(ghost(6.0 + n / 10, scid=99) for n in range(1, 100))])
    assert kinds(analysis) == ["ended_before_landing", "unexpected_source"]
    assert episodes(only(analysis, "ended_before_landing")) == [(9.0, None)]


def test_a_ground_station_and_a_modem_are_expected_on_every_mavlink_link(tmp_path: Path) -> None:
    def found(*systems: int) -> list[str]:
        path = tmp_path / "log.tlog"
        senders = [mavlink.MAVLink(None, srcSystem=system, srcComponent=1) for system in systems]
        beat = mavlink.MAVLink_heartbeat_message(2, 3, 0, 0, 4, 3)
        octets = [record((1_700_000_000 + n) * SECOND, beat, one) for n in range(5) for one in senders]
        path.write_bytes(b"".join(octets))
        mission = read_mission("mavlink")
        mission = replace(mission, vehicles=(replace(mission.vehicles[0], scid=7),))
        return kinds(analyze(read_tlog(path, mission), mission))

    assert found(7, 255, 51) == []
    assert found(7, 255, 51, 8) == ["unexpected_source"]
