"""`make chaos`: a replay that keeps a worker busy for a minute and more by its volume alone, and all that can happen to
it meanwhile. Ends with what was done and found; exit status 1 where anything was lost or said twice."""

import argparse
import asyncio
import datetime as dt
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipeline.records import Run
from pipeline.shells.kafka.clients import Cluster, log_for_people
from pipeline.shells.kafka.topics_admin import create_topics
from pipeline.shells.terminal import note, say
from tests.chaos.proof import Proof, prove
from tests.chaos.scene import Scene, scene
from tests.chaos.stream import Stream, stream
from tests.kafka.broker import MortalBroker, mortal_broker
from tests.kafka.cluster import publish, wait_until_done

TRIED_HZ: Final = 20.0
WANTED_SECONDS: Final = 120.0
"""An undisturbed worker's time with the stream: so much work there is to be killed in."""
AWAY_SECONDS: Final = 60.0
OTHERS_OF_EACH: Final = 2
SHORTEST_SECONDS: Final = 60.0
RUN: Final = Run(id="chaos", origin="test")
_DONE_SECONDS: Final = 900.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--kills", type=int, default=20, help="kill -9 of a worker")
    parser.add_argument("--seed", type=int, help="of the stream, the faults and their moments; another one each time")
    parser.add_argument(
        "--rate", type=float, help="frames of a vehicle a second: the volume (as much as takes two minutes undisturbed)"
    )
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    note(f"make chaos KILLS={arguments.kills} SEED={seed}")
    log_for_people()
    with mortal_broker() as broker, tempfile.TemporaryDirectory() as folder:
        rate = arguments.rate or TRIED_HZ * WANTED_SECONDS / _undisturbed(broker, seed, TRIED_HZ, Path(folder))[2]
        made, quiet, seconds = _undisturbed(broker, seed, rate, Path(folder))
        proof, done, busy = _disturbed(broker, made, Path(folder), seed, arguments.kills)
    assert proof.digest == quiet.digest
    assert proof.dispositions == quiet.dispositions
    if seconds < SHORTEST_SECONDS:
        say(f"The undisturbed replay took {seconds:.0f} s: too short to be killed in. Give it more: --rate")
        return 1
    _report(f"make chaos KILLS={arguments.kills} SEED={seed}", made, seconds, busy, proof, done)
    return 0


def _undisturbed(broker: MortalBroker, seed: int, rate_hz: float, folder: Path) -> tuple[Stream, Proof, float]:
    """The stream of this rate, what became of it, and in how many seconds."""
    made, namespace = stream(seed, rate_hz=rate_hz), f"undisturbed-{rate_hz:.0f}-hz"
    (folder / namespace).mkdir()
    asyncio.run(create_topics(Cluster(broker.bootstrap), namespace))
    asyncio.run(publish(broker.bootstrap, namespace, made.records, made.mission, RUN))
    with scene(broker.bootstrap, namespace, folder / namespace, made, 0) as quiet:
        quiet.start("one")
        began = time.monotonic()
        asyncio.run(wait_until_done(broker.bootstrap, namespace, quiet.workers["one"], _DONE_SECONDS))
        seconds = time.monotonic() - began
        quiet.end_all()
    note(f"undisturbed: {len(made.records)} records in {seconds:.0f} s")
    return made, asyncio.run(prove(broker.bootstrap, namespace, made.records, made.mission, RUN)), seconds


def _disturbed(
    broker: MortalBroker, made: Stream, folder: Path, seed: int, kills: int
) -> tuple[Proof, Counter[str], float]:  # fmt: skip
    folder = folder / "chaos"
    folder.mkdir()
    asyncio.run(create_topics(Cluster(broker.bootstrap), "chaos"))
    with scene(broker.bootstrap, "chaos", folder, made, seed, broker) as running:
        faults = _faults(running, kills)
        running.chance.shuffle(faults)
        running.start("one")
        began = time.monotonic()
        done: Counter[str] = Counter()
        part, published = len(made.records) // len(faults), 0
        for name, fault in faults:
            # Each has records of its own and comes at a moment within them, so that it finds the workers at work.
            records = made.records[published : published + part]
            asyncio.run(publish(broker.bootstrap, "chaos", records, made.mission, RUN))
            running.wait_for_progress(published + running.chance.randrange(part // 2))
            time.sleep(running.chance.uniform(0.0, 0.5))
            published += part
            said = fault()
            done[name] += 1
            note(f"{time.monotonic() - began:6.1f} s, {running.progress():6} of {published} records: {said}")
        asyncio.run(publish(broker.bootstrap, "chaos", made.records[published:], made.mission, RUN))
        asyncio.run(wait_until_done(broker.bootstrap, "chaos", running.workers["one"], _DONE_SECONDS))
        busy = time.monotonic() - began
        running.end_all()
    return asyncio.run(prove(broker.bootstrap, "chaos", made.records, made.mission, RUN)), done, busy


Fault = tuple[str, Callable[[], str]]
"""Its name, and what does it and says how it went."""


def _faults(running: Scene, kills: int) -> list[Fault]:
    each: list[Fault] = [
        ("SIGTERM", running.terminate), ("joining and leaving", running.join_and_leave),
        ("SIGSTOP and SIGCONT", running.sleep_and_wake), ("kill -9 of the broker", running.kill_broker),
    ]  # fmt: skip
    away = f"broker away for {AWAY_SECONDS:.0f} s", lambda: running.kill_broker(AWAY_SECONDS)
    half_way = "kill -9 of a worker, the broker stopped"
    deaths: list[Fault] = [("kill -9 of a worker", running.kill), (half_way, running.kill_half_way)]
    return (deaths * kills)[:kills] + each * OTHERS_OF_EACH + [away]


def _report(command: str, made: Stream, seconds: float, busy: float, proof: Proof, done: Counter[str]) -> None:
    """As a part of docs/measured.md."""
    octets = sum(len(getattr(one, "octets", b"")) for one in made.records)
    frames = sum(proof.dispositions.values())
    say(f"`{command}`, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores shared with the broker:")
    say(f"- {len(made.records)} records, {frames} frames, {octets / 1e6:.0f} MB; undisturbed {seconds:.0f} s")
    say(f"- {done.total()} faults in {busy:.0f} s: " + ", ".join(f"{count} × {kind}" for kind, count in done.items()))
    for what, counts in (("frames by disposition", proof.dispositions), ("written again, same octets", proof.repeated)):
        say(f"- {what}: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    say(f"- lost 0, said twice 0, {proof.revisions} revisions, digest {proof.digest[:16]} as undisturbed")


if __name__ == "__main__":
    sys.exit(main())
