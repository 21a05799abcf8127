import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.writer import Writer

from pipeline.errors import RecordingError
from pipeline.records import (
    MAX_FRAMES_HEARD,
    MAX_SIGNAL_LEVEL_DBM,
    SECOND,
    DataEnded,
    DeliveryStopped,
    FramesReceived,
    Listened,
    RecordingEnded,
    Run,
)
from pipeline.shells.files.recording import ENCODING, RecordingWriter
from pipeline.shells.files.recording_reader import read_recording
from pipeline.topics import frames_message
from tests.build import scenario_records

NOON = 1_705_579_200 * SECOND
REPLAY = Run(id="r1", origin="replay")

times = st.integers(0, 2**63 - 1)
links = st.sampled_from(["rover-a", "rover-b", "orbiter é"])
common = {"link": links, "session": times, "sequence": st.integers(0, 2**63 - 1), "earth_receive_time": times}
locks = st.sampled_from(["in_lock", "out_of_lock", "not_in_use", "unknown"])


@st.composite
def frames_records(draw):
    frames = draw(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5))
    is_fixed = draw(st.booleans())
    if is_fixed:
        frames = [frame[:1] * len(frames[0]) for frame in frames]
    received = draw(st.lists(times, min_size=len(frames), max_size=len(frames)))
    return FramesReceived(
        **{name: draw(one) for name, one in common.items()},
        relay_receive_times=np.array(received, np.int64),
        octets=b"".join(frames),
        lengths=None if is_fixed else tuple(map(len, frames)),
        frame_length=len(frames[0]) if is_fixed else 0,
    )


@st.composite
def listened(draw):
    starts_at, ends_at = sorted((draw(times), draw(times)))
    return Listened(
        **{name: draw(one) for name, one in common.items()},
        starts_at=starts_at,
        ends_at=ends_at,
        carrier_lock=draw(locks),
        signal_level_dbm=draw(st.none() | st.floats(-MAX_SIGNAL_LEVEL_DBM, MAX_SIGNAL_LEVEL_DBM)),
        frames_heard=draw(st.none() | st.integers(0, MAX_FRAMES_HEARD)),
    )


records = st.one_of(
    frames_records(),
    listened(),
    st.builds(DataEnded, **common, relay_receive_time=times),
    st.builds(DeliveryStopped, **common),
    st.builds(RecordingEnded, **common, whole=st.booleans()),
)


def written(path, some_records, run=REPLAY, mission_text=None):
    with RecordingWriter(path, mission_text=mission_text) as writer:
        for record in some_records:
            writer.write(record, run=run)
    return path


def silence(second, **changes):
    """A listening record of one second, and nothing heard."""
    starts_at = NOON + second * SECOND
    record = Listened(
        link="rover-a", session=NOON, sequence=second, earth_receive_time=starts_at + SECOND,
        starts_at=starts_at, ends_at=starts_at + SECOND,
    )  # fmt: skip
    return dataclasses.replace(record, **changes)


@given(some_records=st.lists(records, min_size=1, max_size=12))
def test_records_come_back_with_the_same_key_octets_and_headers_in_order_of_arrival(some_records, tmp_path_factory):
    path = written(tmp_path_factory.mktemp("recording") / "any.mcap", some_records)
    recording = read_recording(path)
    back = list(recording)
    sent = [frames_message("relay", record, REPLAY) for record in some_records]
    assert [frames_message("relay", record, recording.runs[record.link]) for record in back[: len(sent)]] == sent
    assert all(isinstance(record, RecordingEnded) for record in back[len(sent) :])
    assert (recording.cut_off, recording.notes) == (None, [])


def test_a_message_from_kafka_is_recorded_octet_for_octet(tmp_path):
    sent = [frames_message("relay", record, REPLAY) for record in scenario_records("flight-72")[:50]]
    with RecordingWriter(tmp_path / "kafka.mcap") as writer:
        for message in sent:
            writer.write_message(message)
    recording = read_recording(tmp_path / "kafka.mcap")
    back = list(recording)[: len(sent)]
    assert [frames_message("relay", record, recording.runs[record.link]) for record in back] == sent


def test_a_channel_holds_one_link_with_the_headers_that_are_the_same_for_all_of_it(tmp_path):
    path = written(tmp_path / "two.mcap", [silence(0), silence(0, link="rover-b"), silence(1)])
    with path.open("rb") as file:
        channels = make_reader(file).get_summary().channels.values()
    assert [(channel.topic, channel.metadata) for channel in channels] == [
        (
            "relay.frames",
            {
                "key": link, "ce_specversion": "1.0", "ce_source": f"links/{link}", "ce_subject": link,
                "ce_origin": "replay", "ce_run": "r1",
            },
        )
        for link in ("rover-a", "rover-b")
    ]  # fmt: skip


def test_log_time_is_when_it_reached_the_ground_and_publish_time_when_the_relay_had_it(tmp_path):
    path = written(tmp_path / "times.mcap", [silence(0), silence(1, earth_receive_time=NOON + 60 * SECOND)])
    with path.open("rb") as file:
        messages = [message for _, _, message in make_reader(file).iter_messages(log_time_order=False)]
    assert [message.log_time for message in messages] == [NOON + SECOND, NOON + 60 * SECOND]
    assert [message.publish_time for message in messages] == [NOON + SECOND, NOON + 2 * SECOND]
    assert [message.sequence for message in messages] == [0, 1]


def test_log_time_never_goes_back_so_whoever_sorts_by_it_keeps_the_order_of_arrival(tmp_path):
    arrived = list(scenario_records("flight-72", "shuffled"))
    path = written(tmp_path / "shuffled.mcap", arrived)
    with path.open("rb") as file:
        stored = [message.data for _, _, message in make_reader(file).iter_messages()]
    assert stored == [frames_message("relay", record, REPLAY).value for record in arrived]


def test_the_mission_travels_in_front_of_the_records(tmp_path):
    path = written(tmp_path / "mission.mcap", [silence(0)], mission_text="name = 'ingenuité'\n")
    assert read_recording(path).mission_text == "name = 'ingenuité'\n"
    assert read_recording(written(tmp_path / "bare.mcap", [silence(0)])).mission_text is None


def test_a_session_without_its_own_end_is_ended_by_the_end_of_the_file(tmp_path):
    ended = DataEnded(
        link="rover-b", session=NOON, sequence=1, earth_receive_time=NOON + SECOND, relay_receive_time=NOON + SECOND
    )
    path = written(tmp_path / "open.mcap", [silence(0), silence(0, link="rover-b"), ended, silence(4)])
    assert [record for record in read_recording(path) if isinstance(record, RecordingEnded)] == [
        RecordingEnded(link="rover-a", session=NOON, sequence=5, earth_receive_time=NOON + 5 * SECOND, whole=True)
    ]


def test_a_recorder_that_was_killed_loses_the_last_second(tmp_path):
    path = tmp_path / "killed.mcap"
    writer = RecordingWriter(path)
    for second in range(10):
        writer.write(silence(second), run=REPLAY)
    left = path.read_bytes()  # what is on the disk when the process is gone
    writer.close()
    (tmp_path / "left.mcap").write_bytes(left)
    recording = read_recording(tmp_path / "left.mcap")
    back = list(recording)
    assert [record.sequence for record in back[:-1]] == list(range(9))
    assert back[-1] == RecordingEnded(
        link="rover-a", session=NOON, sequence=9, earth_receive_time=NOON + 9 * SECOND, whole=False
    )
    assert "the 9 records before it are good" in recording.cut_off


def test_a_large_record_is_in_the_file_before_its_second_is_over(tmp_path):
    path = tmp_path / "large.mcap"
    writer = RecordingWriter(path)
    frames = FramesReceived(
        link="rover-a", session=NOON, sequence=0, earth_receive_time=NOON, frame_length=1 << 18,
        relay_receive_times=np.array([NOON], np.int64), octets=np.random.default_rng(1).bytes(1 << 18),
    )  # fmt: skip
    writer.write(frames, run=REPLAY)
    (tmp_path / "left.mcap").write_bytes(path.read_bytes())
    writer.close()
    assert next(iter(read_recording(tmp_path / "left.mcap"))).octets == frames.octets


def test_the_same_records_give_the_same_octets(tmp_path):
    some_records = scenario_records("flight-17")
    one = written(tmp_path / "one.mcap", some_records, mission_text="x")
    assert one.read_bytes() == written(tmp_path / "other.mcap", some_records, mission_text="x").read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda m: m._replace(headers=(*m.headers, ("traceparent", b"00-1"))), "header traceparent is b'00-1'"),
        (lambda m: m._replace(headers=m.headers[::-1]), "another order"),
        (lambda m: m._replace(value=m.value.replace(b":", b": ")), "is not written as relaywatch writes it"),
        (lambda m: m._replace(value=b"{}"), "record kind is not one of"),
        (lambda m: m._replace(headers=m.headers[1:]), "no header ce_specversion"),
        (lambda m: m._replace(key=b"\xff"), "utf-8"),
    ],
    ids=["another header", "order of headers", "other spelling", "no record", "no headers", "key"],
)
def test_a_record_that_could_not_be_written_back_is_refused_by_name(change, named, tmp_path):
    message = change(frames_message("relay", silence(7), REPLAY))
    with RecordingWriter(tmp_path / "refused.mcap") as writer, pytest.raises(RecordingError) as refused:
        writer.write_message(message)
    assert f"(r1/rover-a/{NOON}/7) of relay.frames: it cannot be recorded" in str(refused.value)
    assert named in str(refused.value)


def test_a_second_run_of_a_link_goes_to_a_file_of_its_own(tmp_path):
    with RecordingWriter(tmp_path / "runs.mcap") as writer:
        writer.write(silence(0), run=REPLAY)
        with pytest.raises(RecordingError, match="its ce_run is 'r2', the channel's is 'r1'"):
            writer.write(silence(1), run=Run(id="r2", origin="replay"))
        writer.write(silence(1), run=REPLAY)
    assert len(list(read_recording(tmp_path / "runs.mcap"))) == 3


def test_a_time_before_1970_is_refused(tmp_path):
    with RecordingWriter(tmp_path / "old.mcap") as writer, pytest.raises(RecordingError, match="before 1970"):
        writer.write(silence(0, earth_receive_time=-1), run=REPLAY)


def test_a_message_that_is_no_record_is_named_and_the_rest_is_read(tmp_path):
    path = tmp_path / "spoilt.mcap"
    writer = Writer(str(path))
    writer.start()
    channel = writer.register_channel("relay.frames", ENCODING, 0, {"key": "rover-a", "ce_origin": "live"})
    for value in (
        frames_message("relay", silence(0), REPLAY).value,
        b"{}",
        frames_message("relay", silence(2), REPLAY).value,
    ):
        writer.add_message(channel, 0, value, 0)
    writer.finish()
    recording = read_recording(path)
    assert [record.sequence for record in recording] == [0, 2, 3]
    assert recording.notes == [
        "spoilt.mcap: record 2 of link rover-a is left out: record kind is not one of end_of_data, listened, "
        "no_delivery, received, recording_ended"
    ]


def test_a_file_of_another_program_is_named_by_what_it_holds(tmp_path):
    path = tmp_path / "robot.mcap"
    writer = Writer(str(path))
    writer.start()
    channel = writer.register_channel("/camera/image", "cdr", 0)
    writer.add_message(channel, 0, b"x", 0)
    writer.finish()
    with pytest.raises(RecordingError, match=r"has no records of relaywatch: it holds /camera/image"):
        list(read_recording(path))
