"""One virtual channel by its frame counts alone: what is missing, what came again, what is not plausible. Knows no
time, so it cannot tell how often a count went round.

An 8-bit count proves little: whatever comes next is taken as forward, the fewest that can be missing. A count of 24
or 28 bits tells forward from back: a frame from up to 65,536 counts ago is late and fills its place, and one still
further off waits for the next frame of the channel, which either goes on from it (a restart) or from before it (then
it was no frame of this channel).
"""

from bisect import bisect_right
from typing import Any, Final, Literal, NamedTuple

from pipeline.accounting.account import ChannelAccount

WINDOW: Final = 65_536
"""How far ahead or back a large count may lie, and still belong to the same sequence."""
_SMALL_MODULUS: Final = 256
_RECENT: Final = 1_024
"""Frames of which a digest is kept, to tell a repetition from a conflict."""


class Placed(NamedTuple):
    """A frame that found its place in the sequence."""

    word: Literal["new", "duplicate", "conflict"]
    number: int
    """The count with the cycles it went through: frames with consecutive numbers follow one another."""
    frame: Any
    """What the caller gave with it."""


class _Waiting(NamedTuple):
    """A frame that is far from the sequence."""

    frame_count: int
    digest: int
    frame: Any


class CountedChannel:
    __slots__ = (
        "_base", "_digests", "_newest", "_runs", "_segment_frames", "_waiting", "account", "first_refused", "followed",
        "modulus", "refused", "window",
    )  # fmt: skip

    def __init__(self, scid: int, vcid: int, modulus: int) -> None:
        self.account = ChannelAccount(scid=scid, vcid=vcid)
        self.modulus = modulus
        self.window = 0 if modulus <= _SMALL_MODULUS else WINDOW
        self.followed = 0
        """Frames whose count was the one after the frame before."""
        self.refused = 0
        """Frames that waited in vain: they are not of this channel."""
        self.first_refused = False
        """The very first frame, which nothing could contradict when it came, is not of this channel either."""
        self._newest: int | None = None
        self._runs: list[list[int]] = []
        """[first, last] number of consecutive frames, of those that a late frame may still join."""
        self._segment_frames = 0
        self._digests: dict[int, int] = {}
        self._waiting: _Waiting | None = None
        self._base = 0

    def take(self, count: int, digest: int, frame: Any) -> list[Placed]:
        """A frame in its order in the file → the frames that found their place by it: itself, one that waited and
        itself, or none."""
        waited, self._waiting = self._waiting, None
        ahead = 0 if self._newest is None else (count - self._newest) % self.modulus
        if not self.window or ahead <= self.window or ahead >= self.modulus - self.window:
            self.refused += waited is not None
            return [self._place(count, digest, frame)]
        if waited is not None and 0 < (count - waited.frame_count) % self.modulus <= self.window:
            self._restart()
            return [self._place(*waited), self._place(count, digest, frame)]
        self.refused += waited is not None
        self._waiting = _Waiting(count, digest, frame)
        return []

    def close(self) -> None:
        """No more frames come: the account is final."""
        self.refused += self._waiting is not None
        self._waiting = None
        self._fold(len(self._runs))

    def _place(self, count: int, digest: int, frame: Any) -> Placed:
        account = self.account
        account.received += 1
        if self._newest is None:
            self._newest = self._base + count
            if account.first_count is None:
                account.first_count = count
            self._runs.append([self._newest, self._newest])
            number, is_new = self._newest, True
        else:
            ahead = (count - self._newest) % self.modulus
            number = self._newest + (ahead - self.modulus if self.window and ahead > self.window else ahead)
            is_new = self._join(number)
        known = self._digests.get(number)
        if not is_new:
            account.repeated += 1
            return Placed("duplicate" if known in (None, digest) else "conflict", number, frame)
        self._segment_frames += 1
        self._digests[number] = digest
        if len(self._digests) > _RECENT:
            del self._digests[next(iter(self._digests))]
        if number >= self._newest:
            self._newest = number
            account.last_count = count
        return Placed("new", number, frame)

    def _join(self, number: int) -> bool:
        """Whether there was no frame of this number yet."""
        runs = self._runs
        last = runs[-1]
        if number == last[1] + 1:
            last[1] = number
            self.followed += 1
            return True
        if number > last[1]:
            runs.append([number, number])
            if runs[0][1] < number - self.window:
                # Whatever is that old no frame can join any more.
                self._fold(next(at for at, run in enumerate(runs) if run[1] >= number - self.window))
            return True
        place = bisect_right(runs, number, key=_first)
        before = runs[place - 1] if place else None
        if before is not None and number <= before[1]:
            return False
        after = runs[place] if place < len(runs) else None
        joins_before = before is not None and number == before[1] + 1
        joins_after = after is not None and number == after[0] - 1
        if before is not None and after is not None and joins_before and joins_after:
            before[1] = after[1]
            del runs[place]
        elif before is not None and joins_before:
            before[1] = number
        elif after is not None and joins_after:
            after[0] = number
        else:
            runs.insert(place, [number, number])
        return True

    def _fold(self, keep_from: int) -> None:
        """Count the gaps before the run at this place, and forget what stands before it."""
        for before, after in zip(self._runs[:keep_from], self._runs[1 : keep_from + 1]):
            self.account.gaps += 1
            self.account.missing += after[0] - before[1] - 1
        del self._runs[:keep_from]

    def _restart(self) -> None:
        """The sequence goes on elsewhere, unless it was only one frame: then it begins there."""
        self._fold(len(self._runs))
        if self._segment_frames == 1 and not self.account.repeated and not self.account.discontinuities:
            self.first_refused = True
            self.account.received, self.account.first_count = 0, None
        else:
            self.account.discontinuities += 1
        self._digests.clear()
        self._base += 4 * self.modulus
        self._newest = None
        self._segment_frames = 0


def _first(run: list[int]) -> int:
    return run[0]
