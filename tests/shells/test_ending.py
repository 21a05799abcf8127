import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from pipeline.shells.ending import ENDING, put_away_at_end, run_until_signal


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Every signal, also where the tests are run under nohup."""
    before = {one: signal.signal(one, signal.default_int_handler) for one in ENDING}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize("sent", ENDING)
def test_a_signal_ends_the_block_and_what_was_started_is_put_away(sent):
    put_away = []

    def work() -> None:
        with put_away_at_end() as stack:
            stack.callback(put_away.append, "second")
            stack.callback(put_away.append, "first")
            signal.raise_signal(sent)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert put_away == ["first", "second"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, None])
def test_a_signal_that_comes_while_things_are_put_away_changes_nothing(fault):
    put_away = []

    def slow() -> None:
        for one in ENDING:
            signal.raise_signal(one)
        put_away.append("slow")

    def work() -> None:
        with put_away_at_end() as stack:
            stack.callback(slow)
            if fault is KeyboardInterrupt:
                signal.raise_signal(signal.SIGTERM)
            elif fault:
                raise fault

    if fault is None:
        work()
    else:
        with pytest.raises(fault):
            work()
    assert put_away == ["slow"]


def test_afterwards_signals_do_what_they_did_before():
    before = [signal.getsignal(one) for one in ENDING]
    with pytest.raises(KeyboardInterrupt), put_away_at_end():
        run_until_signal(_ends_itself())
    assert [signal.getsignal(one) for one in ENDING] == before


async def _ends_itself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(60)


def test_work_that_a_signal_ends_is_cancelled_in_order():
    ended = []

    async def work() -> None:
        try:
            await _ends_itself()
        finally:
            await asyncio.sleep(0)
            ended.append("in order")

    with pytest.raises(KeyboardInterrupt), put_away_at_end():
        run_until_signal(work())
    assert ended == ["in order"]


def test_work_that_misses_its_cancellation_is_cancelled_again():
    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await _ends_itself()
        await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt), put_away_at_end():
        run_until_signal(work())


def test_work_that_ends_in_spite_of_a_signal_was_still_interrupted():
    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await _ends_itself()

    with pytest.raises(KeyboardInterrupt), put_away_at_end():
        run_until_signal(work())


def test_work_that_ends_by_itself_gives_its_result():
    async def work() -> int:
        return 72

    assert run_until_signal(work()) == 72


def test_a_signal_that_was_ignored_from_the_start_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with put_away_at_end():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
