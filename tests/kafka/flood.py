"""Bad records at a steady pace on one partition, and live links beside them on the same one and on another: how long
each live record takes from its publication until its telemetry can be read."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pipeline import topics
from pipeline.mission.load import load_mission
from pipeline.records import SECOND, Listened, Run
from pipeline.shells.files.resources import mission_path
from pipeline.telemetry import decode_telemetry
from pipeline.topics import TOPICS

SAME, OTHER = "rover-a", "rover-b"
"""Links of partition 0, where the bad records come, and of partition 1."""
_LIVE_A_SECOND: Final = 20
_BURST_SECONDS: Final = 0.02
_PATIENCE_SECONDS: Final = 60.0


MISSION: Final = f"""{mission_path("ingenuity").read_text()}
[[links]]
name = "{OTHER}"
format = "tm"
vehicles = ["ingenuity"]
frame_length = 128
"""


@dataclass(slots=True)
class Times:
    bad: int = 0
    """Bad records that were published."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: {SAME: [], OTHER: []})
    """Of each live record, by link."""


async def live_beside(
    kafka: str, namespace: str, seconds: float, bad_a_second: int = 0, key: bytes = b"rover-z"
) -> Times:  # fmt: skip
    """Publish for so long; back when all live records have come through."""
    times, published = Times(), dict[str, float]()
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer,
        AIOKafkaConsumer(
            TOPICS["telemetry"].full_name(namespace), bootstrap_servers=kafka, auto_offset_reset="latest",
            fetch_max_wait_ms=5,
        ) as consumer,
    ):  # fmt: skip
        await consumer.seek_to_end()
        await asyncio.gather(*[consumer.position(place) for place in consumer.assignment()])
        flood = asyncio.ensure_future(_flood(producer, namespace, seconds, bad_a_second, key))
        live = asyncio.ensure_future(_live(producer, namespace, seconds, published))
        expected = round(seconds * _LIVE_A_SECOND) * len(times.seconds)
        async with asyncio.timeout(seconds + _PATIENCE_SECONDS):
            while sum(map(len, times.seconds.values())) < expected:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    _take(records, published, times)
        times.bad, _ = await asyncio.gather(flood, live)
    return times


def _take(records: Iterable[Any], published: dict[str, float], times: Times) -> None:
    for record in records:
        said = decode_telemetry(record.value)
        at = published.pop(f"{said.link}/{said.relay_receive_time}", None)
        if at is not None:
            times.seconds[said.link].append(time.monotonic() - at)


async def _live(producer: Any, namespace: str, seconds: float, published: dict[str, float]) -> None:
    began, described = time.monotonic(), load_mission(MISSION, where="flood")
    starts_at = time.time_ns()
    for number in range(round(seconds * _LIVE_A_SECOND)):
        await asyncio.sleep(max(0.0, began + number / _LIVE_A_SECOND - time.monotonic()))
        for link in (SAME, OTHER):
            at = starts_at + number * SECOND // _LIVE_A_SECOND
            record = Listened(
                link=link, session=starts_at, sequence=number, earth_receive_time=at, starts_at=at - SECOND // 20,
                ends_at=at, frames_heard=0,
            )  # fmt: skip
            message = topics.frames_message(namespace, record, Run())
            place = topics.link_partition(described, link, TOPICS["frames"].partitions)
            published[f"{link}/{at}"] = time.monotonic()
            await producer.send(
                message.topic, message.value, message.key, partition=place, headers=list(message.headers)
            )


async def _flood(producer: Any, namespace: str, seconds: float, a_second: int, key: bytes) -> int:
    """One octet each, no header; gives how many."""
    began, sent, frames = time.monotonic(), 0, TOPICS["frames"].full_name(namespace)
    while a_second and sent < seconds * a_second:
        due = min(seconds, time.monotonic() - began) * a_second
        for _ in range(round(due) - sent):
            await producer.send(frames, b"x", key, partition=0)
            sent += 1
        await asyncio.sleep(_BURST_SECONDS)
        if time.monotonic() - began > seconds:
            break
    return sent
