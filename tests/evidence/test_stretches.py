"""What is found of many rows at once is what the rows give one at a time: whatever they hold, and in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.stretches import instants
from pipeline.evidence.summary import Evidence
from pipeline.records import SECOND, Origin
from pipeline.telemetry import ChannelFrames, Samples, Telemetry
from tests.link import mission

T = SECOND // 10
MODULUS = 256

instant = st.one_of(st.integers(0, 40).map(lambda number: number * T), st.integers(-(1 << 63), (1 << 63) - 1))
"""Mostly near each other, so that they fall together; and what is no time at all."""
row = st.tuples(
    instant,
    st.none() | st.integers(0, 30).map(lambda number: number * T) | st.integers(0, 1 << 64),
    st.sampled_from([None, 41, 42]),
    st.sampled_from([None, "hover", "landed"]),
    st.sampled_from([None, "flight", "ground"]),
    st.sampled_from([None, False, True]),
    st.none() | st.sampled_from([0.0, 2.5, 12.0]) | st.floats(-100, 100),
    st.none() | st.sampled_from([-1.0, 0.0]),
)
frame = st.tuples(instant, st.integers(0, MODULUS - 1), st.booleans())


def empty() -> Evidence:
    return Evidence(mission().vehicles[0], mission())


def telling(link: str = "rover-a", session: int = 0, **columns: Any) -> Telemetry:
    return Telemetry(
        vehicle=mission().vehicles[0].name, link=link, session=session, sequence=0, kind="received",
        origin=Origin("relay.frames", 0, 0), earth_receive_time=0, **columns,
    )  # fmt: skip


def samples(rows: list[Any], *, live: bool) -> tuple[Samples, ...]:
    if not rows:
        return ()
    times, spacecraft, boots, phases, states, landed, altitudes, rates = zip(*rows, strict=True)
    return (
        Samples(
            scid=168, vcid=0, live=live, times=times, counts=tuple(at % 5 for at in times),
            spacecraft_times=spacecraft, boot_counts=boots, phases=phases, states=states, landed=landed,
            altitudes=altitudes, climb_rates=rates,
        ),
    )  # fmt: skip


def channel(rows: list[Any]) -> tuple[ChannelFrames, ...]:
    if not rows:
        return ()
    times, counts, telemetry = zip(*rows, strict=True)
    return (
        ChannelFrames(
            scid=168, vcid=0, live=True, modulus=MODULUS, times=times, counts=counts, telemetry=telemetry
        ),
    )  # fmt: skip


@given(rows=st.lists(row, max_size=40), live=st.booleans())
def test_samples_of_one_record_are_the_evidence_that_each_alone_is(rows: list[Any], live: bool) -> None:
    together, one_by_one = empty(), empty()
    together.absorb(telling(samples=samples(rows, live=live)))
    one_by_one.absorb(telling())
    for one in rows:
        one_by_one.absorb(telling(samples=samples([one], live=live)))
    assert together.content() == one_by_one.content()


@given(rows=st.lists(frame, max_size=60).map(lambda rows: sorted(rows, key=lambda one: one[0])))
def test_frames_of_one_record_are_the_evidence_that_each_alone_is(rows: list[Any]) -> None:
    together, one_by_one = empty(), empty()
    together.absorb(telling(channels=channel(rows)))
    one_by_one.absorb(telling())
    for one in rows:
        one_by_one.absorb(telling(channels=channel([one])))
    but_runs = {"runs": None}  # of which `test_runs` tells
    assert together.content() | but_runs == one_by_one.content() | but_runs


def test_of_samples_of_one_frame_the_one_that_is_latest_on_board_is_kept_in_any_order() -> None:
    rows = [(T, number, 42, "hover", "flight", False, float(number), 0.0) for number in range(9)]
    later = [(T + 1, 9, 42, "hover", "flight", False, 2.5, 0.0)]
    for arranged in ([*rows, *later], [*reversed(rows), *later]):
        evidence = empty()
        for row in arranged:
            evidence.absorb(telling(samples=samples([row], live=True)))
        at_once = empty()
        at_once.absorb(telling(samples=samples(arranged, live=True)))
        for known in (evidence, at_once):
            ((_, segment),) = known.samples.items()
            earliest, latest, highest, _ = segment.payload
            assert [point[1] for point in earliest] == [8, 9]
            assert [point[1] for point in latest] == [9, 8]
            assert [-point[0] for point in highest] == [8.0, 7.0, 6.0, 5.0, 4.0]


def test_instants_are_cut_where_nothing_came_for_longer_than_the_gap() -> None:
    minute = 60 * SECOND
    times = [start + number for start in (0, 10 * minute, 11 * minute) for number in range(5)]
    assert [(one.first, one.last) for one in instants(times, minute)] == [(0, 4), (10 * minute, 11 * minute + 4)]
