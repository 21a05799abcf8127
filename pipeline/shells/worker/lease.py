"""Whether this worker may still write: only while its membership in the consumer group is proven. Knows the answers of
the group's coordinator and a clock that goes on while the machine sleeps; knows nothing of what is written.

Kafka gives a worker's partitions to another when it has heard nothing of it for the session time-out. So each answer
that says "you are a member" is a lease, from the moment at which the question was *sent*. A worker that was stopped
and wakes finds its lease run out, and asks before it writes.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from pipeline.shells.exits import EXIT_FENCED, leave

logger = logging.getLogger(__name__)

Send = Callable[..., Awaitable[Any]]

_NO_ERROR: Final = 0
_ANSWERS_THAT_PROVE: Final = ("SyncGroupResponse", "HeartbeatResponse")
_GONE: Final = {
    UnknownMemberIdError.errno: "unknown member", IllegalGenerationError.errno: "another generation",
    82: "its name is another's now",
}  # fmt: skip
"""Kafka's number of an error → what it says of this worker. 82, FENCED_INSTANCE_ID, has no class in aiokafka."""
_MARGIN_SHARE: Final = 0.1
"""Of the session: what is sent has to reach the broker before the lease ends."""
_LONGEST_WAIT_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.02
_SAID_AFTER_SECONDS: Final = 1.0


def seconds_awake_or_asleep() -> float:
    """Monotonic, and goes on while the machine is suspended, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(slots=True)
class Lease:
    """Written by the consumer's thread, read by the producer's: single assignments, so no lock."""

    session_seconds: float
    rebalance_seconds: float
    """So long the coordinator waits for a member that it has asked to join again."""
    clock: Callable[[], float] = seconds_awake_or_asleep
    ends_at: float = 0.0
    gone: str = ""
    """Why the coordinator no longer counts this worker as a member; empty while it has not said so."""
    _last_full_proof: float = 0.0

    def is_proven(self) -> bool:
        return not self.gone and self.clock() < self.ends_at

    def answered(self, error: int, sent_at: float) -> None:
        """The coordinator's answer to what this worker sent at `sent_at` to say that it is there."""
        until = sent_at + self.session_seconds * (1 - _MARGIN_SHARE)
        if error == _NO_ERROR:
            self._last_full_proof = sent_at
            self.gone, self.ends_at = "", until
        elif error == RebalanceInProgressError.errno:
            # Still a member, for as long as the coordinator waits for all of them: from some moment after the last
            # answer that did not speak of a rebalance.
            self.ends_at = max(self.ends_at, min(until, self._last_full_proof + self.rebalance_seconds))
        elif error in _GONE:
            self.gone = _GONE[error]

    async def hold(self) -> None:
        """Back while the lease is proven; ends the process where it cannot be.

        Where nobody answers, as while a broker restarts, it waits: without a coordinator nobody is given partitions.
        """
        began = self.clock()
        while not self.is_proven():
            waited = self.clock() - began
            if self.gone or waited > _LONGEST_WAIT_SECONDS:
                reason = f"the group says: {self.gone}" if self.gone else f"nobody answered for {waited:.0f} s"
                leave(
                    EXIT_FENCED,
                    f"this worker was away and others may have its partitions ({reason}): what it was about to write "
                    "is not written; starting again from the state",
                )
            await asyncio.sleep(_PAUSE_SECONDS)
        if (waited := self.clock() - began) > _SAID_AFTER_SECONDS:
            logger.info("still a member of the group: writing goes on after %.1f s", waited)

    def watches(self, send: Send) -> Send:
        """The coordinator's `send`, its answers looked at."""

        async def watched(request: Any) -> Any:
            sent_at = self.clock()
            answer = await send(request)
            if type(answer).__name__.startswith(_ANSWERS_THAT_PROVE):
                self.answered(answer.error_code, sent_at)
            return answer

        return watched

    def guards(self, send: Send) -> Send:
        """A `send` that writes nothing without the lease."""

        async def guarded(*arguments: Any) -> Any:
            await self.hold()
            return await send(*arguments)

        return guarded
