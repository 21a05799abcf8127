"""The account of a raw frame file: frames one after the other, with no receive times and no mission. Knows a frame
format and the managed parameters; does not know whom to expect.

Without a frame error control field nothing but counts shows that a frame is one. A spacecraft is then believed where
it sent most of the frames, or where its counts follow one another more often than random ones would; the frames of
any other are `bad:implausible`.
"""

from collections import Counter
from typing import Final

from pipeline.accounting.account import Account
from pipeline.accounting.counted_channel import CountedChannel
from pipeline.channels.recent import digest
from pipeline.frames.frame import IMPLAUSIBLE, ONLY_IDLE_DATA, FrameFormat, Managed
from pipeline.packets.extraction import Extraction

_FOLLOWING: Final = 1 / 8
"""Part of a spacecraft's frames that must follow the frame before, or repeat it. Of random 8-bit counts one in 256
does; of a text or an image read as frames many more."""
_FOLLOWING_AT_LEAST: Final = 3

_CHANNELS_WITH_PACKETS: Final = 64
"""Random octets make thousands of channels; a link has not more than these."""

_ENDLESS: Final = 1 << 62
"""Modulus of numbers that never go round."""


class _Channel:
    __slots__ = ("counted", "dispositions", "extraction", "first_word", "packets")

    def __init__(self, scid: int, vcid: int, modulus: int, *, packets: bool) -> None:
        self.counted = CountedChannel(scid, vcid, modulus)
        self.dispositions: Counter[str] = Counter()
        self.first_word: str | None = None
        self.packets: Counter[int] = Counter()
        self.extraction = Extraction(_ENDLESS) if packets else None

    def take(self, count: int, octets_digest: int, replayed: bool, pointer: int, zone: bytes) -> None:
        for word, number, (replayed_one, pointer_one, zone_one) in self.counted.take(
            count, octets_digest, (replayed, pointer, zone)
        ):
            if word != "new":
                self.dispositions[word] += 1
                continue
            what = "idle" if pointer_one == ONLY_IDLE_DATA else "good"
            self.dispositions[what] += 1
            self.first_word = self.first_word or what
            extraction = self.extraction
            if extraction is None:
                continue
            extraction.add(number, number, not replayed_one, pointer_one, zone_one)
            if extraction.completed:
                self.packets.update([packet.apid for packet in extraction.completed])
                extraction.completed.clear()
            extraction.told_late.clear()
            extraction.spilled.clear()

    def close(self) -> None:
        self.counted.close()
        refused = self.counted.refused
        if self.counted.first_refused and self.first_word is not None:
            self.dispositions[self.first_word] -= 1
            refused += 1
        if refused:
            self.dispositions[f"bad:{IMPLAUSIBLE}"] += refused


class CountedAccounting:
    """Takes frames in the order of the file; memory does not grow with it."""

    def __init__(self, read: FrameFormat, managed: Managed) -> None:
        self._read = read
        self._managed = managed
        self._frames = 0
        self._bad: Counter[str] = Counter()
        self._channels: dict[tuple[int, int, int], _Channel] = {}

    def take(self, octets: list[bytes]) -> None:
        """Some frames, any number: the account does not depend on how the file was cut."""
        frames = self._read(octets, self._managed)
        self._frames += len(octets)
        columns = zip(
            frames.reasons, frames.scids, frames.vcids, frames.moduli, frames.virtual_channel_frame_counts,
            frames.replayed, frames.first_header_pointers, frames.zone_starts, frames.zone_ends, octets, strict=True,
        )  # fmt: skip
        channels = self._channels
        for reason, scid, vcid, modulus, count, replayed, pointer, start, end, frame in columns:
            if reason is not None:
                self._bad[f"bad:{reason}"] += 1
                continue
            key = (scid, vcid, modulus)
            channel = channels.get(key)
            if channel is None:
                packets = len(channels) < _CHANNELS_WITH_PACKETS
                channel = channels[key] = _Channel(*key, packets=packets)
            channel.take(count, digest(frame), replayed, pointer, frame[start:end])

    def close(self) -> Account:
        """No more frames come."""
        account = Account(frames=self._frames, dispositions=Counter(self._bad))
        for channel in self._channels.values():
            channel.close()
        believed = self._believed()
        for (scid, _, _), channel in sorted(self._channels.items()):
            if scid not in believed:
                account.dispositions[f"bad:{IMPLAUSIBLE}"] += sum(channel.dispositions.values())
                continue
            account.dispositions += channel.dispositions
            account.packets += channel.packets
            if channel.counted.account.received:
                account.channels.append(channel.counted.account)
        return account

    def _believed(self) -> set[int]:
        received: Counter[int] = Counter()
        followed: Counter[int] = Counter()
        for (scid, _, _), channel in self._channels.items():
            received[scid] += sum(channel.dispositions.values())
            followed[scid] += channel.counted.followed + channel.dispositions["duplicate"]
        if self._managed.frame_error_control_field:
            return set(received)
        most = received.total() / 2
        least = {scid: max(_FOLLOWING_AT_LEAST, n * _FOLLOWING) for scid, n in received.items()}
        return {scid for scid, n in received.items() if n > most or followed[scid] >= least[scid]}
