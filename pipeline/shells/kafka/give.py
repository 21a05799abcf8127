"""A person's command to Kafka, and what the workers made of it. Knows Kafka and the clock; decides nothing: what a
command may do is decided where it is followed."""

import datetime as dt
import difflib
import uuid
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import orjson
from aiokafka import TopicPartition

from pipeline.commands import Command, IncidentCommand, decode_command, encode_command
from pipeline.errors import RecordError, RelayWatchError
from pipeline.metrics import ORIGINS
from pipeline.mission.model import Mission
from pipeline.mission.table import EPOCH
from pipeline.records import Run
from pipeline.report.alert import Alert, read_alert
from pipeline.shells.kafka.access import access
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.lag import COMMANDS, LagError, taken_in_full
from pipeline.shells.kafka.permissions import check_permissions
from pipeline.shells.kafka.rejections import Rejection, read_rejection
from pipeline.shells.kafka.subscribe import alerts
from pipeline.shells.kafka.topics_admin import partitions_of_topic
from pipeline.topics import TOPICS, TopicName, command_message, vehicle_partition

_ANSWERS: Final[tuple[TopicName, ...]] = ("alerts", "rejected")
_READ_MS: Final = 500


class GiveError(RelayWatchError):
    """A command that was not given, or not followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a command."""

    taken: bool
    """False: no worker has taken it yet."""
    alert: Alert | None = None
    """The revision that it made; None for a change of the plan."""


def new_id() -> str:
    """A command's identity: never used before."""
    return uuid.uuid4().hex


def now() -> int:
    """Nanoseconds since 1970-01-01T00:00:00Z, of this machine, in whole microseconds."""
    return (dt.datetime.now(dt.UTC) - EPOCH) // dt.timedelta(microseconds=1) * 1_000


async def find(cluster: Cluster, namespace: str, incident_id: str) -> Alert:
    """The newest revision of an incident. Raises GiveError where there is none, with the ids that are like it."""
    newest: dict[str, Alert] = {}
    reader = alerts(
        cluster.servers, namespace=namespace, origins=ORIGINS, follow=False, wait_seconds=cluster.wait_seconds,
        security=cluster.security,
    )  # fmt: skip
    async with aclosing(reader):
        async for alert in reader:
            newest[alert.incident_id] = alert
    if incident_id not in newest:
        near = difflib.get_close_matches(incident_id, newest, 1, 0.8)
        hint = f"did you mean {near[0]}?" if near else "`relaywatch alerts --all-origins --json` shows the ids"
        raise GiveError(f"{TOPICS['alerts'].full_name(namespace)} has no incident {incident_id!r:.200}; {hint}")
    return newest[incident_id]


def vehicle_of(alert: Alert, mission: Mission) -> str:
    """The vehicle whose state an incident stands in: for one about a link, that which speaks for the link."""
    link = mission.link(alert.link)
    vehicle = alert.vehicle or (link.vehicles[0] if link is not None else "")
    if mission.entry_of(vehicle) is None:
        raise GiveError(
            f"{alert.incident_id} is of mission {alert.mission}, and this is {mission.name}: say which with --mission"
        )
    return vehicle


async def give(
    cluster: Cluster, namespace: str, mission: Mission, command: Command, run: Run, way: Sequence[TopicName] = COMMANDS
) -> Answer:  # fmt: skip
    """Publish a command, and wait for what the workers make of it: until they are through the topics on its way.

    Raises RecordError, before anything is sent, where the command is wrong in itself, and GiveError where it is
    refused. Where no worker takes it in time the answer says so.
    """
    decode_command(encode_command(command), command.id, mission)
    await check_permissions(cluster, access(namespace, "operator"))
    partitions = await partitions_of_topic(cluster, namespace, "commands")
    marks = {name: await _marks(cluster, namespace, name) for name in _ANSWERS}
    message = command_message(namespace, command, run)
    place = vehicle_partition(mission, command.vehicle, partitions)
    async with cluster.producer() as producer:
        sent = producer.send_and_wait(
            message.topic, message.value, message.key, partition=place, headers=list(message.headers)
        )
        await cluster.within(sent)
    try:
        await taken_in_full(cluster, namespace, patience_seconds=cluster.wait_seconds, way=way)
    except LagError:
        return Answer(taken=False)
    for value in await _since(cluster, namespace, "rejected", marks["rejected"]):
        rejection = read_rejection(value, 0)
        if rejection is not None and command.id in (
            rejection.headers.get("ce_id", b"").decode(errors="replace"),
            _passed_on(rejection),
        ):
            raise GiveError(f"refused: {rejection.message}")
    if not isinstance(command, IncidentCommand):
        return Answer(taken=True)
    for value in await _since(cluster, namespace, "alerts", marks["alerts"]):
        try:
            alert = read_alert(value)
        except RecordError:
            continue  # whoever wrote it: it answers no command
        for step in alert.people.get("history", ()):
            if step["id"] == command.id and step["refused"]:
                raise GiveError(f"refused: {step['refused']}")
            if step["id"] == command.id:
                return Answer(taken=True, alert=alert)
    raise GiveError(f"the workers took command {command.id} and said nothing of it: their logs may say why")


async def _marks(cluster: Cluster, namespace: str, name: TopicName) -> dict[TopicPartition, int]:
    """Where each partition of a topic ends now."""
    async with cluster.consumer() as consumer:
        partitions = await cluster.subscribe(consumer, TOPICS[name].full_name(namespace))
        return dict(await cluster.within(consumer.end_offsets(partitions)))


async def _since(cluster: Cluster, namespace: str, name: TopicName, marks: Mapping[TopicPartition, int]) -> list[bytes]:
    """The values that came after the marks, and are there now."""
    values: list[bytes] = []
    async with cluster.consumer() as consumer:
        partitions = await cluster.subscribe(consumer, TOPICS[name].full_name(namespace))
        ends = await cluster.within(consumer.end_offsets(partitions))
        for partition in partitions:
            consumer.seek(partition, marks.get(partition, 0))
        while [one for one in partitions if await cluster.within(consumer.position(one)) < ends[one]]:
            for records in (await consumer.getmany(timeout_ms=_READ_MS)).values():
                values += [record.value or b"" for record in records]
    return values


def _passed_on(rejection: Rejection) -> str:
    """The id of the command in a rejected record that was passed on before it was refused."""
    try:
        inside = orjson.loads(rejection.value)
    except orjson.JSONDecodeError:
        return ""
    return str(inside.get("id")) if isinstance(inside, dict) else ""
