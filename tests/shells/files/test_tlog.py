"""A tlog as records of a receiver: its messages with their times, and what is left of a broken file."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import all as mavlink

from pipeline.errors import RecordingError
from pipeline.records import SECOND, FramesReceived, Record, RecordingEnded
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


def frames(records: list[Record]) -> int:
    return sum(len(one.relay_receive_times) for one in records if isinstance(one, FramesReceived))


def seconds(records: list[Record]) -> list[float]:
    """Receive times of all frames, in order of arrival, after the start."""
    times = [int(at) for one in records if isinstance(one, FramesReceived) for at in one.relay_receive_times]
    return [(at - START) / SECOND for at in times]


def test_every_message_is_a_frame_also_those_of_the_ground(tmp_path: Path) -> None:
    records, _ = read(Writer().heartbeat(0).radio(1).radio(2).octets, tmp_path)
    assert seconds(records) == [0, 1, 2]
    assert {type(one) for one in records} == {FramesReceived, RecordingEnded}


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
    records, tlog = read(Writer().heartbeat(599).heartbeat(600).heartbeat(77).heartbeat(78).octets, tmp_path)
    assert seconds(records) == [599, 600, 600, 601]
    assert tlog.notes == [
        "flight.tlog: the clock is set back by 523.000 s at offset 58; receive times go on from the record before"
    ]


def test_a_clock_set_forward_is_left_as_it_stands(tmp_path: Path) -> None:
    records, tlog = read(Writer().heartbeat(0).heartbeat(3369).octets, tmp_path)
    assert seconds(records) == [0, 3369]
    assert tlog.notes == []


@pytest.mark.parametrize("place", range(9))
@pytest.mark.parametrize("bad", [-1_700_000_000, -90_000, -30, 20, 4_000, 2_300_000_000])
@pytest.mark.parametrize("of_them", [1, 2])
def test_a_bad_time_is_set_aside_and_named_and_what_follows_keeps_its_own(
    place: int, bad: float, of_them: int, tmp_path: Path
) -> None:
    times = [one / 2 for one in range(10)]
    if place + of_them > 9 or (place == 0 and of_them > 1) or (place == 0 and -86_400 < bad < 0):
        pytest.skip("what came first and what was set cannot be told there")
    writer = Writer()
    for number, at in enumerate(times):
        writer.heartbeat(at + bad if place <= number < place + of_them else at)
    records, tlog = read(writer.octets, tmp_path)
    found = seconds(records)
    assert [at for number, at in enumerate(found) if not place <= number < place + of_them] == [
        at for number, at in enumerate(times) if not place <= number < place + of_them
    ]
    assert all(0 <= at <= 5 for at in found), "a bad time is nobody's time"
    assert len(tlog.notes) == of_them
    assert tlog.notes[0].startswith(f"flight.tlog: the time of record {place + 1} at offset {29 * place}, ")


def test_messages_without_times_are_answered_in_words(tmp_path: Path) -> None:
    with_times = Writer().heartbeat(0).heartbeat(1).radio(2).heartbeat(3).octets
    without = b"".join(with_times[at + 8 : at + 29] for at in (0, 29))
    with pytest.raises(RecordingError, match="without receive times"):
        read(without, tmp_path)


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
