"""What a process started is put away however it ends: Ctrl-C, SIGTERM or a closed terminal end a block once, as Ctrl-C
does, and are ignored while things are put away. Knows signals."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Final, TypeVar

T = TypeVar("T")

_AGAIN_SECONDS: Final = 2.0
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def put_away_at_end() -> Iterator[ExitStack]:
    """A stack of what is to be put away. A signal of ENDING raises KeyboardInterrupt in the block; one that comes
    while the stack is unwound changes nothing."""
    before = {one: signal.signal(one, _interrupt) for one in _heeded()}
    try:
        with ExitStack() as stack:
            try:
                yield stack
            finally:
                _ignore()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def run_until_signal(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives. A signal of ENDING cancels it, so that it ends in order, and raises KeyboardInterrupt then."""
    asked = False

    async def run() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def end() -> None:
            nonlocal asked
            asked = True
            task.cancel()
            # Who waits for a task of its own that it has cancelled, as Kafka's client does when it is closed, takes
            # a cancellation that comes just then for that task's, and goes on.
            loop.call_later(_AGAIN_SECONDS, end)

        handlers = {one: signal.getsignal(one) for one in _heeded()}
        for one in handlers:
            loop.add_signal_handler(one, end)
        try:
            return await task
        finally:
            for one, handler in handlers.items():
                loop.remove_signal_handler(one)
                signal.signal(one, handler)

    try:
        result = asyncio.run(run())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    if asked:
        raise KeyboardInterrupt
    return result


def _heeded() -> list[signal.Signals]:
    """One that is ignored from the start stays so: nohup means it."""
    return [one for one in ENDING if signal.getsignal(one) is not signal.SIG_IGN]


def _interrupt(sent: int, frame: FrameType | None) -> None:
    _ignore()
    raise KeyboardInterrupt


def _ignore() -> None:
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)
