"""People's commands on a real Kafka: each becomes a revision of the incident, or is rejected with its reason."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from pipeline import topics as records_of
from pipeline.commands import Acknowledge, Close, Command, RemoveEntry, Unshelve
from pipeline.records import SECOND
from pipeline.shells.cli import main
from pipeline.shells.files.analyze import analyze
from pipeline.topics import Message, vehicle_partition
from tests.build import scenario, scenario_records
from tests.kafka.cluster import RUN, found, publish, read, wait_for, wait_until_done, worker

pytestmark = pytest.mark.kafka

MISSION = scenario("flight-72").mission
RECORDS = scenario_records("flight-72")[:600]
INCIDENT = "run-1:ingenuity:72:ended_before_landing"
ABOUT: dict[str, Any] = {"vehicle": "ingenuity", "by": "m.ortiz", "why": "the rover drives"}
START = 1_705_579_800 * SECOND


async def _give(kafka: str, namespace: str, *messages: Message) -> None:
    """As any producer would: plain aiokafka."""
    place = vehicle_partition(MISSION, "ingenuity", 4)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for one in messages:
            await producer.send_and_wait(one.topic, one.value, key=one.key, partition=place, headers=list(one.headers))


def test_a_command_is_a_revision_with_peoples_part_and_a_wrong_one_is_audited(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    def message(command: Command) -> Message:
        return records_of.command_message(topics, command, RUN)

    acknowledge = message(Acknowledge(id="a", at=START, incident_id=INCIDENT, **ABOUT))
    illegal = message(Unshelve(id="b", at=START + SECOND, incident_id=INCIDENT, **ABOUT))
    unknown = message(Close(id="c", at=START, incident_id=INCIDENT.replace("72", "73"), **ABOUT))
    no_entry = message(RemoveEntry(id="d", at=START, name="noon", entry="window", **ABOUT))
    close = message(Close(id="e", at=START + 2 * SECOND, incident_id=INCIDENT, **ABOUT))
    wordless = acknowledge._replace(value=acknowledge.value.replace(b"the rover drives", b" "))
    other_kind = close._replace(headers=acknowledge.headers)
    expected = analyze(RECORDS, MISSION, RUN)
    asyncio.run(publish(kafka, topics, RECORDS, MISSION))
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        assert list(asyncio.run(found(kafka, topics)).revisions) == [
            (one.incident_id, one.revision) for one in expected.revisions
        ]
        asyncio.run(_give(kafka, topics, acknowledge, illegal, unknown, no_entry, wordless, other_kind, acknowledge))
        asyncio.run(wait_until_done(kafka, topics, running))
        assert running.end() == 0
    # What people asked for is in the state that is read back.
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(_give(kafka, topics, close))
        asyncio.run(wait_until_done(kafka, topics, running))
        alert = {"vehicle": "ingenuity", "type": "ended_before_landing", "severity": "critical", "origin": "test"}
        wait_for(lambda: running.metric("relay_incidents_active", **alert) == 0, running.text)
        metrics = running.get("/metrics")[1]
        assert running.end() == 0
    told = [body for (name, _), body in asyncio.run(found(kafka, topics)).revisions.items() if name == INCIDENT]
    before = sum(one.incident_id == INCIDENT for one in expected.revisions)
    assert [one["people"]["state"] for one in told[before:]] == ["acknowledged", "acknowledged", "closed_by_operator"]
    assert [one["made_from"].rpartition("@")[2] for one in told[before:]] == ["0", "1", "7"]
    assert [(one["id"], one["refused"]) for one in told[-1]["people"]["history"]] == [
        ("a", None), ("b", "it is not shelved"), ("e", None),
    ]  # fmt: skip
    assert (told[-1]["state"], told[-1]["close_reason"]) == ("closed", "operator")
    rejected = [orjson.loads(one.value) for one in asyncio.run(read(kafka, topics, "rejected"))]
    assert {one["reason"] for one in rejected} == {"refused_command"}
    assert sorted(one["message"].replace(f"{topics}.", "") for one in rejected) == [
        "command acknowledge: why: ' ' is not a text of 1 to 500 characters",
        f"command close of m.ortiz (commands/0@2): there is no incident '{INCIDENT.replace('72', '73')}' in run run-1",
        "command close of vehicle 'ingenuity' stands under key 'ingenuity' and kind acknowledge",
        "command remove_entry of m.ortiz (commands/0@3): the plan has no window 'noon'",
    ]
    assert 'relay_records_rejected_total{reason="refused_command"} 0.0' in metrics


def test_a_command_without_an_id_or_about_nothing_is_rejected_with_its_reason(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    unknown = records_of.command_message(
        topics, Close(id="c", at=START, incident_id=INCIDENT, **ABOUT), RUN
    )  # fmt: skip
    lost = unknown._replace(headers=tuple(one for one in unknown.headers if one[0] != "ce_id"))
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(_give(kafka, topics, lost, unknown))
        asyncio.run(wait_until_done(kafka, topics, running))
        assert running.end() == 0
    rejected = [orjson.loads(one.value) for one in asyncio.run(read(kafka, topics, "rejected"))]
    assert [one["message"].partition(": ")[2] or one["message"] for one in rejected] == [
        "record has no header ce_id", f"there is no incident '{INCIDENT}' in run run-1",
    ]  # fmt: skip
    assert [one["reason"] for one in rejected] == ["bad_headers", "refused_command"]


def test_people_act_by_the_command_line_and_are_answered(
    kafka: str, topics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def relaywatch(*words: str, patience: float = 20) -> tuple[int, str, str]:
        """(exit status, standard output, standard error); who and why are said."""
        monkeypatch.setenv("RELAYWATCH_KAFKA_TIMEOUT", str(patience))
        where = ("--kafka", kafka, "--namespace", topics, "--by", "m.ortiz", "--why", "the rover drives")
        status = main([*words, *where])
        said = capsys.readouterr()
        return status, said.out, said.err

    early, late = "2024-01-18T12:00:01Z", "2024-01-18T13:00:00Z"
    asyncio.run(publish(kafka, topics, RECORDS, MISSION))
    with worker(kafka, topics, tmp_path) as running:
        asyncio.run(wait_until_done(kafka, topics, running))
        before = sum(name == INCIDENT for name, _ in asyncio.run(found(kafka, topics)).revisions)
        assert relaywatch("ack", INCIDENT) == (0, f"acknowledged: {INCIDENT} (revision {before + 1})\n", "")
        assert relaywatch("ack", INCIDENT) == (2, "", "relaywatch: refused: it is acknowledged already\n")
        status, out, _ = relaywatch("shelve", INCIDENT, "--until", late, "--json")
        assert (status, orjson.loads(out)["people"]["state"]) == (0, "shelved")
        assert relaywatch("unshelve", INCIDENT)[:2] == (0, f"un-shelved: {INCIDENT} (revision {before + 4})\n")
        assert relaywatch("close", INCIDENT)[:2] == (0, f"closed: {INCIDENT} (revision {before + 5})\n")
        assert relaywatch("close", INCIDENT.replace("72", "27")) == (
            2, "", f"relaywatch: {topics}.alerts has no incident '{INCIDENT.replace('72', '27')}'; did you mean "
            f"{INCIDENT}?\n",
        )  # fmt: skip
        interval = ("--from", early, "--until", late)
        assert relaywatch("plan", "window", "noon", "--link", "rover-a", *interval) == (0, "set: window 'noon'\n", "")
        status, _, said = relaywatch("plan", "window", "late", "--link", "rover-a", *interval)
        assert (status, said.partition("): ")[2]) == (
            2, "window 'late' overlaps window 'noon' of the same vehicle and link\n",
        )  # fmt: skip
        status, _, said = relaywatch("plan", "loss", "hill", "--reason", "a hill", "--from", late, "--until", early)
        assert (status, said) == (2, "relaywatch: command set_expected_loss: until: is not after `from`\n")
        assert running.end() == 0
    assert relaywatch("plan", "remove", "window", "noon", patience=2) == (
        0, "", "relaywatch: given; no worker has taken it yet: it counts as soon as one does\n",
    )  # fmt: skip
    assert len(asyncio.run(read(kafka, topics, "commands"))) == 8
