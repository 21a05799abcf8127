"""The account of a recording: records with receive times, on the links of a mission. Dispositions, repetitions and
packets are those of `decode`, by the same channels; what is missing is reckoned from counts and times as the verdicts
reckon it. Keeps no telemetry: every APID is counted, whether the mission names it or not."""

from collections import Counter
from operator import itemgetter

from pipeline.accounting.account import Account, ChannelAccount
from pipeline.channels.channel import Channel
from pipeline.channels.expected import ExpectedLink, Role
from pipeline.channels.outcome import ChannelName, Outcome, parts_of
from pipeline.errors import RecordError
from pipeline.evidence.runs import RunMap, gaps_of
from pipeline.evidence.summary import suspect_gap
from pipeline.frames.frame import split
from pipeline.mission.model import Mission
from pipeline.packets.lot import PacketLot
from pipeline.records import DataEnded, FramesReceived, Record, RecordingEnded

UNKNOWN_LINK = "unknown_link"
"""Disposition of the frames of a link that the mission does not have: nobody knows how to read them."""


class _Channel:
    def __init__(self, name: ChannelName, role: Role, link: ExpectedLink, run_gap: int) -> None:
        self.role = role
        self.account = ChannelAccount(scid=name.scid, vcid=name.vcid, link=link.link.name)
        packets = role.carries_telemetry and link.link.format != "mavlink"
        self.channel = Channel(name, role.period, None, packets=packets)
        self.runs = RunMap(run_gap)
        self.first_at: int | None = None
        self.last_at: int | None = None

    def add(self, outcome: Outcome, session: int) -> None:
        """What became of its frames in one record of a session."""
        words, account = outcome.dispositions, self.account
        again = words["duplicate"] + words["conflict"]
        account.repeated += again
        account.received += again
        for name, accepted in outcome.accepted.items():
            # Frames of one time stay in their order of arrival: by their counts 0 would come before 255.
            rows = sorted(zip(accepted.times, accepted.counts, strict=True), key=itemgetter(0))
            account.received += len(rows)
            times, counts = map(list, zip(*rows, strict=True))
            self.runs.add_frames((session,), name.modulus, times, counts)
            if self.first_at is None or times[0] < self.first_at:
                self.first_at, account.first_count = times[0], counts[0]
            if self.last_at is None or times[-1] >= self.last_at:
                self.last_at, account.last_count = times[-1], counts[-1]

    def close(self) -> ChannelAccount:
        account = self.account
        for runs in self.runs.runs.values():
            for gap in gaps_of(runs, self.channel.name.modulus, self.role.period):
                if gap.unlike_time:
                    account.discontinuities += 1
                elif gap.missing:
                    account.gaps += 1
                    account.missing += gap.missing
        return account


class _Link:
    def __init__(self, mission: Mission, name: str) -> None:
        self.expected = ExpectedLink(mission, name)
        self.channels: dict[ChannelName, _Channel] = {}

    def channel(self, name: ChannelName, role: Role) -> _Channel:
        channel = self.channels.get(name)
        if channel is None:
            run_gap = suspect_gap(self.expected.vehicles[role.vehicle], self.expected.mission)
            channel = self.channels[name] = _Channel(name, role, self.expected, run_gap)
        return channel

    def role(self, scid: int, vcid: int) -> Role | None:
        return self.expected.role(scid, vcid)


class TimedAccounting:
    """Takes records in order of arrival."""

    def __init__(self, mission: Mission) -> None:
        self._mission = mission
        self._links: dict[str, _Link | None] = {}
        self._account = Account()

    def take(self, record: Record) -> None:
        link = self._link(record.link)
        if isinstance(record, FramesReceived):
            self._account.frames += len(record.relay_receive_times)
            if link is None:
                self._account.dispositions[UNKNOWN_LINK] += len(record.relay_receive_times)
            else:
                self._take_frames(link, record)
        elif isinstance(record, DataEnded | RecordingEnded) and link is not None:
            self._settle(link, record.session)

    def close(self) -> Account:
        """No more records come."""
        links = [link for link in self._links.values() if link is not None]
        for link in links:
            self._settle(link, 0)
        accounts = [channel.close() for link in links for channel in link.channels.values()]
        self._account.channels = sorted(
            (one for one in accounts if one.received), key=lambda one: (one.link, one.scid, one.vcid)
        )
        return self._account

    def _link(self, name: str) -> _Link | None:
        if name not in self._links:
            try:
                self._links[name] = _Link(self._mission, name)
            except RecordError:
                self._links[name] = None
        return self._links[name]

    def _take_frames(self, link: _Link, record: FramesReceived) -> None:
        expected = link.expected
        frames = expected.read(split(record.octets, record.frame_length, record.lengths), expected.managed)
        times = record.relay_receive_times.tolist()
        for _, reason in frames.bad():
            self._account.dispositions[f"bad:{reason}"] += 1
        for key, of_channel in frames.by_channel().items():
            name = ChannelName(*key)
            role = link.role(name.scid, name.vcid)
            if role is None:
                self._account.dispositions["out_of_scope"] += len(of_channel)
                continue
            channel, outcome = link.channel(name, role), Outcome()
            channel.channel.take(of_channel, frames, times, parts_of(of_channel, [len(times)], [outcome]))
            self._add(channel, outcome, record.session)

    def _settle(self, link: _Link, session: int) -> None:
        for channel in link.channels.values():
            outcome = Outcome()
            channel.channel.settle(outcome)
            self._add(channel, outcome, session)

    def _add(self, channel: _Channel, outcome: Outcome, session: int) -> None:
        self._account.dispositions += outcome.dispositions
        for packets in outcome.packets.values():
            for some in packets:
                self._account.packets += Counter(some.apids.tolist() if isinstance(some, PacketLot) else (some.apid,))
        channel.add(outcome, session)
