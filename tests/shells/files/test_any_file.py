import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MissionError, RecordingError
from pipeline.shells.files.any_file import FrameFile, kind_of, open_recording
from pipeline.shells.files.resources import mission_path
from pipeline.shells.files.simulate import write_records, write_scenario
from tests.build import scenario_records


@pytest.fixture
def nominal(tmp_path):
    path = tmp_path / "nominal.mcap"
    write_scenario("nominal", path)
    return path


def test_a_file_is_known_by_its_octets_and_not_by_its_name(nominal, shared_data, tmp_path):
    renamed = nominal.rename(tmp_path / "nominal.tlog.bin")
    copy = tmp_path / "flight.dat"
    copy.write_bytes((shared_data / "mavlink/20211202-132614.tlog").read_bytes()[:5000])
    assert kind_of(renamed) == "recording"
    assert kind_of(copy) == "tlog"
    assert kind_of(shared_data / "frames-aos/mars2020_frames.u8") == "frames"
    assert kind_of(shared_data / "mavlink/vtol.tlog") == "tlog"


def test_the_mission_is_the_given_one_before_the_one_inside(nominal, tmp_path):
    assert open_recording(nominal).mission.name == "ingenuity"
    assert open_recording(nominal, mission="mavlink").mission.name == "mavlink"
    other = tmp_path / "other.toml"
    other.write_text(mission_path("ingenuity").read_text().replace('name = "ingenuity"', 'name = "other"', 1))
    assert open_recording(nominal, mission=str(other)).mission.name == "other"


def test_a_tlog_without_a_mission_is_of_any_vehicle_that_speaks_mavlink(shared_data):
    assert open_recording(shared_data / "mavlink/vtol.tlog").mission.name == "mavlink"


def test_a_recording_without_a_mission_asks_for_one(tmp_path):
    path = tmp_path / "bare.mcap"
    write_records(scenario_records("nominal"), path)
    with pytest.raises(RecordingError, match="no mission stands in this recording: give one"):
        open_recording(path)
    assert len(list(open_recording(path, mission="ingenuity").source)) == len(scenario_records("nominal"))


def test_a_mission_inside_that_cannot_be_used_is_named_with_its_file(tmp_path):
    path = tmp_path / "spoilt.mcap"
    write_records(scenario_records("nominal"), path, mission_text="name = 3\n")
    with pytest.raises(MissionError, match=r"spoilt\.mcap, the mission inside:1: name"):
        open_recording(path)


def test_a_file_of_frames_has_no_receive_times_and_is_sent_to_inspect(shared_data):
    with pytest.raises(RecordingError, match=r"no receive times: .* relaywatch inspect .*mars2020_frames\.u8 --format"):
        open_recording(shared_data / "frames-aos/mars2020_frames.u8")


@given(octets=st.binary(min_size=1, max_size=400), length=st.integers(8, 60))
def test_the_frames_of_a_file_are_its_octets_and_what_is_left_is_named(octets, length, tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "some.u8"
    path.write_bytes(octets)
    file = FrameFile(path, length)
    frames = [frame for batch in file.batches() for frame in batch]
    whole = len(octets) // length
    assert frames == [octets[at * length : (at + 1) * length] for at in range(whole)]
    left = len(octets) - whole * length
    assert file.octets_read == len(octets)
    if left:
        assert file.rest is not None
        assert file.rest.startswith(f"some.u8: {left} octets are left after frame {whole}:")
    else:
        assert file.rest is None


def test_a_large_file_of_frames_is_read_in_parts(tmp_path):
    path = tmp_path / "large.u8"
    path.write_bytes(bytes(1_000_000))
    assert [len(batch) for batch in FrameFile(path, 1000).batches()] == [262, 262, 262, 214]


@pytest.mark.parametrize("length", [-1, 0, 7, 65_537])
def test_a_frame_length_that_cannot_be_one_is_refused(length, tmp_path):
    path = tmp_path / "some.u8"
    path.write_bytes(bytes(100))
    with pytest.raises(RecordingError, match=f"--frame-length is {length}: give the octets of a frame, 8 to 65536"):
        FrameFile(path, length)


def test_whether_frames_have_a_check_is_found_out_by_trial(shared_data):
    assert FrameFile(shared_data / "frames-aos/mars2020_frames.u8", 1115).has_frame_error_control_field()
    assert not FrameFile(shared_data / "frames-tm/aditya_frames.u8", 221).has_frame_error_control_field()
