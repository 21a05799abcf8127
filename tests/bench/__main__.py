"""`make bench`: frames a second, each beside a fixed loop over the same octets in the same run, since one machine's
seconds say little on another; records of one frame; what a
record costs the more its run holds; the memory that `relaywatch analyze` takes for a recording of
1 GiB; the worker on a real Kafka; and what is said of flights made by chance. Only the last can fail: exit status 1
where an alert was false, missed or late.

The fixed loop computes the CRC-16 of each frame by fastcrc: the least that anything can do with a frame.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from fastcrc import crc16

from pipeline.accounting.by_count import CountedAccounting
from pipeline.accounting.by_time import TimedAccounting
from pipeline.frames import FORMATS
from pipeline.frames.frame import Managed, split
from pipeline.records import FramesReceived, Record, Run
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.recording import RecordingWriter
from pipeline.shells.terminal import note, say
from tests.bench import stream
from tests.bench.flights import flights, long_flight
from tests.bench.flood import flood
from tests.bench.growth import growth
from tests.bench.kafka import on_kafka
from tests.bench.single import single

FRAMES: Final = 60_000
ROUNDS: Final = 3
PARTS: Final = ("speed", "single", "growth", "memory", "long", "kafka", "flood", "flights")
GIBIBYTE: Final = 1 << 30


class Row(NamedTuple):
    what: str
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; without it all")
    parser.add_argument("--flights", type=int, default=1_000, help="of each kind")
    parser.add_argument("--seed", type=int, help="of the first flight; without it another one each time")
    arguments = parser.parse_args()
    wanted = arguments.parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    work_of = {
        "speed": speed,
        "single": single,
        "growth": growth,
        "memory": memory,
        "long": long_flight,
        "kafka": on_kafka,
        "flood": flood,
    }
    for part, work in work_of.items():
        if part in wanted:
            work()
    if "flights" not in wanted:
        return 0
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    return 0 if flights(arguments.flights, seed) else 1


def speed() -> None:
    note(f"making {FRAMES} frames of {stream.FRAME_OCTETS} octets")
    records = list(stream.records(FRAMES))
    batches = [split(one.octets, one.frame_length) for one in records if isinstance(one, FramesReceived)]
    mission, managed = stream.mission(), Managed(frame_length=stream.FRAME_OCTETS)
    read = FORMATS["tm"]

    def check() -> None:
        for batch in batches:
            for octets in batch:
                crc16.ibm_3740(octets)

    def columns() -> None:
        for batch in batches:
            read(batch, managed)

    def inspect_frames() -> None:
        accounting = CountedAccounting(read, managed)
        for batch in batches:
            accounting.take(batch)
        accounting.close()

    def inspect_recording() -> None:
        accounting = TimedAccounting(mission)
        for record in records:
            accounting.take(record)
        accounting.close()

    rows = [
        Row("fixed loop: fastcrc, frame by frame", best(check)),
        Row("frames read and checked", best(columns)),
        Row("inspect, a file of frames", best(inspect_frames)),
        Row("inspect, a recording", best(inspect_recording)),
        Row("analyze, a recording", best(lambda: analyze(records, mission))),
    ]
    show(rows)


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some rounds: what disturbs a round only makes it slower."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def show(rows: Sequence[Row]) -> None:
    fixed = rows[0].seconds
    say(f"{'':<36} {'frames/s':>12} {'MB/s':>8} {'of the fixed loop':>18}")
    for row in rows:
        megabytes = FRAMES * stream.FRAME_OCTETS / row.seconds / 1e6
        say(f"{row.what:<36} {FRAMES / row.seconds:>12,.0f} {megabytes:>8,.1f} {fixed / row.seconds:>17.2%}")


def memory() -> None:
    """Of the command itself, in a process of its own, as the system counts it when it has ended."""
    frames = GIBIBYTE // stream.FRAME_OCTETS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mcap"
        note(f"writing a recording of {frames} frames, 1 GiB")
        with RecordingWriter(path, mission_text=stream.mission_text()) as writer:
            for record in stream.records(frames):
                write(writer, record)
        note("relaywatch analyze of it")
        started = time.perf_counter()
        command = [sys.executable, "-m", "pipeline.shells.cli", "analyze", str(path), "--json"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        note(f"relaywatch analyze ended with {process.returncode}: nothing measured")
        return
    say(f"relaywatch analyze, 1 GiB of frames:  {used.ru_maxrss / 1024:,.0f} MB of memory, {seconds:,.0f} s")


def write(writer: RecordingWriter, record: Record) -> None:
    writer.write(record, run=Run(id="", origin="live"))


if __name__ == "__main__":
    sys.exit(main())
