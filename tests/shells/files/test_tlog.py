"""A tlog as records of a receiver: what it shows of listening, and what is left of a broken file."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import all as mavlink

from pipeline.errors import RecordingError
from pipeline.records import SECOND, FramesReceived, Listened, Record, RecordingEnded
from pipeline.shells.files.resources import read_mission
from pipeline.shells.files.tlog import Tlog, read_tlog

START = 1_700_000_000 * SECOND


class Writer:
    """The octets of a tlog, a message after the other."""

    def __init__(self) -> None:
        self.octets = b""
        self.vehicle = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
        self.modem = mavlink.MAVLink(None, srcSystem=51, srcComponent=68)

    def write(self, at: float, message: Any, sender: mavlink.MAVLink) -> "Writer":
        time = START + round(at * SECOND)
        self.octets += (time // 1_000).to_bytes(8, "big") + message.pack(sender)
        return self

    def heartbeat(self, at: float) -> "Writer":
        return self.write(at, mavlink.MAVLink_heartbeat_message(2, 3, 0, 0, 4, 3), self.vehicle)

    def radio(self, at: float) -> "Writer":
        return self.write(at, mavlink.MAVLink_radio_status_message(190, 0, 100, 40, 0, 0, 0), self.modem)

    def raw(self, octets: bytes) -> "Writer":
        self.octets += octets
        return self


def read(octets: bytes, folder: Path) -> tuple[list[Record], Tlog]:
    path = folder / "flight.tlog"
    path.write_bytes(octets)
    tlog = read_tlog(path, read_mission("mavlink"))
    return list(tlog), tlog


def listened(records: list[Record]) -> list[tuple[float, float]]:
    """Seconds after the start, neighbours joined."""
    joined: list[tuple[float, float]] = []
    for one in records:
        if isinstance(one, Listened):
            first, last = (one.starts_at - START) / SECOND, (one.ends_at - START) / SECOND
            if joined and first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
            else:
                joined.append((first, last))
    return joined


def frames(records: list[Record]) -> int:
    return sum(len(one.relay_receive_times) for one in records if isinstance(one, FramesReceived))


def test_a_vehicle_alone_proves_no_listening(tmp_path: Path) -> None:
    writer = Writer()
    for at in range(10):
        writer.heartbeat(at)
    records, tlog = read(writer.octets, tmp_path)
    assert listened(records) == []
    assert frames(records) == 10
    assert tlog.others == {}


def test_two_records_of_the_modem_three_seconds_apart_make_a_listened_interval_and_four_do_not(tmp_path: Path) -> None:
    records, _ = read(Writer().heartbeat(0).radio(10).radio(13).radio(17).octets, tmp_path)
    assert listened(records) == [(10, 13)]


def test_a_record_of_the_modem_and_one_of_the_vehicle_make_a_listened_interval(tmp_path: Path) -> None:
    records, _ = read(Writer().heartbeat(0).radio(2).octets, tmp_path)
    assert listened(records) == [(0, 2)]
    records, _ = read(Writer().radio(0).heartbeat(2).octets, tmp_path)
    assert listened(records) == [(0, 2)]


def test_a_silence_of_the_modem_is_never_bridged(tmp_path: Path) -> None:
    writer = Writer().heartbeat(0)
    for at in (1, 2, 3, 40, 41, 43):
        writer.radio(at)
    records, _ = read(writer.octets, tmp_path)
    assert listened(records) == [(0, 3), (40, 43)]


def test_where_the_modem_stops_the_vehicle_shows_moments_and_no_intervals(tmp_path: Path) -> None:
    writer = Writer().heartbeat(0).radio(1)
    for at in range(2, 10):
        writer.heartbeat(at)
    records, _ = read(writer.octets, tmp_path)
    assert listened(records) == [(0, 4), (5, 5), (6, 6), (7, 7), (8, 8), (9, 9)]


def test_the_modem_says_nothing_of_the_vehicle_and_goes_no_further(tmp_path: Path) -> None:
    records, tlog = read(Writer().heartbeat(0).radio(1).radio(2).octets, tmp_path)
    assert frames(records) == 1
    assert tlog.others == {(51, 68): 2}


def test_a_listening_record_follows_every_frame_received_before_its_end(tmp_path: Path) -> None:
    writer = Writer()
    for at in range(20):
        writer.heartbeat(at).radio(at + 0.5)
    records, _ = read(writer.octets, tmp_path)
    reached = -1
    for one in records:
        if isinstance(one, Listened):
            reached = max(reached, one.ends_at)
        elif isinstance(one, FramesReceived):
            assert min(one.relay_receive_times) >= reached


def test_a_session_ends_with_the_recording_and_counts_its_records_from_0(tmp_path: Path) -> None:
    records, _ = read(Writer().heartbeat(0).radio(1).radio(2).octets, tmp_path)
    assert isinstance(records[-1], RecordingEnded)
    assert records[-1].whole
    assert [one.sequence for one in records] == list(range(len(records)))
    assert {one.session for one in records} == {START}


@pytest.mark.parametrize("left", range(1, 29))
def test_a_truncated_last_record_leaves_all_before_it_readable(left: int, tmp_path: Path) -> None:
    whole = Writer().heartbeat(0).heartbeat(1).octets
    last = Writer().heartbeat(2).octets
    assert len(last) == 29
    records, tlog = read(whole + last[:left], tmp_path)
    assert frames(records) == 2
    assert tlog.cut_off is not None
    assert tlog.cut_off.startswith(f"flight.tlog: record 3 at offset {len(whole)} stops after {left} octets")
    assert isinstance(records[-1], RecordingEnded)
    assert not records[-1].whole


def test_a_message_that_fails_its_check_is_one_bad_frame_and_the_next_is_read(tmp_path: Path) -> None:
    octets = bytearray(Writer().heartbeat(0).heartbeat(1).heartbeat(2).octets)
    octets[29 + 20] ^= 0xFF
    records, tlog = read(bytes(octets), tmp_path)
    assert frames(records) == 3
    assert tlog.cut_off is None


def test_octets_that_are_no_message_are_one_bad_frame_and_what_follows_is_read(tmp_path: Path) -> None:
    writer = Writer().heartbeat(0).raw(bytes(100)).heartbeat(1)
    records, tlog = read(writer.octets, tmp_path)
    assert frames(records) == 3
    assert tlog.cut_off is None
    assert tlog.notes == []


def test_a_clock_set_back_in_the_file_goes_on_and_is_told(tmp_path: Path) -> None:
    records, tlog = read(Writer().heartbeat(600).heartbeat(77).heartbeat(78).octets, tmp_path)
    (one,) = [one for one in records if isinstance(one, FramesReceived)][:1]
    times = [int(at) for one in records if isinstance(one, FramesReceived) for at in one.relay_receive_times]
    assert [(at - START) / SECOND for at in times] == [600, 600, 601]
    assert tlog.notes == [
        "flight.tlog: the clock is set back by 523.000 s at offset 29; receive times go on from the record before"
    ]
    assert one.session == START + 600 * SECOND


def test_a_clock_set_forward_is_left_as_it_stands(tmp_path: Path) -> None:
    records, tlog = read(Writer().heartbeat(0).heartbeat(3369).octets, tmp_path)
    times = [int(at) for one in records if isinstance(one, FramesReceived) for at in one.relay_receive_times]
    assert times[1] - times[0] == 3369 * SECOND
    assert tlog.notes == []


def test_a_time_beside_octets_that_are_no_message_moves_no_clock(tmp_path: Path) -> None:
    far = (4_000_000_000 * 1_000_000).to_bytes(8, "big")
    records, tlog = read(Writer().heartbeat(0).raw(far + b"\xfejunk").heartbeat(1).octets, tmp_path)
    assert [one.earth_receive_time for one in records][-1] == START + SECOND
    assert tlog.notes == []


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "is empty: expected a tlog"),
        (bytes(4096), "no MAVLink message in its 4096 octets"),
        (b"\xfe" * 300, "no MAVLink message"),
        (b"x", "no MAVLink message in its 1 octets"),
    ],
)
def test_a_file_that_is_no_tlog_is_refused_in_one_line(octets: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as caught:
        read(octets, tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_mission_without_mavlink_are_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"none\.tlog: No such file"):
        read_tlog(tmp_path / "none.tlog", read_mission("mavlink"))
    with pytest.raises(RecordingError, match="a tlog needs a mission with a link of format mavlink, and ingenuity"):
        read_tlog(tmp_path / "none.tlog", read_mission("ingenuity"))


@given(st.binary(max_size=400), st.integers(1, 3))
def test_random_octets_after_good_messages_lose_none_of_them(
    tmp_path_factory: pytest.TempPathFactory, octets: bytes, good: int
) -> None:
    writer = Writer()
    for at in range(good):
        writer.heartbeat(at)
    records, _ = read(writer.octets + octets, tmp_path_factory.getbasetemp())
    assert frames(records) >= good
    assert isinstance(records[-1], RecordingEnded)


@given(st.binary(min_size=1, max_size=400))
def test_random_octets_alone_are_no_tlog(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    with pytest.raises(RecordingError, match="no MAVLink message"):
        read(octets, tmp_path_factory.getbasetemp())
