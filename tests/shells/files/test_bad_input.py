"""Whatever somebody gives: one clear line and no traceback. What was good before the fault is still reported, with
status 0; the status is 2 where nothing could be said."""

import dataclasses
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.records import Channel
from mcap.writer import Writer

from pipeline.errors import RecordingError
from pipeline.records import Listened, RecordingEnded, Run, encode_record
from pipeline.shells.cli import main
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.recording import ENCODING, MAGIC, RecordingWriter
from pipeline.shells.files.recording_reader import read_recording
from pipeline.shells.files.simulate import write_scenario
from tests.build import root, scenario, scenario_records

RAW = ("--format", "aos", "--frame-length", "1115", "--fecf")
COMMANDS = [("inspect",), ("analyze",)]

# Kinds of the records that an MCAP file is made of; those from 0x80 on are for whoever likes, and skipped.
HEADER: Final = 0x01
CHUNK: Final = 0x06
DATA_END: Final = 0x0F
PRIVATE: Final = 0x80


@pytest.fixture(scope="module")
def nominal(tmp_path_factory):
    path = tmp_path_factory.mktemp("bad") / "nominal.mcap"
    write_scenario("nominal", path)
    return path


def refused(capsys, *words):
    """The one line on standard error, and what stands on standard output."""
    return told(capsys, 2, *words)


def warned(capsys, *words):
    """The same where something could be said."""
    return told(capsys, 0, *words)


def told(capsys, status, *words):
    assert main(list(map(str, words))) == status
    seen = capsys.readouterr()
    assert seen.err.startswith("relaywatch: ")
    assert seen.err.count("\n") == 1
    return seen.err, seen.out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_file_is_named(command, tmp_path, capsys):
    line, out = refused(capsys, *command, tmp_path / "absent.mcap")
    assert line == f"relaywatch: {tmp_path}/absent.mcap: No such file or directory\n"
    assert out == ""


@pytest.mark.parametrize("command", [*COMMANDS, ("inspect", *RAW)])
def test_a_directory_is_no_file(command, tmp_path, capsys):
    line, _ = refused(capsys, *command, tmp_path)
    assert line == f"relaywatch: {tmp_path}: Is a directory\n"


@pytest.mark.parametrize("command", [*COMMANDS, ("inspect", *RAW)])
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(command, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        line, _ = refused(capsys, *command, path)
        assert (
            line == f"relaywatch: {path} is a pipe or a device, and a recording is read more than once: give a file\n"
        )


def test_a_file_whose_name_is_not_utf_8_is_read_and_its_name_shown(nominal, tmp_path):
    named = os.fsencode(tmp_path) + b"/cut\xff.mcap"
    Path(os.fsdecode(named)).write_bytes(nominal.read_bytes()[:-2000])
    words = [sys.executable, "-m", "pipeline.shells.cli", "inspect", named]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=root(), check=False, env=environment)
    assert done.stdout.startswith("1,209 frames\n")
    assert done.stderr.startswith("relaywatch: cut\\udcff.mcap: the file is cut off")


@pytest.mark.parametrize("name", ["empty.mcap", "empty.tlog", "empty.u8"])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_file_is_said_to_be_empty(command, name, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"")
    line, _ = refused(capsys, *command, tmp_path / name)
    assert "is empty: expected a recording (.mcap), a tlog, or transfer frames" in line


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("random.mcap", "not an MCAP file: it does not start with the octets 89 4d 43 41 50 30 0d 0a"),
        ("random.tlog", "no MAVLink message in its 5000 octets"),
        ("random.bin", "neither a recording (.mcap) nor a tlog"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_random_octets_are_told_from_what_their_name_says(command, name, found, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(random.Random(3).randbytes(5000))
    line, out = refused(capsys, *command, path)
    assert str(path) in line
    assert found in line
    assert out == ""


@pytest.mark.parametrize("frame_format", ["tm", "aos"])
@pytest.mark.parametrize("fecf", ["--fecf", "--no-fecf"])
def test_random_octets_read_as_frames_are_all_bad_and_said_so(frame_format, fecf, tmp_path, capsys):
    path = tmp_path / "random.u8"
    path.write_bytes(random.Random(4).randbytes(100_000))
    line, out = refused(capsys, "inspect", path, "--json", "--format", frame_format, "--frame-length", 100, fecf)
    body = orjson.loads(out)
    assert (body["frames"], sum(body["dispositions"].values()), body["channels"]) == (1000, 1000, [])
    assert "none of its 1000 frames is good: are --format, --frame-length and --fecf those of this file?" in line


def test_a_file_of_frames_asks_for_its_format_and_length_with_an_example(shared_data, capsys):
    path = shared_data / "frames-aos/mars2020_frames.u8"
    for words in ((), ("--format", "aos"), ("--frame-length", "1115")):
        line, _ = refused(capsys, "inspect", path, *words)
        assert f"relaywatch inspect {path} --format tm --frame-length 1115 --fecf" in line


@pytest.mark.parametrize("octets", [1, 300, 1114])
def test_what_is_left_after_the_last_whole_frame_is_named_and_the_frames_are_counted(
    octets, shared_data, tmp_path, capsys
):
    path = tmp_path / "cut.u8"
    path.write_bytes((shared_data / "frames-aos/mars2020_frames.u8").read_bytes()[: 900 * 1115 + octets])
    line, out = warned(capsys, "inspect", path, "--json", *RAW)
    assert orjson.loads(out)["dispositions"] == {"good": 900}
    assert f"cut.u8: {octets} octets are left after frame 900: {900 * 1115 + octets} octets are no whole number" in line


def test_another_frame_length_is_a_rest_and_bad_frames(shared_data, capsys):
    path = shared_data / "frames-aos/mars2020_frames.u8"
    assert main(["inspect", str(path), "--format", "aos", "--frame-length", "1113", "--fecf"]) == 2
    seen = capsys.readouterr()
    assert "none of its 951 frames is good: are --format, --frame-length and --fecf those of this file?" in seen.err
    assert "787 octets are left after frame 951" in seen.err


@pytest.mark.parametrize(
    "words", [("--format", "aos", "--frame-length", "0"), ("--format", "tm", "--frame-length", "70000")]
)
def test_a_frame_length_out_of_bounds_says_the_bounds(words, shared_data, capsys):
    line, _ = refused(capsys, "inspect", shared_data / "frames-aos/mars2020_frames.u8", *words)
    assert "give the octets of a frame, 8 to 65536" in line


def test_what_a_recording_says_itself_cannot_be_given(nominal, capsys):
    assert "leave out --format" in refused(capsys, "inspect", nominal, *RAW)[0]
    assert "leave out --frame-length and --fecf" in refused(capsys, "inspect", nominal, "--fecf")[0]


@pytest.mark.parametrize(
    "words",
    [["inspect", "x", "--format", "uslp"], ["inspect", "x", "--frame-length", "ten"], ["analyze"], ["analyse", "x"]],
)
def test_words_that_are_no_command_are_refused_in_one_line_with_a_way_on(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_cut_off_recording_is_reported_up_to_the_cut_which_is_named(command, part, nominal, tmp_path, capsys):
    octets = nominal.read_bytes()
    path = tmp_path / "cut.mcap"
    path.write_bytes(octets[: int(len(octets) * part)])
    line, out = warned(capsys, *command, path, "--json")
    assert "cut.mcap: the file is cut off in what follows offset" in line
    assert f"of {path.stat().st_size} octets; " in line
    last = orjson.loads(out.splitlines()[-1])
    assert last.get("frames", 0) > 0 or len(last.get("digest", "")) == 64


def test_a_flight_whose_recording_is_cut_off_is_a_truncated_recording(nominal, tmp_path, capsys):
    octets = nominal.read_bytes()
    path = tmp_path / "cut.mcap"
    for at in range(len(octets) // 2, 0, -5000):
        path.write_bytes(octets[:at])
        _, out = warned(capsys, "analyze", path, "--json")
        if any(orjson.loads(row).get("type") == "recording_truncated" for row in out.splitlines()):
            return
    pytest.fail("no cut in the flight was told as recording_truncated")


def read(path):
    """What a file gives before its end, and what is said of it."""
    records = []
    try:
        recording = read_recording(path)
        for record in recording:
            records.append(record)
    except RecordingError as fault:
        return records, str(fault)
    return records, recording.cut_off


def octets_of(records):
    return [encode_record(record) for record in records if not isinstance(record, RecordingEnded)]


@given(part=st.floats(0, 1, exclude_max=True))
def test_wherever_a_recording_is_cut_its_records_are_the_first_ones(part, nominal, tmp_path_factory):
    octets = nominal.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.mcap"
    path.write_bytes(octets[: int(len(octets) * part)])
    records, said = read(path)
    good, whole = octets_of(records), octets_of(scenario_records("nominal"))
    assert good == whole[: len(good)]
    assert said is not None
    assert path.name in said
    # A session that the file does not end is ended for it, and not called whole.
    assert [record.whole for record in records[len(good) :]] == [False] * (0 < len(good) < len(whole))


@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_wherever_an_octet_is_damaged_no_record_is_a_wrong_one_and_none_is_missing_in_silence(
    at, flip, nominal, tmp_path_factory
):
    octets = bytearray(nominal.read_bytes())
    octets[int(len(octets) * at)] ^= flip
    path = tmp_path_factory.mktemp("flip") / "flip.mcap"
    path.write_bytes(octets)
    records, said = read(path)
    good, whole = octets_of(records), octets_of(scenario_records("nominal"))
    assert good == whole[: len(good)]
    assert good == whole or said is not None


def test_a_recording_that_has_its_end_and_is_damaged_before_it_is_not_said_to_be_cut_off(nominal, tmp_path):
    """The length of a chunk is damaged: it goes beyond the end of the file."""
    octets = bytearray(nominal.read_bytes())
    chunk = next(at for at, kind in stored_kinds(octets) if kind == CHUNK and at > len(octets) // 2)
    octets[chunk + 5] ^= 0xFF
    path = tmp_path / "longer.mcap"
    path.write_bytes(octets)
    assert "longer.mcap: the file is damaged (a part of it says it has " in read(path)[1]


def test_a_chunk_that_passes_for_something_else_is_missed_by_the_counts(nominal, tmp_path):
    """Its kind, the first octet of it, is damaged: a reader skips what is of another kind."""
    octets = bytearray(nominal.read_bytes())
    chunk = next(at for at, kind in stored_kinds(octets) if kind == CHUNK and at > len(octets) // 2)
    octets[chunk] = PRIVATE
    path = tmp_path / "skipped.mcap"
    path.write_bytes(octets)
    records, said = read(path)
    good, whole = octets_of(records), octets_of(scenario_records("nominal"))
    assert 0 < len(good) < len(whole)
    assert good == whole[: len(good)]
    assert f"message {len(good)} of link rover-a is not there" in said
    assert [record.whole for record in records[len(good) :]] == [False]


def test_a_damaged_first_chunk_of_a_link_ends_the_reading_and_the_records_before_it_are_kept(tmp_path):
    """Nothing says then of which link its later messages are: they are not left out in silence."""
    first = scenario_records("nominal")[:20]
    path = tmp_path / "two.mcap"
    with RecordingWriter(path) as writer:
        for record in [*first, *(dataclasses.replace(record, link="rover-b") for record in first)]:
            writer.write(record, run=Run())
            writer.flush()
    octets = bytearray(path.read_bytes())
    chunks = [at for at, kind in stored_kinds(octets) if kind == CHUNK]
    octets[chunks[len(first)]] = PRIVATE
    path.write_bytes(octets)
    records, said = read(path)
    assert octets_of(records) == octets_of(first)
    assert "a chunk is not there, the one that says of which link channel 2 is; the 20 records before it" in said


@pytest.mark.parametrize("at", [0, 10, 19], ids=["the first chunk", "one in the middle", "the last one"])
def test_a_chunk_that_another_writers_file_lost_is_missed_by_the_count_in_its_index(at, tmp_path):
    """It counts no messages, takes no sum over its data, and says in each chunk again what its channels are."""
    first = scenario_records("nominal")[:20]
    path = tmp_path / "foreign.mcap"
    writer = Writer(str(path), use_chunking=True, enable_data_crcs=False)
    writer.start()
    channel = writer.register_channel("relay.frames", ENCODING, 0, {"key": first[0].link})
    opened = Channel(
        id=channel, topic="relay.frames", message_encoding=ENCODING, metadata={"key": first[0].link}, schema_id=0
    )
    for record in first:
        writer._Writer__chunk_builder.add_channel(opened)
        writer.add_message(channel, 0, encode_record(record), 0)
        writer.flush()
    writer.finish()
    octets = bytearray(path.read_bytes())
    assert read(path) == (read(path)[0], None)
    octets[[at for at, kind in stored_kinds(octets) if kind == CHUNK][at]] = PRIVATE
    path.write_bytes(octets)
    records, said = read(path)
    assert octets_of(records) == octets_of([*first[:at], *first[at + 1 :]])
    assert "1 of the 20 messages of link rover-a are not there; the 19 records that are there are good" in said


@pytest.mark.parametrize(
    ("kind", "said"),
    [(HEADER, "somewhere before offset"), (DATA_END, "nothing in it says that its data end")],
    ids=["header", "end of data"],
)
def test_a_recording_whose_frame_is_damaged_is_read_whole_and_the_damage_named(kind, said, nominal, tmp_path):
    octets = bytearray(nominal.read_bytes())
    octets[next(at for at, found in stored_kinds(octets) if found == kind)] = PRIVATE
    path = tmp_path / "frame.mcap"
    path.write_bytes(octets)
    records, named = read(path)
    assert octets_of(records) == octets_of(scenario_records("nominal"))
    assert said in named


def stored_kinds(octets: bytes) -> Iterator[tuple[int, int]]:
    """Where each record of an MCAP file begins, and its kind: an octet, then the length of the rest in eight."""
    at = len(MAGIC)
    while at < len(octets) - len(MAGIC):
        yield at, octets[at]
        at += 9 + int.from_bytes(octets[at + 1 : at + 9], "little")


@given(octets=st.binary(max_size=300))
def test_any_octets_after_the_magic_are_a_recording_without_records(octets, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "any.mcap"
    path.write_bytes(b"\x89MCAP0\r\n" + octets)
    with pytest.raises(RecordingError, match=r"any\.mcap"):
        list(read_recording(path))


def test_a_listening_record_of_centuries_does_not_stop_the_flow():
    records = list(scenario_records("nominal"))
    last = records[-1]
    endless = Listened(
        link=last.link, session=last.session, sequence=10_000, earth_receive_time=last.earth_receive_time,
        starts_at=0, ends_at=(1 << 63) - 1, frames_heard=1 << 31,
    )  # fmt: skip
    assert (
        analyze([*records[:40], endless, *records[40:]], scenario("nominal").mission).intake.records == len(records) + 1
    )


def test_records_of_an_unknown_link_are_left_out_and_the_others_analyzed():
    records = scenario_records("nominal")
    foreign = [dataclasses.replace(record, link="elsewhere") for record in records[:3]]
    mission = scenario("nominal").mission
    analysis = analyze([*foreign, *records], mission)
    assert analysis.intake.unknown_links == {"elsewhere": 3}
    assert analysis.digest == analyze(records, mission).digest


@pytest.mark.parametrize("reader", ["head -1", "true"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_no_traceback_reaches_the_terminal_where_the_reader_of_the_output_has_enough(
    reader, unbuffered, nominal, tmp_path
):
    path = tmp_path / "cut.mcap"
    path.write_bytes(nominal.read_bytes()[:-2000])
    shell = f"{sys.executable} -m pipeline.shells.cli inspect {path} | {reader}"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, cwd=root(), check=False, env=environment)
    assert done.stdout == ("1,209 frames\n" if reader == "head -1" else "")
    assert "Traceback" not in done.stderr
    assert "BrokenPipeError" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_that_is_started_with_its_output_closed_runs_all_the_same(closed, nominal, tmp_path):
    shell = f"{sys.executable} -m pipeline.shells.cli"
    for words, status in ((f"inspect {nominal}", 0), (f"inspect {tmp_path}/absent.mcap", 2)):
        done = subprocess.run(
            f"{shell} {words} {closed}", shell=True, capture_output=True, text=True, cwd=root(), check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (status, False)
        assert done.stdout.startswith("1,209 frames\n" if (status, closed) == (0, "2>&-") else "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, a disk that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_without_room_for_the_output_is_one_clear_line(unbuffered, nominal):
    shell = f"{sys.executable} -m pipeline.shells.cli inspect {nominal} > /dev/full"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, cwd=root(), check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr == "relaywatch: No space left on device: the output is not whole\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, a disk that is always full")
def test_a_fault_that_cannot_even_be_said_has_its_exit_status(tmp_path):
    shell = f"{sys.executable} -m pipeline.shells.cli inspect {tmp_path} 2> /dev/full"
    assert subprocess.run(shell, shell=True, cwd=root(), check=False).returncode == 2
