"""Recordings published to a real broker."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from pipeline.records import SECOND, DataEnded, FramesReceived, Listened, Record, Run, encode_record
from pipeline.shells.cli import main
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.any_file import open_recording
from pipeline.shells.files.recording import RecordingWriter
from pipeline.shells.files.resources import mission_path, read_mission
from pipeline.shells.files.simulate import write_scenario
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.lag import taken_in_full
from pipeline.shells.kafka.pacing import Step
from pipeline.shells.kafka.publish import publish
from pipeline.topics import frames_message, link_partition, read_headers
from tests.kafka.cluster import found, worker

pytestmark = pytest.mark.kafka

START = 1_700_000_000 * SECOND
MISSION = read_mission("ingenuity")


def listened(link: str, sequence: int, at: int) -> Listened:
    times = {"starts_at": START + (at - 1) * SECOND, "ends_at": START + at * SECOND}
    return Listened(link=link, session=START, sequence=sequence, earth_receive_time=START + at * SECOND, **times)


def ended(link: str, sequence: int) -> DataEnded:
    at = START + 3 * SECOND
    return DataEnded(link=link, session=START, sequence=sequence, earth_receive_time=at, relay_receive_time=at)


RECORDS: list[Record] = [
    FramesReceived(
        link="rover-a", session=START, sequence=0, earth_receive_time=START, frame_length=128,
        relay_receive_times=np.array([START, START + 1]), octets=bytes(256),
    ),
    listened("rover-a", 1, 1), listened("rover-b", 0, 2), ended("rover-a", 2), ended("rover-b", 1),
]  # fmt: skip


def write(path: Path, records: Iterable[Record] = RECORDS) -> Path:
    with RecordingWriter(path, mission_text=mission_path("ingenuity").read_text()) as writer:
        for record in records:
            writer.write(record, run=Run(id="", origin="test"))
    return path


@pytest.fixture
def recording(tmp_path) -> Path:
    return write(tmp_path / "short flight.mcap")


def replay(kafka: str, namespace: str, *words: str) -> int:
    return main(["replay", *words, "--speed", "max", "--kafka", kafka, "--namespace", namespace])


def published(kafka: str, namespace: str) -> list[tuple[int, bytes, bytes, tuple[tuple[str, bytes], ...]]]:
    """Partition, key, value and headers of every record of the frames topic, in order per partition."""

    async def read() -> list[tuple[int, bytes, bytes, tuple[tuple[str, bytes], ...]]]:
        found = []
        async with Cluster(kafka, 20).consumer() as consumer:
            partitions = await Cluster(kafka, 20).subscribe(consumer, f"{namespace}.frames")
            ends = await consumer.end_offsets(partitions)
            async with asyncio.timeout(30):
                while [one for one in partitions if await consumer.position(one) < ends[one]]:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        found += [(one.partition, one.key, one.value, one.headers) for one in records]
        return sorted(found, key=lambda one: one[0])

    return asyncio.run(read())


def runs(kafka: str, namespace: str) -> list[Run]:
    return list(dict.fromkeys(read_headers(headers).run for *_, headers in published(kafka, namespace)))


def put_live(kafka: str, namespace: str, records: Iterable[Record] = RECORDS) -> None:
    steps = (Step(record, 0.0, 0) for record in records)
    asyncio.run(
        publish(steps, Cluster(kafka, 20), namespace=namespace, mission=MISSION, partitions=4, run=Run())
    )  # fmt: skip


def test_what_was_recorded_is_published_octet_for_octet_keyed_by_its_link(kafka, topics, recording, capsys):
    assert replay(kafka, topics, str(recording), "--run", "again") == 0
    expected = sorted(
        (
            (link_partition(MISSION, record.link, 4), record.link.encode(), encode_record(record),
             frames_message(topics, record, Run(id="again", origin="replay")).headers)
            for record in RECORDS
        ),
        key=lambda one: one[0],
    )  # fmt: skip
    assert published(kafka, topics) == expected
    said = capsys.readouterr()
    assert "published 5 records with 2 frames as run again" in said.out
    assert "mission ingenuity has no link rover-b (it has rover-a)" in said.err


def test_each_replay_is_a_run_of_its_own_named_after_its_file(kafka, topics, recording):
    assert replay(kafka, topics, str(recording)) == replay(kafka, topics, str(recording)) == 0
    first, second = runs(kafka, topics)
    assert first.id != second.id
    assert first.id.startswith("short-flight-20")
    assert first.origin == second.origin == "replay"


def test_a_recording_that_is_cut_off_is_published_up_to_there_and_the_rest_is_named(kafka, topics, tmp_path, capsys):
    spread = [listened("rover-a", at, at) for at in range(1, 40)]
    path = write(tmp_path / "cut.mcap", spread)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert replay(kafka, topics, str(path)) == 0
    values = [value for _, _, value, _ in published(kafka, topics)]
    whole = [encode_record(record) for record in spread]
    assert 0 < len(values) - 1 < len(whole)
    assert values[:-1] == whole[: len(values) - 1]
    assert b'"kind":"recording_ended"' in values[-1]
    assert b'"whole":false' in values[-1]
    assert "cut.mcap: the file is cut off" in capsys.readouterr().err


def test_a_replay_does_not_go_among_live_records_unless_it_is_told_to(kafka, topics, recording, capsys):
    put_live(kafka, topics)
    assert replay(kafka, topics, str(recording)) == 2
    assert "holds live records" in capsys.readouterr().err
    assert runs(kafka, topics) == [Run()]
    assert replay(kafka, topics, str(recording), "--into-live", "--run", "told") == 0
    assert set(runs(kafka, topics)) == {Run(), Run(id="told", origin="replay")}


def test_a_namespace_that_was_live_at_first_counts_as_live(kafka, topics, recording):
    put_live(kafka, topics, RECORDS[:1])
    for _ in range(30):
        put_replay = (Step(record, 0.0, 0) for record in RECORDS)
        asyncio.run(
            publish(
                put_replay, Cluster(kafka, 20), namespace=topics, mission=MISSION, partitions=4,
                run=Run(id="many", origin="replay"),
            )
        )  # fmt: skip
    assert replay(kafka, topics, str(recording)) == 2


def test_a_replay_without_topics_names_the_command_that_makes_them(kafka, namespace, recording, capsys):
    assert replay(kafka, namespace, str(recording)) == 2
    assert f"topics create --namespace {namespace}" in capsys.readouterr().err


def test_a_kafka_that_is_not_there_is_one_line_and_status_2(recording, capsys, monkeypatch):
    monkeypatch.setenv("RELAYWATCH_KAFKA_TIMEOUT", "0.5")
    assert replay("127.0.0.1:1", "relay", str(recording)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("relaywatch: no Kafka answers at 127.0.0.1:1 within 0.5 s.")


@pytest.mark.parametrize(
    "words,said",
    [
        (["--run", "a:b"], "--run is 'a:b'"),
        (["--run", "a", "--origin", "live"], "live records belong to no run"),
        (["--run", "a", "--loop"], "--loop gives each lap a run of its own"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_published(words, said, recording, capsys):
    assert replay("127.0.0.1:1", "relay", str(recording), *words) == 2
    assert said in capsys.readouterr().err


def test_a_loop_gives_each_lap_a_run_of_its_own_until_it_is_interrupted(kafka, topics, recording):
    words = ["replay", str(recording), "--speed", "max", "--loop", "--kafka", kafka, "--namespace", topics]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.shells.cli", *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True, env=os.environ,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "lap 3" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
    assert "Traceback" not in rest
    assert len(runs(kafka, topics)) >= 2


def test_a_replay_through_the_worker_comes_to_the_same_digest_as_without_a_broker(kafka, topics, tmp_path):
    path = tmp_path / "flight-17.mcap"
    write_scenario("flight-17", path, order="nearby")
    with worker(kafka, topics, tmp_path) as running:
        running.wait_ready()
        assert replay(kafka, topics, str(path), "--run", "compared") == 0
        asyncio.run(taken_in_full(Cluster(kafka, 20), topics, patience_seconds=60))
    run = Run(id="compared", origin="replay")
    opened = open_recording(path)
    expected = analyze(opened.source, opened.mission, run)
    assert "landing_seen_in_late_data" in [one.close_reason for one in expected.incidents]
    assert asyncio.run(found(kafka, topics, run)).digest == expected.digest
