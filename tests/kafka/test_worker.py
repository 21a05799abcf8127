"""The worker on a real Kafka says what the broker-less run says, and nothing that it is sent stops it."""

import asyncio
import base64
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from pipeline import topics as records_of
from pipeline.flow import LinkState, decode
from pipeline.outputs import Revision
from pipeline.records import MAX_JSON_OCTETS, MAX_RECORD_OCTETS, FramesReceived, Origin, Run
from pipeline.shells.files.analyze import analyze
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.topics_admin import create_topics
from pipeline.shells.kafka.topics_needed import changelog_topic
from pipeline.shells.kafka.unpacking import MOST_OCTETS
from pipeline.topics import TOPICS
from tests.build import scenario, scenario_records
from tests.kafka.cluster import RUN, found, publish, read, relocated, wait_for, wait_until_done, worker

pytestmark = pytest.mark.kafka


def test_kafka_and_the_broker_less_run_say_the_same_of_flight_72(kafka: str, topics: str, tmp_path: Path) -> None:
    records, mission = scenario_records("flight-72"), scenario("flight-72").mission
    expected = analyze(records, mission, RUN)
    asyncio.run(publish(kafka, topics, records, mission))
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        closed = {"vehicle": "ingenuity", "type": "ended_before_landing", "origin": "test"}
        wait_for(
            lambda: bool(running.metric("relay_incident_closed_timestamp_seconds", **closed)),
            lambda: running.get("/metrics")[1],
        )
        nothing_waits = {"topic": "telemetry", "partition": "0"}
        wait_for(lambda: running.metric("relay_consumer_lag_records", **nothing_waits) == 0, running.text, running)
        metrics = running.get("/metrics")[1]
        assert running.end() == 0
    seen = asyncio.run(found(kafka, topics))
    assert list(seen.revisions.values()) == relocated((one.body() for one in expected.revisions), topics)
    assert sorted(seen.flights) == sorted(expected.flights)
    assert [seen.flights[key] for key in sorted(seen.flights)] == relocated(
        (expected.flights[key].body() for key in sorted(expected.flights)), topics
    )
    assert seen.digest == expected.digest
    assert seen.duplicates == 0
    assert len(asyncio.run(read(kafka, topics, "frames"))) == len(records)
    assert len(asyncio.run(read(kafka, topics, "telemetry"))) == len(records)
    assert asyncio.run(read(kafka, topics, "rejected")) == []
    _check_metrics(metrics, expected.revisions)


def _check_metrics(text: str, revisions: list[Revision]) -> None:
    """Every frame of flight 72 under its disposition, as its scenario says; what it says of incidents; nothing of
    another origin."""
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("relay_")
    }

    def of(name: str, **labels: str) -> float:
        return found[(name, *sorted(labels.items()))]

    records, mission, state = scenario_records("flight-72"), scenario("flight-72").mission, LinkState()
    for offset, record in enumerate(records):
        decode(state, record, Origin("recording", 0, offset), mission)
    assert sum(state.dispositions.values()) == sum(
        len(one.relay_receive_times) for one in records if isinstance(one, FramesReceived)
    )
    for disposition, count in state.dispositions.items():
        kind, _, reason = disposition.partition(":")
        labels = {"link": "rover-a", "disposition": kind, "reason": reason}
        assert of("relay_frames_total", origin="test", **labels) == count, disposition
        assert of("relay_frames_total", origin="live", **labels) == 0
    alert = {"vehicle": "ingenuity", "type": "ended_before_landing"}
    assert of("relay_incidents_opened_total", origin="test", **alert) == len(
        {one.incident_id for one in revisions if one.type == "ended_before_landing"}
    )
    assert of("relay_incidents_active", origin="test", severity="critical", **alert) == 0
    assert of("relay_incidents_by_state", origin="test", vehicle="ingenuity", state="unacknowledged") == 0
    assert of("relay_watermark_timestamp_seconds", origin="test", link="rover-a") > 1.7e9
    assert of("relay_records_taken_total", stage="decode") == len(records)
    assert of("relay_lateness_seconds_count", origin="test") > 0
    assert of("relay_delivery_seconds_count", origin="test") == len(revisions)
    assert of("relay_worker_ready") == 1
    assert of("relay_last_progress_timestamp_seconds", stage="watch") == pytest.approx(time.time(), abs=60)
    assert of("relay_watermark_timestamp_seconds", origin="live", link="rover-a") == 0
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=text.encode(), check=True, timeout=20)


def test_ready_is_false_until_the_partitions_are_assigned(kafka: str, topics: str, tmp_path: Path) -> None:
    with worker(kafka, topics, tmp_path) as running:
        answers = []
        while not answers or answers[-1][0] != 200:
            assert running.process.poll() is None, running.text()
            answers.append(running.get("/ready"))
        assert running.get("/live") == (200, "live\n")
        assert running.get("/nothing")[0] == 404
        assert running.end() == 0
    first = next(text for status, text in answers if status == 503)
    assert first.startswith("not ready: ")
    assert answers[-1] == (200, "ready\n")


def test_two_runs_side_by_side_do_not_meet(kafka: str, topics: str, tmp_path: Path) -> None:
    mission = scenario("flight-72").mission
    runs = {Run(id="a", origin="test"): "frames-late", Run(id="b", origin="replay"): "relay-outage"}

    async def publish_both() -> None:
        await asyncio.gather(
            *(publish(kafka, topics, scenario_records(name), mission, run) for run, name in runs.items())
        )

    asyncio.run(publish_both())
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
    for run, name in runs.items():
        expected = analyze(scenario_records(name), mission, run)
        seen = asyncio.run(found(kafka, topics, run))
        assert seen.digest == expected.digest
        assert list(seen.revisions) == [(one.incident_id, one.revision) for one in expected.revisions]


BAD = Run(id="bad", origin="test")
CODECS = ("gzip", "snappy", "lz4", "zstd")


async def _publish_bad(kafka: str, namespace: str) -> dict[str, int]:
    """Records that cannot be taken, each with the reason to expect; gives reason → how many."""
    record = scenario_records("flight-72")[0]
    good = records_of.frames_message(namespace, record, BAD)
    headers = list(good.headers)
    [said] = decode(LinkState(), record, Origin("recording", 0, 0), scenario("flight-72").mission)
    of_telemetry = records_of.telemetry_message(namespace, said, BAD)
    frames, telemetry = good.topic, of_telemetry.topic
    bad = [
        ("undecodable", frames, b"rover-a", b"\x00\xff" * 300, headers, 0),
        ("undecodable", frames, b"rover-a", b"RWF1" + bytes(40), headers, 0),
        ("undecodable", frames, b"rover-a", b"[" * 5000, headers, 0),
        ("undecodable", frames, b"rover-a", None, headers, 0),
        ("bad_headers", frames, b"rover-a", good.value, [], 0),
        ("bad_headers", frames, b"rover-a", good.value, [(name, b"\xff\xfe") for name, _ in headers], 0),
        ("bad_headers", frames, b"rover-a", good.value, [(name, None) for name, _ in headers], 0),
        ("bad_headers", frames, b"rover-a", good.value, list(of_telemetry.headers), 0),
        ("unknown_link", frames, b"rover-z", good.value, headers, 1),
        ("no_key", frames, None, good.value, headers, 0),
        ("no_key", frames, b"\xff", good.value, headers, 0),
        ("wrong_partition", frames, b"rover-a", good.value, headers, 2),
        ("too_large", frames, b"rover-a", bytes(MAX_RECORD_OCTETS + 1), headers, 0),
        ("too_large", frames, b"rover-a", b"{" + bytes(MAX_JSON_OCTETS), headers, 0),
        ("bad_headers", frames, b"rover-a", good.value, [*headers, ("x", bytes(16 << 10))], 0),
        ("bad_headers", frames, b"rover-a", good.value, [*headers, *((f"x{one}", b"") for one in range(64))], 0),
        ("undecodable", telemetry, b"ingenuity", b'{"a": 1}', list(of_telemetry.headers), 0),
        *(
            ("undecodable", telemetry, b"ingenuity", orjson.dumps(body | changed), list(of_telemetry.headers), 0)
            for body in [orjson.loads(of_telemetry.value)]
            for changed in ({"origin": ["f", 0, "x"]}, {"earth_receive_time": 0.5}, {"vehicle": "sojourner"})
        ),
        ("unknown_vehicle", telemetry, b"sojourner", of_telemetry.value, list(of_telemetry.headers), 0),
    ]
    async with AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=8 << 20) as producer:
        for _, topic, key, value, its_headers, partition in bad:
            await producer.send_and_wait(topic, value, key=key, partition=partition, headers=its_headers)
    for codec in CODECS:
        # A few kilobytes on the wire.
        async with AIOKafkaProducer(
            bootstrap_servers=kafka, compression_type=codec, max_request_size=2 * MOST_OCTETS
        ) as producer:
            await producer.send_and_wait(frames, bytes(MOST_OCTETS), key=b"rover-a", partition=0, headers=headers)
    reasons = [reason for reason, *_ in bad] + ["too_large" for _ in CODECS]
    return {reason: reasons.count(reason) for reason in reasons}


def test_bad_records_are_rejected_with_octets_reason_and_origin_and_the_stream_goes_on(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    records, mission = scenario_records("frames-late")[:700], scenario("frames-late").mission
    asyncio.run(publish(kafka, topics, records[:400], mission))
    reasons = asyncio.run(_publish_bad(kafka, topics))
    for place, codec in enumerate(CODECS):
        part = records[400 + 75 * place : 475 + 75 * place]
        asyncio.run(publish(kafka, topics, part, mission, compression=codec))
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        metrics = running.get("/metrics")[1]
        assert running.end() == 0
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, mission, RUN).digest
    rejected = [orjson.loads(one.value) for one in asyncio.run(read(kafka, topics, "rejected"))]
    assert {reason: sum(one["reason"] == reason for one in rejected) for reason in reasons} == reasons
    assert len(rejected) == sum(reasons.values())
    first = next(one for one in rejected if one["origin"]["offset"] == 400 and one["reason"] == "undecodable")
    assert base64.b64decode(first["octets"]) == b"\x00\xff" * 300
    assert first["origin"] == {"topic": TOPICS["frames"].full_name(topics), "partition": 0, "offset": 400}
    for reason, count in reasons.items():
        assert f'relay_records_rejected_total{{reason="{reason}"}} {count}.0' in metrics


def _refused(*arguments: str) -> str:
    """The one line with which `relaywatch worker` says that it cannot run."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.shells.cli", "worker", "--metrics-port", "0", *arguments],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if not re.search(r" (INFO|WARNING) +pipeline", line)]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return said[0]


@pytest.mark.parametrize("supervisor", [(), ("--no-supervisor",)], ids=["supervised", "alone"])
def test_a_missing_topic_is_one_clear_line(kafka: str, namespace: str, supervisor: tuple[str, ...]) -> None:
    assert re.search(
        rf"^relaywatch: Kafka at {kafka} has no topic {namespace}\.frames, .*: run `relaywatch topics create",
        _refused("--kafka", kafka, "--namespace", namespace, *supervisor),
    )


def test_a_kafka_that_is_not_there_is_one_clear_line() -> None:
    assert _refused("--kafka", "127.0.0.1:1", "--kafka-timeout", "0.5", "--no-supervisor").startswith(
        "relaywatch: no Kafka answers at 127.0.0.1:1 within 0.5 s."
    )


def test_a_topic_that_was_made_anew_under_its_state_is_said_and_never_skipped(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    records, mission = scenario_records("relay-outage")[:50], scenario("relay-outage").mission
    asyncio.run(publish(kafka, topics, records, mission))
    with worker(kafka, topics, tmp_path, "--instance", "one") as running:
        asyncio.run(wait_until_done(kafka, topics, running))

    async def make_anew() -> None:
        async with Cluster(kafka).admin() as admin:
            await admin.delete_topics([TOPICS["frames"].full_name(topics)])
        async with asyncio.timeout(30):
            while not any(one.outcome == "made" for one in await create_topics(Cluster(kafka), topics)):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    asyncio.run(make_anew())
    asyncio.run(publish(kafka, topics, records[:10], mission))
    with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as running:
        assert running.process.wait(60) == 2
        assert f"{topics}.frames is another topic (" in running.text()
        assert "it was deleted and made anew" in running.text()


def test_a_changelog_in_which_others_wrote_is_refused_by_name_and_not_waited_for(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    changelog = changelog_topic(topics, "links")

    async def write() -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            await producer.send_and_wait(changelog, b"{}", key=b"rubbish", partition=1)

    asyncio.run(write())
    with worker(kafka, topics, tmp_path, supervised=True) as running:
        assert running.process.wait(60) == 2
        assert f"{changelog}/1@0 is not state of a worker of this version: its key is b'rubbish'" in running.text()
        assert running.text().count("worker process") == 1
