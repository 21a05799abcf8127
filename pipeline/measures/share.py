"""The share of a stage's newest records that were rejected. Knows counts only."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

WINDOW_RECORDS: Final = 200
"""So many records are looked at, and the rest of the batch in which the oldest of them came."""


class _Batch(NamedTuple):
    records: int
    rejected: int


@dataclass(slots=True)
class RecentShare:
    batches: deque[_Batch] = field(default_factory=deque)
    records: int = 0
    rejected: int = 0

    def add(self, records: int, rejected: int) -> None:
        """One batch."""
        self.batches.append(_Batch(records, rejected))
        self.records += records
        self.rejected += rejected
        while self.records - self.batches[0].records >= WINDOW_RECORDS:
            oldest = self.batches.popleft()
            self.records -= oldest.records
            self.rejected -= oldest.rejected

    @property
    def share(self) -> float:
        """0 to 1; 0 before the first record."""
        return self.rejected / self.records if self.records else 0.0

    def exceeds(self, limit: float) -> bool:
        """Whether more than `limit` of a whole window was rejected."""
        return self.records >= WINDOW_RECORDS and self.share > limit
