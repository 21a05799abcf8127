"""What is remembered of one link of one run: its channels, running totals, and how far it is. Knows how the parts are
stored; does not know what they make of a record."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.channels.channel import Channel
from pipeline.channels.expected import ExpectedLink, Role
from pipeline.channels.outcome import ChannelName
from pipeline.channels.receptions import Receptions
from pipeline.channels.sessions import Sessions
from pipeline.mission.model import Mission
from pipeline.records import Origin


class LinkState:
    """What is remembered of one link of one run."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], int] = {}
        """(topic, partition) of the frames records → the last offset that is in this state."""
        self.dispositions: Counter[str] = Counter()
        self.late = 0
        self.channels: dict[ChannelName, Channel] = {}
        self.receptions = Receptions()
        self.sessions = Sessions()
        self._expected: ExpectedLink | None = None
        self._unrestored: dict[ChannelName, tuple[list[Any], dict[tuple[str, ...], Any]]] = {}
        self._changed = False

    def expected(self, mission: Mission, link: str) -> ExpectedLink:
        if self._expected is None or self._expected.mission is not mission or self._expected.link.name != link:
            self._expected = ExpectedLink(mission, link)
        return self._expected

    def channel(self, name: ChannelName, role: Role) -> Channel:
        channel = self.channels.get(name)
        if channel is None:
            expected = self._expected
            readers = expected.readers[role.vehicle] if expected is not None else {}
            carries_packets = role.carries_telemetry and expected is not None and expected.link.format != "mavlink"
            channel = Channel(name, role.period, frozenset(readers), packets=carries_packets)
            stored = self._unrestored.pop(name, None)
            if stored is not None:
                channel.restore(*stored)
            self.channels[name] = channel
        return channel

    def restore_channels(self, expected: ExpectedLink) -> None:
        """Channels are made for a mission, so what was stored of them waits for the first record."""
        for name in list(self._unrestored):
            role = expected.role(name.scid, name.vcid)
            if role is not None:
                self.channel(name, role)

    def take_changes(self) -> dict[str, Any]:
        """Chunks that changed since the last call, by name; None for one that is gone. "" is the head, there whenever
        anything changed."""
        if not self._changed:
            return {}
        self._changed = False
        chunks: dict[str, Any] = {"": self._head()}
        chunks.update(self.receptions.chunks.take_changes())
        chunks.update(self.sessions.chunks.take_changes())
        for channel in self.channels.values():
            chunks.update(channel.take_changes())
        return chunks

    def _head(self) -> dict[str, Any]:
        return {
            "seen": [[topic, partition, offset] for (topic, partition), offset in self.seen.items()],
            "dispositions": dict(self.dispositions),
            "late": self.late,
            "channels": [channel.head() for channel in self.channels.values()]
            + [head for head, _ in self._unrestored.values()],
        }

    @classmethod
    def restore(cls, chunks: Mapping[str, Any]) -> "LinkState":
        """The state in all chunks ever taken, the last of each name."""
        state = cls()
        if not chunks:
            return state
        head = chunks[""]
        state.seen = {(topic, partition): offset for topic, partition, offset in head["seen"]}
        state.dispositions = Counter(head["dispositions"])
        state.late = head["late"]
        bins: dict[tuple[int, int], str] = {}
        sessions: dict[tuple[int, int], str] = {}
        for row in head["channels"]:
            state._unrestored[ChannelName(*row[:3])] = (row, {})
        by_text = {str(name): stored for name, (_, stored) in state._unrestored.items()}
        for name, value in chunks.items():
            kind, *rest = name.split("/")
            if value is None or not kind:
                continue
            if kind == "bins":
                bins[int(rest[0]), int(rest[1])] = value
            elif kind == "sessions":
                sessions[int(rest[0]), int(rest[1])] = value
            else:
                by_text[rest[0]][kind, *rest[1:]] = value
        state.receptions.chunks.restore(bins)
        state.sessions.chunks.restore(sessions)
        return state

    def is_new(self, origin: Origin) -> bool:
        """Whether the record from there is not contained; from now on it is."""
        log = origin.topic, origin.partition
        if self.seen.get(log, -1) >= origin.offset:
            return False
        self.seen[log] = origin.offset
        self._changed = True
        return True
