"""Alerts as a subscriber reads them from a real broker."""

import asyncio
from typing import Any

import orjson
import pytest

from pipeline.shells.cli import main
from pipeline.shells.files.resources import schemas_dir
from pipeline.shells.kafka.clients import Cluster, KafkaUnavailableError
from pipeline.shells.kafka.reach import KafkaUnreachableError
from pipeline.subscribe import Alert, Tally, alerts

pytestmark = pytest.mark.kafka

EXAMPLE = orjson.loads((schemas_dir() / "examples/alerts.json").read_bytes())


def body(revision: int = 1, incident: str = "one", **fields: Any) -> bytes:
    return orjson.dumps({**EXAMPLE, "incident_id": incident, "revision": revision, **fields})


def replayed(run: str, incident: str = "replayed") -> bytes:
    return body(incident=incident, run=run, origin="replay")


async def put(kafka: str, namespace: str, *values: bytes | None) -> None:
    async with Cluster(kafka, 20).producer() as producer:
        for value in values:
            await producer.send_and_wait(f"{namespace}.alerts", value, b"key", partition=1)


async def read(kafka: str, namespace: str, **asked: Any) -> list[Alert]:
    found = alerts(kafka, namespace=namespace, follow=False, wait_seconds=20, **asked)
    return [alert async for alert in found]


@pytest.mark.asyncio
async def test_each_revision_comes_once_though_the_topic_repeats_it(kafka, topics):
    await put(kafka, topics, body(1), body(2), body(1), body(2), body(3), body(1, "another"))
    tally = Tally()
    found = await read(kafka, topics, tally=tally)
    assert [alert.id for alert in found] == ["one/1", "one/2", "one/3", "another/1"]
    assert tally.repeated == 2


@pytest.mark.asyncio
async def test_a_subscriber_gets_live_alerts_and_is_told_once_of_what_is_hidden(kafka, topics, caplog):
    await put(kafka, topics, replayed("a"), body(1), replayed("b", "other"))
    tally = Tally()
    assert [alert.origin for alert in await read(kafka, topics, tally=tally)] == ["live"]
    assert tally.hidden == {"replay": 2}
    assert [record.getMessage() for record in caplog.records if "hidden" in record.getMessage()] == [
        "alerts of origin replay are hidden: ask for this origin to have them"
    ]


@pytest.mark.asyncio
async def test_origins_that_are_named_are_given(kafka, topics):
    await put(kafka, topics, replayed("a"), body(1))
    assert [alert.run for alert in await read(kafka, topics, origins=["replay"])] == ["a"]
    assert [alert.run for alert in await read(kafka, topics, origins=["live", "replay"])] == ["a", ""]


@pytest.mark.asyncio
async def test_a_run_that_is_named_is_given_and_no_other(kafka, topics):
    await put(kafka, topics, replayed("a"), replayed("b", "other"), body(1))
    assert [alert.run for alert in await read(kafka, topics, run="b")] == ["b"]


@pytest.mark.asyncio
async def test_a_record_that_is_no_alert_is_passed_over_and_counted(kafka, topics):
    await put(kafka, topics, b"\xff", body(1), None, b"{}", body(2, severity="dire"), body(2))
    tally = Tally()
    assert [alert.revision for alert in await read(kafka, topics, tally=tally)] == [1, 2]
    assert tally.unreadable == 4


@pytest.mark.asyncio
async def test_an_empty_topic_has_an_end_too(kafka, topics):
    assert await read(kafka, topics) == []


@pytest.mark.asyncio
async def test_a_follower_gets_what_comes_later(kafka, topics):
    await put(kafka, topics, body(1))
    found = alerts(kafka, namespace=topics, wait_seconds=20)
    try:
        async with asyncio.timeout(30):
            assert (await anext(found)).revision == 1
            await put(kafka, topics, body(2))
            assert (await anext(found)).revision == 2
    finally:
        await found.aclose()


@pytest.mark.asyncio
async def test_who_wants_only_new_alerts_gets_no_old_one(kafka, topics):
    await put(kafka, topics, body(1, "old"))
    found = alerts(kafka, namespace=topics, from_beginning=False, wait_seconds=20)
    first = asyncio.ensure_future(anext(found))
    try:
        async with asyncio.timeout(30):
            while not first.done():
                await put(kafka, topics, body(1, "new"))
                await asyncio.wait([first], timeout=0.2)
            assert first.result().incident_id == "new"
    finally:
        await found.aclose()


@pytest.mark.asyncio
async def test_a_namespace_without_topics_is_named_with_the_command_that_makes_them(kafka, namespace):
    with pytest.raises(KafkaUnavailableError, match=f"topics create --namespace {namespace}"):
        await read(kafka, namespace)


@pytest.mark.asyncio
async def test_a_kafka_that_is_not_there_is_one_clear_error():
    with pytest.raises(KafkaUnreachableError, match=r"no Kafka answers at 127\.0\.0\.1:1"):
        await anext(alerts("127.0.0.1:1", wait_seconds=0.5))


def test_the_command_prints_blocks_for_people_and_says_which_origins_it_shows(kafka, topics, capsys):
    asyncio.run(put(kafka, topics, body(1), body(2, state="closed", close_reason="operator", changed=["state"])))
    assert main(["alerts", "--kafka", kafka, "--namespace", topics]) == 0
    said = capsys.readouterr()
    first, second = said.out.strip().split("\n\n")
    assert first.startswith("RAISED      critical: ended_before_landing, ingenuity, flight 72\n")
    assert second.startswith("CLOSED ")
    assert EXAMPLE["statement"] not in second
    assert f"{topics}.alerts at {kafka}, origin live" in said.err


def test_the_command_gives_json_lines_as_the_schema_has_them(kafka, topics, capsys):
    asyncio.run(put(kafka, topics, replayed("a"), body(1)))
    assert main(["alerts", "--json", "--all-origins", "--kafka", kafka, "--namespace", topics]) == 0
    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [orjson.loads(replayed("a")), orjson.loads(body(1))]


def test_the_command_says_that_it_found_none(kafka, topics, capsys):
    asyncio.run(put(kafka, topics, replayed("a")))
    assert main(["alerts", "--kafka", kafka, "--namespace", topics]) == 0
    assert "no alert of origin live" in capsys.readouterr().err
