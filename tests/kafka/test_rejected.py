"""Where most of what comes is rejected a worker stops, a person sees why, and goes on when it is mended."""

import asyncio
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from pipeline import topics as records_of
from pipeline.shells.cli import main
from pipeline.shells.exits import COULD_NOT_RUN, EXIT_NEVER_AGAIN
from pipeline.shells.files.analyze import analyze
from pipeline.topics import TOPICS
from tests.build import scenario, scenario_records
from tests.kafka.cluster import RUN, found, publish, read, wait_until_done, worker

pytestmark = pytest.mark.kafka

BAD = 450


async def _publish_rubbish(kafka: str, namespace: str) -> None:
    """What a producer sends that was given the wrong link, and names a header in octets that are not UTF-8."""
    good = records_of.frames_message(namespace, scenario_records("frames-late")[0], RUN)
    async with AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5) as producer:
        sent = [
            await producer.send(
                good.topic, good.value, key=b"rover-z", partition=0, headers=[*good.headers, ("zz", b"")]
            )
            for _ in range(BAD)
        ]
        await asyncio.gather(*sent)


@pytest.fixture
def unspeakable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers named "zz" are sent with a name that aiokafka itself would neither write nor read."""
    build = BatchBuilder._build

    def spoilt(builder: BatchBuilder) -> bytes:
        octets = bytearray(bytes(build(builder)).replace(b"\x04zz", b"\x04\xff\xfe"))
        octets[17:21] = calc_crc32c(bytes(octets[21:])).to_bytes(4, "big")
        builder._buffer = bytes(octets)
        return builder._buffer

    monkeypatch.setattr(BatchBuilder, "_build", spoilt)


@pytest.mark.usefixtures("unspeakable")
def test_a_worker_stops_rather_than_drain_a_topic_and_goes_on_when_it_is_told_to(
    kafka: str, topics: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, mission = scenario_records("frames-late")[:700], scenario("frames-late").mission
    asyncio.run(publish(kafka, topics, records[:400], mission))
    asyncio.run(_publish_rubbish(kafka, topics))
    asyncio.run(publish(kafka, topics, records[400:], mission))
    with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as running:
        assert running.process.wait(60) == COULD_NOT_RUN, running.text()
    assert running.text().count(" started") == 1, "no start cures it"
    assert f"ended with exit status {EXIT_NEVER_AGAIN}" not in running.text()
    assert "records of partition 0 of frames were rejected, more than the share of 0.5 that is borne" in running.text()
    drained = len(_rejected(kafka, topics))
    assert drained < BAD

    with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as running:
        assert running.process.wait(60) == COULD_NOT_RUN, running.text()
    assert len(_rejected(kafka, topics)) == drained, "whoever starts it again in spite of it moves it no further"

    with worker(kafka, topics, tmp_path, "--instance", "one", "--rejected-share", "1") as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        share = running.metric("relay_records_rejected_ratio", stage="decode")
        assert share is not None and share < 0.5  # noqa: PT018
        assert running.end() == 0
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, mission, RUN).digest
    assert {body["reason"] for body in _rejected(kafka, topics)} == {"unknown_link"}
    assert len({body["origin"]["offset"] for body in _rejected(kafka, topics)}) == BAD

    words = ["rejected", "list", "--kafka", kafka, "--namespace", topics]
    assert main([*words, "--last", "3"]) == 0
    heads, _, *rows = capsys.readouterr().out.splitlines()
    frames = TOPICS["frames"].full_name(topics)
    assert heads.split() == ["when", "(UTC)", "reason", "origin", "key", "octets", "what"]
    assert [row.split()[2:5] for row in rows] == [
        ["unknown_link", f"{frames}/0@{400 + BAD - place}", "rover-z"] for place in (3, 2, 1)
    ]
    assert main([*words, "--reason", "no_key"]) == 0
    assert capsys.readouterr().err == f"relaywatch: no record with reason no_key on {topics}.rejected\n"
    assert main([*words, "--last", "2", "--json", "--reason", "unknown_link"]) == 0
    bodies = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [body["message"] for body in bodies] == ["link is 'rover-z'; mission ingenuity has rover-a"] * 2
    assert bodies == _rejected(kafka, topics)[-2:]


def _rejected(kafka: str, namespace: str) -> list[dict[str, object]]:
    return [orjson.loads(one.value) for one in asyncio.run(read(kafka, namespace, "rejected"))]
