"""Where nothing of a run is good it is set aside, a person sees why, and has it taken again when that is mended."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from pipeline import topics as records_of
from pipeline.records import Run
from pipeline.set_aside import SET_ASIDE_AFTER
from pipeline.shells.cli import main
from pipeline.shells.files.analyze import analyze
from tests.build import scenario, scenario_records
from tests.kafka.cluster import RUN, found, publish, read, wait_for, wait_until_done, worker

pytestmark = pytest.mark.kafka

BAD = 450


async def _publish_rubbish(kafka: str, namespace: str) -> None:
    """What a producer sends that was given the wrong link, and names a header in octets that are not UTF-8."""
    good = records_of.frames_message(namespace, scenario_records("frames-late")[0], Run(id="bad", origin="replay"))
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
def test_a_run_of_which_nothing_is_good_is_set_aside_and_all_else_goes_on(
    kafka: str, topics: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, mission = scenario_records("frames-late")[:700], scenario("frames-late").mission
    asyncio.run(publish(kafka, topics, records[:400], mission))
    asyncio.run(_publish_rubbish(kafka, topics))
    asyncio.run(publish(kafka, topics, records[400:], mission))
    frames = f"{topics}.frames"
    with worker(kafka, topics, tmp_path, "--instance", "one", supervised=True) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        wait_for(lambda: len(_ranges(kafka, topics)) == 2, running.text, running)
        assert running.metric("relay_runs_set_aside", origin="replay") == 1
        assert running.metric("relay_records_rejected_total", reason="set_aside") == BAD - SET_ASIDE_AFTER
        assert running.starts == 1
        assert running.end() == 0
        lines = [line for line in running.text().splitlines() if "rejected (" in line]
        assert 0 < len(lines) < BAD / 2, "each of them would be a line"
    assert asyncio.run(found(kafka, topics)).digest == analyze(records, mission, RUN).digest
    kept = [body for body in _rejected(kafka, topics) if "last_offset" not in body]
    over, aside = sorted(_ranges(kafka, topics), key=lambda body: str(body["reason"]))
    assert (over["reason"], over["records"], over["why"]) == (
        "not_kept", SET_ASIDE_AFTER - len(kept), {"unknown_link": SET_ASIDE_AFTER - len(kept)},
    )  # fmt: skip
    assert (aside["reason"], aside["run"], aside["records"]) == ("set_aside", "bad", BAD - SET_ASIDE_AFTER)
    assert (aside["origin"], aside["last_offset"]) == (
        {"topic": frames, "partition": 0, "offset": 400 + SET_ASIDE_AFTER}, 399 + BAD,
    )  # fmt: skip

    words = ["rejected", "list", "--kafka", kafka, "--namespace", topics]
    capsys.readouterr()
    assert main([*words, "--reason", "set_aside"]) == 0
    heads, _, row = capsys.readouterr().out.splitlines()
    assert heads.split() == ["when", "(UTC)", "reason", "origin", "key", "octets", "what"]
    assert row.split()[2:6] == ["set_aside", f"{frames}/0@{400 + SET_ASIDE_AFTER}-{399 + BAD}", "-", "-"]
    assert main([*words, "--reason", "no_key"]) == 0
    assert capsys.readouterr().err == f"relaywatch: no record with reason no_key on {topics}.rejected\n"
    assert main([*words, "--last", "2", "--json", "--reason", "unknown_link"]) == 0
    bodies = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [body["message"] for body in bodies] == ["link is 'rover-z'; mission ingenuity has rover-a"] * 2
    assert bodies == kept[-2:]


def test_a_replay_for_another_mission_is_taken_in_full_once_it_is_resumed_with_the_right_one(
    kafka: str, topics: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the workers were started anew meanwhile; a run that is not set aside is refused."""
    records, mission, run = scenario_records("flight-72"), scenario("flight-72").mission, Run(id="r", origin="replay")
    asyncio.run(publish(kafka, topics, records, mission, run))
    resume = ["rejected", "resume", "--run", "r", "--kafka", kafka, "--namespace", topics]
    with worker(kafka, topics, tmp_path, "--instance", "one", "--mission", "mavlink") as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        assert running.end() == 0
    with worker(kafka, topics, tmp_path, "--instance", "one") as running:
        running.wait_ready()
        assert running.metric("relay_runs_set_aside", origin="replay") == 1
        assert main([*resume[:3], "another", *resume[4:]]) == 2
        assert "nothing of run another is set aside" in capsys.readouterr().err
        assert main(resume) == 0
        place = f"{topics}.frames/0@0-{len(records)}"
        assert capsys.readouterr().out == (
            f"run r is taken again: {len(records):,} records of {place} are published again\n"
        )
        asyncio.run(wait_until_done(kafka, topics, running))
        assert running.metric("relay_runs_set_aside", origin="replay") == 0
        assert main(resume) == 2
        assert running.end() == 0
    assert asyncio.run(found(kafka, topics, run)).digest == analyze(records, mission, run).digest
    given = [orjson.loads(one.value) for one in asyncio.run(read(kafka, topics, "commands"))]
    assert [one["command"] for one in given] == ["resume_run"] * 3


def _rejected(kafka: str, namespace: str) -> list[dict[str, Any]]:
    return [orjson.loads(one.value) for one in asyncio.run(read(kafka, namespace, "rejected"))]


def _ranges(kafka: str, namespace: str) -> list[dict[str, Any]]:
    return [body for body in _rejected(kafka, namespace) if "last_offset" in body]
