"""The share of a partition's newest records that were rejected. Knows counts only."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

WINDOW_RECORDS: Final = 200
"""So many records are looked at, and the rest of the lot in which the oldest of them came."""
WINDOW_SECONDS: Final = 3600
"""And none that was taken longer ago: a bad record a day says nothing of the next ones."""
_LOT_RECORDS: Final = 20
"""Small batches are put together to lots of so many: what is remembered is short, however small they are."""


class Lot(NamedTuple):
    """Records that came one after the other."""

    records: int
    rejected: int
    at: int
    """When the first of them was taken, in seconds."""


class RecentShare(NamedTuple):
    lots: tuple[Lot, ...] = ()
    """In order of arrival."""

    def at(self, now: int) -> "RecentShare":
        """Without what is too old."""
        return RecentShare(tuple(one for one in self.lots if now - one.at <= WINDOW_SECONDS))

    def with_batch(self, records: int, rejected: int, now: int) -> "RecentShare":
        """And one batch more, taken now."""
        lots = [*self.at(now).lots, Lot(records, rejected, now)]
        if len(lots) > 1 and lots[-2].records < _LOT_RECORDS:
            lots[-2:] = [Lot(lots[-2].records + records, lots[-2].rejected + rejected, lots[-2].at)]
        waiting = sum(one.records for one in lots)
        while waiting - lots[0].records >= WINDOW_RECORDS:
            waiting -= lots.pop(0).records
        return RecentShare(tuple(lots))

    @property
    def records(self) -> int:
        return sum(one.records for one in self.lots)

    @property
    def rejected(self) -> int:
        return sum(one.rejected for one in self.lots)

    @property
    def share(self) -> float:
        """0 to 1; 0 before the first record."""
        return self.rejected / self.records if self.records else 0.0


def after_batch(
    shares: Mapping[int, RecentShare], came: Iterable[int], rejected: Iterable[int], now: int
) -> dict[int, RecentShare]:
    """The shares of all partitions after a batch that is taken now: the partition of each record that came, and of each
    of them that was rejected."""
    lost = Counter(rejected)
    batch = {
        partition: shares.get(partition, RecentShare()).with_batch(records, lost[partition], now)
        for partition, records in Counter(came).items()
    }
    return {**shares, **batch}
