"""What one receiver writes in one session: records of frames, each second that it listened, the end of its data. Every
record has the earth receive time of a way to the ground on which nothing goes wrong."""

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.mission.model import Link
from pipeline.records import DataEnded, FramesReceived, Listened, LockStatus, ProductionStatus, Record
from pipeline.simulate.frames import seal
from pipeline.simulate.noise import Reception, flip
from pipeline.simulate.radio import Channel
from pipeline.simulate.scenario import Scenario, SecondPath, Session, nanoseconds
from pipeline.simulate.vehicle import Sent


class Receiver:
    def __init__(self, scenario: Scenario, link: Link, session: Session, channel: Channel) -> None:
        self.scenario = scenario
        self.link = link
        self.session = session
        self.channel = channel
        self.starts_at = scenario.at(session.from_s)
        self.random = random.Random(f"{scenario.seed}/{link.name}/{session.from_s}/batches")
        self.second_path = next((one for one in scenario.second_paths if one.link in ("", link.name)), None)
        # A batch ends where what happens on the way to the ground begins.
        self.cuts = sorted(scenario.at(one.after_s) for one in scenario.held if one.link in ("", link.name))
        self.records: list[Record] = []

    def write(self, sent: Sequence[Sent], heard: Sequence[Reception]) -> list[Record]:
        """The records of the session, of everything sent and of what was received, both by ascending time."""
        sent_at = [one.at for one in sent]
        heard_at = [one.at for one in heard]
        for starts_at, ends_at, is_listening in self._intervals():
            if not is_listening:
                continue
            own = heard[bisect_left(heard_at, starts_at) : bisect_left(heard_at, ends_at)]
            on_the_way = sent[bisect_left(sent_at, starts_at) : bisect_left(sent_at, ends_at)]
            copies = self._batches(self._swap(list(own)))
            self._listened(starts_at, ends_at, len(own) + copies, on_the_way)
        if self.session.end_of_data:
            at = self.scenario.at(self.session.until_s)
            self._add(DataEnded(**self._common(at), relay_receive_time=at))
        return self.records

    def _intervals(self) -> list[tuple[int, int, bool]]:
        """The session, cut at every second and where listening stops and goes on."""
        until = self.scenario.at(self.session.until_s)
        step = nanoseconds(self.scenario.receiver.interval_s)
        holes = [
            (self.scenario.at(one.from_s), self.scenario.at(one.until_s))
            for one in self.scenario.not_listening
            if one.link in ("", self.link.name)
        ]
        edges = {*range(self.starts_at, until, step), until}
        edges |= {edge for hole in holes for edge in hole if self.starts_at < edge < until}
        ordered = sorted(edges)
        return [
            (since, to, not any(start <= since < end for start, end in holes))
            for since, to in zip(ordered, ordered[1:], strict=False)
        ]

    def _swap(self, heard: list[Reception]) -> list[Reception]:
        """No frame moves further than the session says."""
        reach = self.session.swapped_frames
        for start in range(0, len(heard) if reach else 0, max(reach, 1)):
            block = heard[start : start + reach]
            for place in range(len(block) - 1, 0, -1):
                other = int(self.random.random() * (place + 1))
                block[place], block[other] = block[other], block[place]
            heard[start : start + reach] = block
        return heard

    def _batches(self, heard: list[Reception]) -> int:
        """Adds the records of these frames; says how many came by the second path too."""
        copies = 0
        batch: list[Reception] = []
        size = self._batch_size()
        for one in heard:
            if batch and (len(batch) >= size or any(batch[-1].at <= cut < one.at for cut in self.cuts)):
                copies += self._frames(batch)
                batch, size = [], self._batch_size()
            batch.append(one)
        return copies + (self._frames(batch) if batch else 0)

    def _batch_size(self) -> int:
        return 1 + int(self.random.random() * self.scenario.receiver.batch_frames)

    def _frames(self, batch: list[Reception]) -> int:
        record = FramesReceived(
            **self._common(max(one.at for one in batch)),
            relay_receive_times=np.array([one.at for one in batch], dtype=np.int64),
            octets=b"".join(one.octets for one in batch), frame_length=self.link.frame_length,
        )  # fmt: skip
        self._add(record)
        if self.second_path is None:
            return 0
        octets = b"".join(self._by_second_path(one, self.second_path) for one in batch)
        self._add(replace(record, octets=octets, sequence=len(self.records)))
        return len(batch)

    def _by_second_path(self, one: Reception, path: SecondPath) -> bytes:
        if any(self.scenario.at(seconds) == one.at for seconds in path.erred_at_s):
            return flip(self.random, self.link, one.octets)
        if any(self.scenario.at(seconds) == one.at for seconds in path.conflict_at_s):
            middle = len(one.octets) // 2
            return seal(self.link, one.octets[:middle] + bytes([one.octets[middle] ^ 0xFF]) + one.octets[middle + 1 :])
        return one.octets

    def _listened(self, starts_at: int, ends_at: int, heard: int, on_the_way: Sequence[Sent]) -> None:
        says = self.scenario.receiver.says_heard
        level = self.channel.level_in(on_the_way)
        status: ProductionStatus = next(
            (
                one.status
                for one in self.scenario.production
                if one.link in ("", self.link.name)
                and self.scenario.at(one.from_s) <= starts_at < self.scenario.at(one.until_s)
            ),
            "running",
        )
        lock: LockStatus = "in_lock" if heard else "out_of_lock"
        self._add(
            Listened(
                **self._common(ends_at), starts_at=starts_at, ends_at=ends_at, production_status=status,
                carrier_lock=lock if says else "unknown", symbol_sync_lock=lock if says else "unknown",
                signal_level_dbm=level if says else None, frames_heard=heard if says else None,
            )
        )  # fmt: skip

    def _common(self, relay_time: int) -> dict[str, Any]:
        earth = relay_time + nanoseconds(self.scenario.receiver.latency_s)
        if self.records:
            earth = max(earth, self.records[-1].earth_receive_time)
        return {
            "link": self.link.name, "session": self.starts_at, "sequence": len(self.records),
            "earth_receive_time": earth,
        }  # fmt: skip

    def _add(self, record: Record) -> None:
        self.records.append(record)
