"""Many whole packets, as places in one row of octets: nothing is cut out that nobody reads. Knows no frame and no
definition."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.packets.space_packet import SpacePacket

Octets = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class PacketLot(NamedTuple):
    """A column each of what is in `SpacePacket`."""

    octets: Octets
    starts: Numbers
    """Where each packet begins in the octets, and where it ends."""
    stops: Numbers
    apids: Numbers
    at: Numbers
    live: Flags
    frame_counts: Numbers

    @classmethod
    def of(cls, packets: Sequence[SpacePacket]) -> "PacketLot":
        stops = np.cumsum([len(packet.octets) for packet in packets])
        apids, octets, at, live, frame_counts = zip(*packets, strict=True)
        return cls(
            octets=np.frombuffer(b"".join(octets), np.uint8), starts=np.concatenate(([0], stops[:-1])), stops=stops,
            apids=np.array(apids), at=np.array(at), live=np.array(live), frame_counts=np.array(frame_counts),
        )  # fmt: skip

    @classmethod
    def joined(cls, parts: Sequence["SpacePacket | PacketLot"]) -> "PacketLot":
        """Packets and lots of them, in this order."""
        lots: list[PacketLot] = []
        alone: list[SpacePacket] = []
        for part in parts:
            if isinstance(part, SpacePacket):
                alone.append(part)
                continue
            if alone:
                lots.append(cls.of(alone))
                alone = []
            lots.append(part)
        if alone:
            lots.append(cls.of(alone))
        return lots[0] if len(lots) == 1 else cls._of_lots(lots)

    @classmethod
    def _of_lots(cls, lots: Sequence["PacketLot"]) -> "PacketLot":
        if all(lot.octets is lots[0].octets for lot in lots):  # parts of one
            moved, octets = np.zeros(len(lots), np.int64), lots[0].octets
        else:
            moved = np.cumsum([0, *(len(lot.octets) for lot in lots[:-1])])
            octets = np.concatenate([lot.octets for lot in lots])
        return cls(
            octets=octets,
            starts=np.concatenate([lot.starts + by for lot, by in zip(lots, moved, strict=True)]),
            stops=np.concatenate([lot.stops + by for lot, by in zip(lots, moved, strict=True)]),
            apids=np.concatenate([lot.apids for lot in lots]),
            at=np.concatenate([lot.at for lot in lots]),
            live=np.concatenate([lot.live for lot in lots]),
            frame_counts=np.concatenate([lot.frame_counts for lot in lots]),
        )

    def by_live(self) -> Iterator[tuple[bool, "PacketLot"]]:
        """The live and the recorded ones."""
        live = np.count_nonzero(self.live)
        if live in (0, len(self.live)):
            yield bool(live), self
        else:
            yield True, self.those(self.live)
            yield False, self.those(~self.live)

    def ended_within(self, first: int, last: int) -> "PacketLot":
        """Of packets in ascending time those from one time to another, both of them too."""
        start, stop = int(self.at.searchsorted(first)), int(self.at.searchsorted(last, "right"))
        return self if stop - start == len(self.at) else self.those(slice(start, stop))

    def those(self, which: Flags | Numbers | slice) -> "PacketLot":
        """The packets that a mask, a slice or their places choose."""
        return PacketLot(
            self.octets, self.starts[which], self.stops[which], self.apids[which], self.at[which], self.live[which],
            self.frame_counts[which],
        )  # fmt: skip

    def packets(self) -> list[SpacePacket]:
        """One by one."""
        columns = zip(*(column.tolist() for column in self[1:]), strict=True)
        return [
            SpacePacket(apid, self.octets[start:stop].tobytes(), at, live, frame_count)
            for start, stop, apid, at, live, frame_count in columns
        ]
