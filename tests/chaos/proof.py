"""Whether nothing was lost and nothing said twice: what stands on the topics, against what the pure functions make of
the same log. Knows no fault: the check is the same whatever was done to workers and broker."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import topics
from pipeline.flow import LinkState, VehicleState, decode, watch
from pipeline.mission.model import Mission
from pipeline.records import Origin, Record, Run, decode_record
from pipeline.shells.files.analyze import analyze
from pipeline.telemetry import decode_telemetry
from pipeline.topics import TOPICS, TopicName
from tests.kafka.cluster import check_record, ends_of, found_in, read_raw

_SAID_SECONDS: Final = 60.0
_TOPICS: Final[tuple[TopicName, ...]] = ("frames", "telemetry", "alerts", "flights", "rejected")

Marks = Mapping[TopicName, Mapping[TopicPartition, int]]
"""Where each topic ended at a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found, all of it as it must be."""

    records: int
    dispositions: Mapping[str, int]
    """Frames by what became of them."""
    revisions: int
    rejected: Mapping[str, int]
    repeated: Mapping[str, int]
    """Topic → records that stand there more than once, octet for octet the same."""
    digest: str


async def marks(kafka: str, namespace: str) -> Marks:
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        return {name: await ends_of(kafka, consumer, TOPICS[name].full_name(namespace)) for name in _TOPICS}


async def prove(
    kafka: str, namespace: str, published: Sequence[Record], mission: Mission, run: Run, *,
    since: Marks | None = None, rejected: Mapping[str, int] | None = None,
) -> Proof:  # fmt: skip
    """Fails where anything is not as the pure functions say.

    `published`: the records of the run, each once, in the order in which they were first handed to Kafka; `rejected`:
    reason → how many records must have been refused; `since`: only what was written after these marks is looked at.
    """
    log = {
        name: await read_raw(kafka, TOPICS[name].full_name(namespace), (since or {}).get(name, {})) for name in _TOPICS
    }
    for record in log["rejected"]:
        check_record("rejected", record)
    refused = refusals(log["rejected"])
    assert refused == Counter(rejected or {}), f"rejected: {dict(refused)}"

    ours = {name: [one for one in found if _run_of(one) == run.id] for name, found in log.items()}
    once = {name: _once(found) for name, found in ours.items()}
    for name, found in once.items():
        for record in found.values():
            check_record(name, record)
    _check_published(once["frames"].values(), published, run, namespace)
    dispositions = _check_telemetry(ours["frames"], once["telemetry"], mission, run, namespace)
    _check_outputs(ours["telemetry"], {**once["alerts"], **once["flights"]}, mission, run, namespace)
    said = found_in(ours["alerts"], ours["flights"], run)
    assert len(said.revisions) == len(once["alerts"])
    undisturbed = analyze(published, mission, run)
    assert said.digest == undisturbed.digest
    assert sorted(said.flights) == sorted(undisturbed.flights)
    return Proof(
        records=len(ours["frames"]), dispositions=dispositions, revisions=len(said.revisions), rejected=dict(refused),
        repeated={name: len(ours[name]) - len(once[name]) for name in ("telemetry", "alerts", "flights")},
        digest=said.digest,
    )  # fmt: skip


def refusals(records: Iterable[Any]) -> Counter[str]:
    """Reason → how many records were refused for it, each kept whole or in a range of offsets."""
    refused = Counter[str]()
    for one in _once(records).values():
        body = orjson.loads(one.value)
        if "last_offset" not in body:
            refused[body["reason"]] += 1
        elif body["command"] is None:
            refused.update(body["why"] or {body["reason"]: body["records"]})
    return refused


async def wait_until_said(kafka: str, namespace: str, since: Marks, rejected: Mapping[str, int]) -> None:
    """Until the workers have said of every record that was passed over where it stands; those that fail are said to."""
    deadline = time.monotonic() + _SAID_SECONDS
    topic = TOPICS["rejected"].full_name(namespace)
    while refusals(await read_raw(kafka, topic, since["rejected"])).total() < sum(rejected.values()):
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(0.5)


def _run_of(record: Any) -> str:
    return topics.run_of(dict(record.headers)).id


def _id(headers: Iterable[tuple[str, bytes]]) -> bytes:
    return dict(headers)["ce_id"]


def _once(records: Iterable[Any]) -> dict[bytes, Any]:
    """By `ce_id`. Fails where two records with one identity differ in anything but their place in the partition."""
    first: dict[bytes, Any] = {}
    for record in records:
        before = first.setdefault(_id(record.headers), record)
        assert (before.partition, before.key, before.value, before.headers) == (
            record.partition, record.key, record.value, record.headers,
        ), f"two different records with {_id(record.headers).decode()}"  # fmt: skip
    return first


def _check_published(found: Iterable[Any], published: Iterable[Record], run: Run, namespace: str) -> None:
    """What stands there is what was published: each record of a link, in their order."""
    wanted: dict[str, list[bytes]] = defaultdict(list)
    for record in published:
        wanted[record.link].append(topics.frames_message(namespace, record, run).value)
    there: dict[str, list[bytes]] = defaultdict(list)
    for one in found:
        there[one.key.decode()].append(one.value)
    assert there == wanted


def _check_telemetry(
    frames: Iterable[Any], found: Mapping[bytes, Any], mission: Mission, run: Run, namespace: str
) -> dict[str, int]:
    """Each record of the log was decoded once in effect, to what the pure function says; frames by disposition."""
    states: dict[str, LinkState] = {}
    wanted: dict[bytes, bytes] = {}
    for record in frames:
        link, origin = record.key.decode(), Origin(record.topic, record.partition, record.offset)
        state = states.setdefault(link, LinkState())
        for said in decode(state, decode_record(link, record.value), origin, mission):
            message = topics.telemetry_message(namespace, said, run)
            wanted[_id(message.headers)] = message.value
    _check_same({name: record.value for name, record in found.items()}, wanted, "telemetry")
    return dict(sum((state.dispositions for state in states.values()), Counter()))


def _check_outputs(
    telemetry: Iterable[Any], found: Mapping[bytes, Any], mission: Mission, run: Run, namespace: str
) -> None:
    """Alerts and ledger are what the pure function makes of the telemetry as it stands in the log."""
    states: dict[str, VehicleState] = {}
    wanted: dict[bytes, bytes] = {}
    for record in telemetry:
        said = decode_telemetry(record.value)
        for output in watch(states.setdefault(said.vehicle, VehicleState()), said, mission, run):
            message = topics.output_message(namespace, output)
            wanted[_id(message.headers)] = message.value
    _check_same({name: record.value for name, record in found.items()}, wanted, "alerts and flights")


def _check_same(found: Mapping[bytes, bytes], wanted: Mapping[bytes, bytes], what: str) -> None:
    missing, unasked = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    assert not missing, f"{what}: {len(missing)} of {len(wanted)} are not there, {min(missing)!r} for one"
    assert not unasked, f"{what}: {len(unasked)} more than there should be, {min(unasked)!r} for one"
    others = [name for name, value in wanted.items() if found[name] != value]
    assert not others, f"{what}: {len(others)} of {len(wanted)} say something else, {others[0]!r} for one"
