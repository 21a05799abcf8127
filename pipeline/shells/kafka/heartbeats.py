"""The workers of a namespace that run, by their heartbeats, and what mission they have. Knows Kafka and the form of
these records."""

from collections.abc import Sequence
from typing import Final

from pipeline.errors import RelayWatchError
from pipeline.heartbeat import Beat, MissionNames, read_heartbeat
from pipeline.shells.kafka.access import topic_access
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.permissions import NotAllowedError, check_permissions
from pipeline.topics import TOPICS

BEAT_SECONDS: Final = 5.0
ALIVE_SECONDS: Final = 15.0
"""A worker runs if its last heartbeat is younger, by Kafka's clock."""


class WorkersMissionError(RelayWatchError):
    """A mission that is not the one that the workers of the namespace have."""


async def living(cluster: Cluster, namespace: str, now: int, until: int | None = None) -> Sequence[Beat]:
    """The last heartbeat of each worker that runs; of those before the offset `until` where one is named.

    `now`: milliseconds on Kafka's clock. Raises KafkaUnavailableError where the topic is missing or Kafka goes away.
    """
    last = {beat.worker: beat for beat in await beats_since(cluster, namespace, now - ALIVE_SECONDS * 1000, until)}
    return [beat for beat in last.values() if not beat.ended]


async def beats_since(cluster: Cluster, namespace: str, since: float, until: int | None = None) -> Sequence[Beat]:
    """The heartbeats from a moment on, in milliseconds on Kafka's clock, before the offset `until` where one is named.
    Raises as `living` does."""
    found: list[Beat] = []
    async with cluster.consumer() as consumer:
        [partition] = await cluster.subscribe(consumer, TOPICS["heartbeat"].full_name(namespace))
        first = (await cluster.within(consumer.offsets_for_times({partition: round(since)})))[partition]
        if first is None:
            return ()
        consumer.seek(partition, first.offset)
        end = (await cluster.within(consumer.end_offsets([partition])))[partition] if until is None else until
        async for record in cluster.read_until(consumer, {partition: end}):
            if (beat := read_heartbeat(record.value or b"")) is not None:
                found.append(beat)
    return found


async def check_known(cluster: Cluster, namespace: str, mission: MissionNames, what: str, now: int) -> None:
    """Raises WorkersMissionError where workers run that have not all links and vehicles of a mission: they would reject
    `what`. Says nothing where none runs."""
    try:
        await check_permissions(cluster, [topic_access(namespace, "heartbeat", "Read")])
    except NotAllowedError as fault:
        raise WorkersMissionError(f"{fault}\nOr say --anyway: then nobody asks what mission the workers have") from None
    for beat in await living(cluster, namespace, now):
        strange = [f"link {name}" for name in mission.links if name not in beat.mission.links]
        strange += [f"vehicle {name}" for name in mission.vehicles if name not in beat.mission.vehicles]
        if strange:
            raise WorkersMissionError(
                f"{what} is of mission {mission.name}, with {_shortened(strange)}; worker {beat.worker} of {namespace} "
                f"has mission {beat.mission.name}, which knows none of that (links {', '.join(beat.mission.links)}; "
                f"vehicles {', '.join(beat.mission.vehicles)}), and would reject it. Start workers with its mission in "
                "a --namespace of their own, or say --anyway"
            )


def _shortened(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
