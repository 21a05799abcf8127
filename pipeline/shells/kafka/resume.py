"""Takes a run again that is set aside: has the workers take its records, and publishes those again that were passed
over. Knows Kafka; that a run is set aside, and since when, is what the workers answer."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from pipeline.commands import ResumeRun
from pipeline.errors import RelayWatchError
from pipeline.mission.model import Mission
from pipeline.records import Run
from pipeline.shells.kafka.access import topic_access
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.give import give
from pipeline.shells.kafka.lag import RESUMPTIONS
from pipeline.shells.kafka.permissions import check_permissions
from pipeline.shells.kafka.rejections import all_rejections
from pipeline.shells.kafka.unpacking import bound_batches
from pipeline.topics import RESUMED_TYPE, UNREAD, run_of

_UNACKNOWLEDGED: Final = 2_000


class ResumeError(RelayWatchError):
    """A run that is not taken again, or not all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Republished:
    """Records of one partition that were published again."""

    topic: str
    partition: int
    first: int
    """Offsets between which they stand."""
    last: int
    records: int
    unread: int
    """Batches that cannot be unfolded, and are left out."""


async def resume(
    cluster: Cluster, namespace: str, mission: Mission, command: ResumeRun, run: Run, since: int | None = None
) -> list[Republished]:
    """Give the command, then publish what was set aside again, from the first record of which none was good on, or from
    offset `since`; with `since` also what was set aside before, where the run is not any more.

    Raises ResumeError where nothing of it is set aside or no worker answers, GiveError where the command is refused,
    permissions.NotAllowedError where we may not read and write frames.
    """
    await check_permissions(cluster, [topic_access(namespace, "frames", "Read", "Write")])
    answer = await give(cluster, namespace, mission, command, run, way=RESUMPTIONS)
    if not answer.taken:
        raise ResumeError(
            f"no worker of {namespace} has taken the command yet; when one does, run {run.id} is taken again. Then say "
            "this command once more with --from 0, which publishes what was passed over"
        )
    found = [one.body async for one in all_rejections(cluster, namespace)]
    answers = [body for body in found if body.get("command") and body.get("run") == run.id]
    given = [body for body in answers if body["command"] == command.id]
    if not given and since is not None and answers:
        given = [body for body in answers if body["command"] == answers[-1]["command"]]
    if not given:
        raise ResumeError(
            f"nothing of run {run.id} is set aside in {namespace}. `relaywatch rejected list --reason set_aside` shows "
            "what was; with --from OFFSET records that were set aside before are published again"
        )
    ranges = {(one["origin"]["topic"], one["origin"]["partition"]): one for one in given}
    return [await _republish(cluster, TopicPartition(*place), one, run, since) for place, one in ranges.items()]


async def _republish(
    cluster: Cluster, place: TopicPartition, answer: Mapping[str, Any], run: Run, since: int | None
) -> Republished:
    """To the same partition, with key, octets and headers as they are."""
    bound_batches()
    end, sent, unread = answer["last_offset"] + 1, 0, 0
    waiting: deque[tuple[int, Any]] = deque()
    async with cluster.consumer() as consumer, cluster.producer() as producer:
        consumer.assign([place])
        there = (await cluster.within(consumer.beginning_offsets([place])))[place]
        first = max(there, answer["origin"]["offset"] if since is None else since)
        if first < end:
            consumer.seek(place, first)
        try:
            async for record in cluster.read_until(consumer, {place: end} if first < end else {}):
                headers = dict(record.headers)
                unread += UNREAD in headers
                if UNREAD in headers or run_of(headers).id != run.id or headers.get("ce_type") == RESUMED_TYPE:
                    continue
                published = producer.send(
                    place.topic, record.value, record.key, partition=place.partition, headers=list(record.headers)
                )
                waiting.append((record.offset, await cluster.within(published)))
                sent += 1
                while waiting and (waiting[0][1].done() or len(waiting) > _UNACKNOWLEDGED):
                    await cluster.within(waiting[0][1])
                    waiting.popleft()
            while waiting:
                await cluster.within(waiting[0][1])
                waiting.popleft()
        except RelayWatchError as fault:
            left = waiting[0][0] if waiting else first
            raise ResumeError(
                f"{fault}; {sent - len(waiting)} records of {place.topic}/{place.partition} were published again. Go "
                f"on with --from {left}"
            ) from None
    return Republished(
        topic=place.topic, partition=place.partition, first=first, last=end - 1, records=sent, unread=unread
    )
