"""What became of the frames of one record, or of several whose frames were taken together: a record's outcome is what
it would be had it come alone. Knows dispositions, counts and packets; knows no octets."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from pipeline.frames.mavlink import Message
from pipeline.packets.lot import PacketLot
from pipeline.packets.space_packet import SpacePacket


class ChannelName(NamedTuple):
    scid: int
    vcid: int
    modulus: int

    def __str__(self) -> str:
        return f"{self.scid}.{self.vcid}.{self.modulus}"


class Accepted:
    """The frames of a record that were accepted, in order of arrival, a column each."""

    __slots__ = ("counts", "replayed", "telemetry", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.counts: list[int] = []
        self.telemetry: list[bool] = []
        self.replayed: list[bool] = []

    def add(self, at: int, count: int, telemetry: bool, replayed: bool) -> None:
        self.times.append(at)
        self.counts.append(count)
        self.telemetry.append(telemetry)
        self.replayed.append(replayed)

    def extend(self, times: list[int], counts: list[int], telemetry: list[bool], replayed: list[bool]) -> None:
        self.times += times
        self.counts += counts
        self.telemetry += telemetry
        self.replayed += replayed

    def tell(self, at: int, count: int, replayed: bool) -> bool:
        """The frame carries telemetry, as is now known: say so. False where it is none of this record."""
        for place, row in enumerate(zip(self.times, self.counts, self.replayed, strict=True)):
            if row == (at, count, replayed):
                self.telemetry[place] = True
                return True
        return False


class Outcome:
    """What became of the frames of one record, all channels together, and of earlier frames by them."""

    __slots__ = (
        "accepted", "bad_at", "dispositions", "late", "latest", "messages", "out_of_scope", "packets", "set_aside",
        "told_late",
    )  # fmt: skip

    def __init__(self) -> None:
        self.dispositions: Counter[str] = Counter()
        self.late = 0
        self.latest: int | None = None
        """The highest relay receive time of its frames, whatever became of them."""
        self.accepted: defaultdict[ChannelName, Accepted] = defaultdict(Accepted)
        self.packets: defaultdict[ChannelName, list[SpacePacket | PacketLot]] = defaultdict(list)
        self.messages: list[tuple[int, ChannelName, int, int, Message]] = []
        """(place among all frames that are taken together, channel, count, time, message)"""
        self.out_of_scope: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        """(SCID, VCID) → times of its frames."""
        self.set_aside: list[int] = []
        self.told_late: list[tuple[ChannelName, int]] = []
        """(channel, time) of frames of earlier records that only now are known to carry telemetry."""
        self.bad_at: list[int] = []
        """Times of frames found bad, also those that came in an earlier record."""

    def count(self, word: str, frames: int) -> None:
        if frames:
            self.dispositions[word] += frames


class Part(NamedTuple):
    """Those frames of a channel that came in one record."""

    start: int
    stop: int
    """Places among the channel's frames, of all records that are taken together."""
    outcome: Outcome
    """Of the record."""
    begins: bool
    """Its first frame of the channel is the first of these."""


def parts_of(places: Sequence[int], ends: Sequence[int], outcomes: Sequence[Outcome]) -> list[Part]:
    """The frames at these places, in ascending order, by the records that they came in. `ends`: of each record, the
    place behind its last frame."""
    if len(ends) == 1:
        return [Part(0, len(places), outcomes[0], True)]
    found, start = [], 0
    for end, outcome in zip(ends, outcomes, strict=True):
        stop = bisect_left(places, end, start)
        if stop > start:
            found.append(Part(start, stop, outcome, True))
        start = stop
    return found


def parts_within(parts: Iterable[Part], start: int, stop: int) -> list[Part]:
    """What of them lies from one place up to another, counted from the first."""
    return [
        Part(
            max(part.start, start) - start, min(part.stop, stop) - start, part.outcome,
            part.begins and part.start >= start,
        )
        for part in takewhile(lambda part: part.start < stop, parts)
    ]  # fmt: skip
