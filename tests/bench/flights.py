"""1,000 nominal flights and 1,000 early ends by chance, and as many with several packets a frame and two relays: false
alerts, missed ones, late ones. And one flight of 40
minutes at 50 frames a second: what is stored of it and what a record costs."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Final

from pipeline.shells.terminal import Progress, note, say
from tests import packed_flights
from tests.generated import early_end, faults, nominal
from tests.long_flight import fly

KINDS: Final[dict[str, Callable[[int], list[str]]]] = {
    "nominal": lambda seed: faults(nominal(seed)),
    "early end": lambda seed: faults(early_end(seed)),
    "nominal, packed": lambda seed: packed_flights.faults(packed_flights.make(seed, ends_early=False)),
    "early end, packed": lambda seed: packed_flights.faults(packed_flights.make(seed, ends_early=True)),
}


def flights(number: int, seed: int) -> bool:
    """Whether all was said as it must be. What was not is printed with its seed, from which tests.generated makes the
    flight again."""
    note(f"{number} nominal flights and {number} early ends, and as many packed ones; seeds from {seed}")
    found: dict[str, list[str]] = {}
    with ProcessPoolExecutor() as pool:
        for kind in KINDS:
            seeds = range(seed, seed + number)
            found[kind] = []
            with Progress(kind, number) as progress:
                for done, lines in enumerate(pool.map(_faults, repeat(kind), seeds, chunksize=5), 1):
                    found[kind] += lines
                    progress.show(done, f"{len(found[kind])} faults")
    for kind, lines in found.items():
        say(f"{kind + ':':<18} {number:,} flights by chance; seed {seed}: {len(lines)} faults")
        for line in lines:
            say(f"  {line}")
    return not any(found.values())


def _faults(kind: str, seed: int) -> list[str]:
    return KINDS[kind](seed)


def long_flight() -> None:
    note("40 minutes at 50 frames a second, 5 % of them lost")
    outcome = fly(40, "tm")
    entries, octets = len(outcome.stored), sum(outcome.stored.values())
    counted = outcome.accounting
    say(f"40 min at 50 Hz:  {outcome.records:,} records, {outcome.received:,} frames received")
    say(f"  missing         {counted['missing']:,} counted, {outcome.missing:,} by the times of what came")
    for stage, seconds in (("decode", outcome.decode_s), ("watch", outcome.watch_s)):
        say(
            f"  {stage:<15} {1e3 * seconds / outcome.records:.2f} ms a record; the largest stored entry has "
            f"{outcome.largest[stage]:,} octets"
        )
    say(f"  slowest record  {1e3 * outcome.slowest_watch_s:.0f} ms in watch")
    say(f"  stored          {entries} entries, {octets:,} octets")
