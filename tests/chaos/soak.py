"""`make soak`: run after run of three vehicles on two links, with repetitions, late passes and rubbish among the
records, while one worker of two is killed, stopped and ended and the broker dies. Each run is proven when it is
through; at the end the other worker's memory must not have grown. Exit status 1 where anything was lost, said twice, or
grew."""

import argparse
import asyncio
import datetime as dt
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer

from pipeline import topics
from pipeline.mission.model import Mission
from pipeline.records import Listened, Record, Run
from pipeline.set_aside import SET_ASIDE, SET_ASIDE_AFTER
from pipeline.shells.kafka.clients import Cluster, log_for_people
from pipeline.shells.kafka.topics_admin import create_topics
from pipeline.shells.terminal import note, say
from pipeline.topics import TOPICS, Message
from tests.chaos.memory import Memory, growth
from tests.chaos.proof import Proof, marks, prove, wait_until_said
from tests.chaos.scene import Scene, scene
from tests.chaos.stream import Stream, stream
from tests.chaos.worker import SHORT_RUNS
from tests.kafka.broker import MortalBroker, mortal_broker
from tests.kafka.cluster import wait_until_done

NAMESPACE: Final = "soak"
STEADY, OTHER = "steady", "other"
REPEATED, RUBBISH, LATE = 0.05, 0.02, 0.1
MOST_GROWTH: Final = 1.2
_DONE_SECONDS: Final = 600.0
_PAUSE_SECONDS: Final = 0.02
_TOGETHER: Final = 20
_AWAY_MS: Final = 120_000


class Sent(NamedTuple):
    message: Message
    partition: int


@dataclass(slots=True)
class Traffic:
    """What is published of one run."""

    records: list[Record] = field(default_factory=list)
    """Of the run, each once, in the order of first publication."""
    sent: list[Sent] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    """Reason → how many must be refused."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, help="of streams, faults and rubbish; another one each time")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    note(f"make soak MINUTES={arguments.minutes:g} SEED={seed}")
    log_for_people()
    with mortal_broker() as broker, tempfile.TemporaryDirectory() as folder:
        return _soak(broker, Path(folder), seed, arguments.minutes)


def _soak(broker: MortalBroker, folder: Path, seed: int, minutes: float) -> int:
    chance = random.Random(seed)
    asyncio.run(create_topics(Cluster(broker.bootstrap), NAMESPACE))
    made = stream(seed, vehicles=3)
    with scene(
        broker.bootstrap,
        NAMESPACE,
        folder,
        made,
        seed,
        broker,
        spared=frozenset({STEADY}),
        more=(SHORT_RUNS,),
    ) as running:
        for name in (STEADY, OTHER):
            running.start(name)
        memory = Memory(lambda: running.workers[STEADY].pid)
        memory.start()
        began, proofs, faults = time.monotonic(), [], Counter[str]()
        while time.monotonic() - began < minutes * 60:
            proofs.append(_one_run(running, seed + len(proofs), f"soak-{len(proofs)}", chance, faults))
            minute = (time.monotonic() - began) / 60
            note(f"{minute:4.1f} min, run {len(proofs)}: {proofs[-1].records} records, digest {proofs[-1].digest[:16]}")
        busy = time.monotonic() - began
        memory.end()
        restarts = running.workers[STEADY].ends
        running.end_all()
    return _report(f"make soak MINUTES={minutes:g} SEED={seed}", busy, proofs, faults, memory, restarts)


def _one_run(running: Scene, seed: int, name: str, chance: random.Random, faults: Counter[str]) -> Proof:
    """Published while one or two things happen; back when it is proven."""
    run = Run(id=name, origin="test")
    made = stream(seed, vehicles=3, rate_hz=chance.choice([10, 20, 40]), ground_s=5, lost=chance.uniform(0.6, 0.9))
    traffic = _traffic(made, run, chance)
    since = asyncio.run(marks(running.kafka, NAMESPACE))
    failed: list[BaseException] = []
    publisher = threading.Thread(target=_published, args=(running.kafka, traffic.sent, failed))
    publisher.start()
    for kind, fault in chance.choices(_faults(running), k=chance.choice([1, 1, 2])):
        time.sleep(chance.uniform(0.0, 4.0))
        said = fault()
        faults[kind] += 1
        note(f"  {said}")
    publisher.join()
    if failed:
        raise failed[0]
    asyncio.run(wait_until_done(running.kafka, NAMESPACE, running.workers[STEADY], _DONE_SECONDS))
    asyncio.run(wait_until_said(running.kafka, NAMESPACE, since, traffic.rejected))
    return asyncio.run(
        prove(running.kafka, NAMESPACE, traffic.records, made.mission, run, since=since, rejected=traffic.rejected)
    )


def _faults(running: Scene) -> Sequence[tuple[str, Callable[[], str]]]:
    return (
        ("kill -9 of a worker", running.kill),
        ("kill -9 of a worker, the broker stopped", running.kill_half_way),
        ("SIGTERM", running.terminate),
        ("SIGSTOP and SIGCONT", running.sleep_and_wake),
        ("kill -9 of the broker", running.kill_broker),
    )


def _traffic(made: Stream, run: Run, chance: random.Random) -> Traffic:
    """The stream with a pass delivered late, records that come twice, and rubbish; in the midst of it a replay for
    another mission, which is set aside, and a flood of one octet each under the key of no link or of a live one."""
    traffic = Traffic()
    bursts = {chance.randrange(len(made.records)): burst for burst in (_stray, _flood)}
    held, waiting = _held_back(made.records, chance), list(made.records)
    order = [one for place, one in enumerate(waiting) if place not in held]
    order += [one for place, one in enumerate(waiting) if place in held]
    for place, record in enumerate(order):
        if place in bursts:
            bursts[place](traffic, chance, run)
        traffic.records.append(record)
        traffic.sent.append(_sent(record, made.mission, run))
        if chance.random() < REPEATED:
            traffic.sent.append(_sent(chance.choice(traffic.records[-200:]), made.mission, run))
        if chance.random() < RUBBISH:
            reason, sent = _rubbish(chance, traffic.sent[-1], run)
            traffic.rejected[reason] += 1
            traffic.sent.append(sent)
    return traffic


def _held_back(records: Sequence[Record], chance: random.Random) -> range:
    """A stretch of the recording that reaches the ground after all else."""
    length = int(len(records) * LATE)
    start = chance.randrange(len(records) - length)
    return range(start, start + length)


def _sent(record: Record, mission: Mission, run: Run) -> Sent:
    partitions = TOPICS["frames"].partitions
    return Sent(topics.frames_message(NAMESPACE, record, run), topics.link_partition(mission, record.link, partitions))


def _stray(traffic: Traffic, chance: random.Random, run: Run) -> None:
    """What a replay for another mission publishes: all of it is rejected, until its run is set aside."""
    count, place = chance.randrange(SET_ASIDE_AFTER + 1, 5 * SET_ASIDE_AFTER), chance.randrange(4)
    record = Listened(link="rover-z", session=1, sequence=0, earth_receive_time=2, starts_at=1, ends_at=2)
    message = topics.frames_message(NAMESPACE, record, Run(id=f"stray-{run.id}", origin="replay"))
    traffic.sent += [Sent(message, place)] * count
    traffic.rejected.update({"unknown_link": SET_ASIDE_AFTER, SET_ASIDE: count - SET_ASIDE_AFTER})


def _flood(traffic: Traffic, chance: random.Random, run: Run) -> None:
    count, key, place = chance.randrange(200, 2_000), chance.choice([b"", b"rover-a", b"rover-z"]), chance.randrange(4)
    traffic.sent += [Sent(Message(TOPICS["frames"].full_name(NAMESPACE), key, b"x", ()), place)] * count
    traffic.rejected["bad_headers"] += count


def _rubbish(chance: random.Random, good: Sent, run: Run) -> tuple[str, Sent]:
    """What a broken producer sends beside it, of a run of its own."""
    own = {"ce_run": f"rubbish-{run.id}".encode(), "ce_id": chance.randbytes(8).hex().encode()}
    headers = tuple((name, own.get(name, value)) for name, value in good.message.headers)
    message = good.message._replace(headers=headers)
    spoilt = {
        "undecodable": message._replace(value=chance.randbytes(chance.randrange(1, 4000))),
        "bad_headers": message._replace(headers=()),
        "unknown_link": message._replace(key=b"rover-z"),
        "wrong_partition": message,
    }
    reason = chance.choice(sorted(spoilt))
    wrong = (good.partition + 2) % TOPICS["frames"].partitions
    return reason, Sent(spoilt[reason], wrong if reason == "wrong_partition" else good.partition)


def _published(kafka: str, sent: Sequence[Sent], failed: list[BaseException]) -> None:
    try:
        asyncio.run(_publish(kafka, sent))
    except BaseException as fault:
        failed.append(fault)


async def _publish(kafka: str, sent: Sequence[Sent]) -> None:
    """A little at a time, so that workers and publisher are disturbed together."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, enable_idempotence=True, request_timeout_ms=120_000
    ) as producer:
        for start in range(0, len(sent), _TOGETHER):
            waiting = [
                await producer.send(
                    one.message.topic, one.message.value, key=one.message.key, partition=one.partition,
                    headers=list(one.message.headers),
                )
                for one in sent[start : start + _TOGETHER]
            ]  # fmt: skip
            await asyncio.gather(*waiting)
            await asyncio.sleep(_PAUSE_SECONDS)


def _report(
    command: str, busy: float, proofs: Sequence[Proof], faults: Counter[str], memory: Memory, restarts: Sequence[str]
) -> int:
    """As a part of docs/measured.md."""
    dispositions, rejected, repeated = (
        sum((Counter(getattr(one, name)) for one in proofs), Counter[str]())
        for name in ("dispositions", "rejected", "repeated")
    )
    held = growth(memory.samples)
    say(f"`{command}`, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores shared with the broker:")
    records = sum(one.records for one in proofs)
    say(f"- {len(proofs)} runs in {busy / 60:.1f} min, {records} records of frames")
    say("- lost 0, said twice 0, every digest as undisturbed")
    for what, counts in (
        ("faults", faults), ("frames by disposition", dispositions), ("rejected", rejected),
        ("written again, same octets", repeated),
    ):  # fmt: skip
        say(f"- {what}: " + (", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"))
    say(f"- the worker that was spared ended by itself: {', '.join(restarts) or 'never'}")
    least = f"least {held.early:.0f} MiB in their second quarter, {held.late:.0f} MiB in the last"
    say(f"- its memory over {held.minutes:.1f} min: {least}, most {held.most:.0f} MiB")
    return 0 if held.late <= MOST_GROWTH * held.early else 1


if __name__ == "__main__":
    sys.exit(main())
