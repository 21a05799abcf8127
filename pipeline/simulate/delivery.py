"""When the records of a session reach the ground, and in which order all of them arrive."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from pipeline.records import DataEnded, FramesReceived, Listened, Record
from pipeline.simulate.scenario import Order, Scenario, Session

BETWEEN_RECORDS: Final = 2_000_000
"""Nanoseconds between records that are delivered at once."""

NEARBY_RECORDS: Final = 16


def deliver(scenario: Scenario, link: str, session: Session, records: Sequence[Record]) -> list[Record]:
    """The records of a session with the earth receive times of how they were delivered, in that order."""
    if session.delivered_at_s is not None:
        starts_at = scenario.at(session.delivered_at_s)
        return [
            replace(record, earth_receive_time=starts_at + number * BETWEEN_RECORDS)
            for number, record in enumerate(records)
        ]
    delivered = list(records)
    for held in scenario.held:
        if held.link not in ("", link):
            continue
        after, until = scenario.at(held.after_s), scenario.at(held.until_s)
        waiting = 0
        for place, record in enumerate(delivered):
            is_held = isinstance(record, FramesReceived) or not held.frames_only
            if is_held and relay_time(record) > after and record.earth_receive_time < until + waiting * BETWEEN_RECORDS:
                delivered[place] = replace(record, earth_receive_time=until + waiting * BETWEEN_RECORDS)
                waiting += 1
    return sorted(delivered, key=lambda record: record.earth_receive_time)


def relay_time(record: Record) -> int:
    """The highest relay receive time that a record speaks of."""
    match record:
        case FramesReceived():
            return int(record.relay_receive_times.max())
        case Listened():
            return record.ends_at
        case DataEnded():
            return record.relay_receive_time
        case _:
            return record.earth_receive_time


def arrange(records: Iterable[Record], order: Order, seed: str) -> list[Record]:
    """The same records as they might come from the topic; their earth receive times stay as they are."""
    arranged = sorted(records, key=lambda record: record.earth_receive_time)
    chance = random.Random(f"{seed}/arrival")
    match order:
        case "received":
            return arranged
        case "twice":
            return arranged + arranged
        case "reversed":
            return arranged[::-1]
        case "reversed_passes":
            return sorted(arranged, key=lambda record: -record.session)
        case "frames_last":
            return sorted(arranged, key=lambda record: isinstance(record, FramesReceived))
        case "shuffled":
            return _shuffle(arranged, chance)
        case "nearby":
            blocks = range(0, len(arranged), NEARBY_RECORDS)
            return [one for at in blocks for one in _shuffle(arranged[at : at + NEARBY_RECORDS], chance)]


def _shuffle(records: list[Record], chance: random.Random) -> list[Record]:
    # Written out, because only Random.random promises the same numbers in every Python.
    for place in range(len(records) - 1, 0, -1):
        other = int(chance.random() * (place + 1))
        records[place], records[other] = records[other], records[place]
    return records
