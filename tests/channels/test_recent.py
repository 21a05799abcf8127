"""The last frames of a channel with a digest of their octets."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.channels.recent import IN_CONFLICT, KEPT, NOT_ENDED, Recent, digest


def lots_of(stored: dict[str, Any]) -> dict[int, str]:
    """Those that are still there, by their number."""
    return {int(name.split("/")[2]): lot for name, lot in stored.items() if lot is not None}


def test_a_frame_is_known_by_count_and_time() -> None:
    recent = Recent("a")
    recent.add(5, 100, digest(b"x"))
    assert recent.digest_of(5, 100) == digest(b"x")
    assert recent.digest_of(5, 101) is None
    assert recent.digest_of(6, 100) is None


def test_the_last_1024_are_known_and_older_ones_forgotten() -> None:
    recent = Recent("a")
    for count in range(KEPT + 1):
        recent.add(count, count, count)
    assert KEPT == 1024
    assert recent.forgot
    assert recent.digest_of(0, 0) is None
    assert recent.digest_of(1, 1) == 1
    assert recent.digest_of(KEPT, KEPT) == KEPT


def test_a_conflict_tells_when_a_packet_ended_that_has_octets_of_the_frame() -> None:
    recent = Recent("a")
    recent.add(1, 10, 0)
    recent.add(2, 20, 0)
    assert recent.spill(1, 10, 20) is False
    assert recent.conflict(1, 10) == 20
    assert recent.conflict(1, 10) is None, "it is told once"
    assert recent.conflict(2, 20) is None
    assert recent.spill(2, 20, 30) is True, "a packet with octets of a frame in conflict is set aside"


@given(st.lists(st.integers(0, 255), max_size=60), st.integers(0, 1500), st.integers(0, 60))
def test_what_is_stored_comes_back(counts: list[int], before: int, cut: int) -> None:
    straight, stored = Recent("a"), {}
    for place in range(before):
        straight.add(place % 256, -place, place)
    for place, count in enumerate(counts):
        if place == cut:
            stored |= dict(straight.take_changes())
        straight.add(count, place * 10, place)
        straight.spill(count, place * 10, place + 1)
    stored |= dict(straight.take_changes())
    again = Recent("a")
    again.restore(straight.next, lots_of(stored))
    assert (again.next, again.forgot) == (straight.next, straight.forgot)
    for place, count in enumerate(counts):
        assert again.digest_of(count, place * 10) == straight.digest_of(count, place * 10) == place
        assert again.conflict(count, place * 10) == place + 1
    assert IN_CONFLICT < -(1 << 62), "no time of a frame"


@given(st.lists(st.integers(1, 300), max_size=12), st.sets(st.integers(0, 11)))
def test_what_one_record_changes_is_stored_in_one_lot_or_two(records: list[int], one_by_one: set[int]) -> None:
    recent, stored = Recent("a"), {}
    for place, frames in enumerate(records):
        recent.begin()
        at = np.arange(recent.next, recent.next + frames)
        if place in one_by_one and frames < 30:
            for number in at.tolist():
                recent.add(number % 256, number, number)
        else:
            recent.extend(at % 256, at, at.tolist(), np.full(frames, NOT_ENDED))
        changes = dict(recent.take_changes())
        assert 1 <= sum(lot is not None for lot in changes.values()) <= 2
        stored |= changes
    again = Recent("a")
    again.restore(recent.next, lots_of(stored))
    for number in range(recent.next):
        known = number if number >= recent.next - KEPT else None
        assert again.digest_of(number % 256, number) == recent.digest_of(number % 256, number) == known
    recent.add(0, -1, 0)
    again.add(0, -1, 0)
    assert dict(again.take_changes()) == dict(recent.take_changes())


def test_a_channel_that_goes_on_for_long_is_stored_under_few_names() -> None:
    recent = Recent("a")
    names = set()
    for number in range(10 * KEPT):
        recent.begin()
        recent.add(number % 256, number, number)
        names |= dict(recent.take_changes()).keys()
    assert len(names) <= 40


def test_a_lot_that_is_forgotten_is_dropped_also_where_a_record_without_new_frames_follows() -> None:
    recent, stored = Recent("a"), {}
    for frames in (100, *[240] * 5, 0):
        recent.begin()
        if frames == 240 and recent.next == 100:
            stored |= dict(recent.take_changes())
        numbers = np.arange(recent.next, recent.next + frames)
        recent.extend(numbers % 256, numbers, numbers.tolist(), np.full(frames, NOT_ENDED))
    stored |= dict(recent.take_changes())
    assert stored["recent/a/0"] is None


@given(st.lists(st.integers(0, 240), min_size=1, max_size=16), st.sets(st.integers(0, 15)), st.integers(0, 1023))
def test_what_is_stored_does_not_depend_on_when_it_is(sizes: list[int], cuts: set[int], told: int) -> None:
    """A state is known to be whole by its octets, and workers that overlap cut the log at other places."""
    seldom, often = Recent("a"), Recent("a")
    stored: tuple[dict[str, str | None], dict[str, str | None]] = ({}, {})
    for number, frames in enumerate(sizes):
        for one, kept in zip((seldom, often), stored, strict=True):
            one.begin()
            numbers = np.arange(one.next, one.next + frames)
            one.extend(numbers % 256, numbers, numbers.tolist(), np.full(frames, NOT_ENDED))
            spilled = one.next - 1 - told
            one.spill(spilled % 256, spilled, spilled + 5)
            if one is often and number in cuts:
                kept |= dict(one.take_changes())
    for one, kept in zip((seldom, often), stored, strict=True):
        kept |= dict(one.take_changes())
    one, other = ({name: lot for name, lot in kept.items() if lot is not None} for kept in stored)
    assert one == other
