"""What is written of samples as they pass, and when."""

import math
from itertools import pairwise

import pytest

from pipeline.backfill.clock import DAY, HELD_EVERY, HELD_FOR, Clock
from pipeline.backfill.timeline import REPEATED_AFTER, Timeline
from pipeline.metrics import Metric, Sample, Series
from pipeline.records import SECOND

COUNTER = Metric(name="frames_total", kind="counter", labels=("link",), help="frames")
GAUGE = Metric(name="missing", kind="gauge", labels=("link",), help="missing frames")
ALTITUDE = Metric(name="altitude", kind="gauge", labels=("vehicle",), help="metres", absent=True)
ACTIVE = Metric(name="active", kind="gauge", labels=("vehicle",), help="open incidents")
ALERT = Metric(name="ALERTS", kind="gauge", labels=("vehicle",), help="alerts", absent=True)
LATENESS = Metric(name="lateness", kind="histogram", labels=(), help="seconds", buckets=(1, 5))

START = 1_700_000_000 * SECOND


def told(timeline: Timeline, name: str) -> list[tuple[float, float | None]]:
    """(seconds after START, value; None for NaN) of the one series of this name."""
    (track,) = [one for one in timeline.tracks if one.metric.name == name]
    return [
        (at / 1_000 - START / SECOND, None if math.isnan(value) else value)
        for at, value in zip(track.times, track.values, strict=True)
    ]


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


def test_a_counter_goes_up_by_its_samples_and_a_gauge_becomes_them(timeline):
    timeline.apply([Sample(COUNTER, ("a",), 3), Sample(GAUGE, ("a",), 3)])
    timeline.write(START)
    timeline.apply([Sample(COUNTER, ("a",), 2), Sample(GAUGE, ("a",), 2)])
    timeline.write(START + SECOND)
    assert told(timeline, "frames_total") == [(0, 3), (1, 5)]
    assert told(timeline, "missing") == [(0, 3), (1, 2)]


def test_what_is_born_is_there_at_0(timeline):
    timeline.bear([Series(COUNTER, ("a",))])
    timeline.write(START)
    timeline.apply([Sample(COUNTER, ("a",), 1)])
    timeline.write(START + SECOND)
    assert told(timeline, "frames_total") == [(0, 0), (1, 1)]


def test_a_value_that_stays_is_written_as_often_as_a_worker_is_asked_for_it(timeline):
    timeline.apply([Sample(GAUGE, ("a",), 7)])
    for second in range(12):
        timeline.write(START + second * SECOND)
    assert told(timeline, "missing") == [(0, 7), (5, 7), (10, 7)]
    assert REPEATED_AFTER == 5 * SECOND


def test_a_gauge_that_is_not_shown_any_more_gets_one_nan(timeline):
    timeline.show("vehicle a", [Sample(ALTITUDE, ("a",), 12)])
    timeline.write(START)
    timeline.show("vehicle a", [])
    for second in range(1, 9):
        timeline.write(START + second * SECOND)
    assert told(timeline, "altitude") == [(0, 12), (1, None)]


def test_a_gauge_that_was_gone_comes_back(timeline):
    for second, samples in enumerate([[Sample(ALTITUDE, ("a",), 12)], [], [Sample(ALTITUDE, ("a",), 12)]]):
        timeline.show("vehicle a", samples)
        timeline.write(START + second * SECOND)
    assert told(timeline, "altitude") == [(0, 12), (1, None), (2, 12)]


def test_what_is_shown_of_one_vehicle_says_nothing_of_another(timeline):
    timeline.show("vehicle a", [Sample(ALTITUDE, ("a",), 12)])
    timeline.show("vehicle b", [])
    timeline.write(START)
    assert told(timeline, "altitude") == [(0, 12)]


def test_a_histogram_counts_in_every_bucket_that_holds_the_value(timeline):
    for value in (0.5, 1, 3, 9):
        timeline.apply([Sample(LATENESS, (), value)])
    timeline.write(START)
    (track,) = timeline.tracks
    below_1, below_5, below_any, count, total = track.values
    assert (below_1, below_5, below_any, count) == (2, 3, 4, 4)
    assert total == 13.5


class Flown:
    """A clock over one altitude, one count of open incidents and its alert, each set when the clock has gone on."""

    def __init__(self, step: int = SECOND) -> None:
        self.timeline = Timeline()
        self.clock = Clock(self.timeline, step, frozenset({"active", "ALERTS"}), lambda: None)

    def at(self, seconds: float, altitude: float, active: int = 0) -> None:
        self.clock.reach(START + round(seconds * SECOND))
        samples = [Sample(ACTIVE, ("a",), active), Sample(ALTITUDE, ("a",), altitude)]
        if active:
            samples.append(Sample(ALERT, ("a",), 1))
        self.timeline.show("vehicle a", samples)

    def told(self, name: str) -> list[tuple[float, float | None]]:
        return told(self.timeline, name)


def test_an_instant_shows_what_was_known_when_the_clock_had_reached_it():
    flown = Flown()
    for seconds, altitude in ((0, 1), (0.4, 2), (1, 3), (1.6, 4), (2.5, 5)):
        flown.at(seconds, altitude)
    flown.clock.end()
    assert flown.told("altitude") == [(0, 1), (1, 3), (2, 4), (3, 5), (4, None)]


def test_a_step_may_be_a_part_of_a_second():
    flown = Flown(step=SECOND // 2)
    for seconds, altitude in ((0, 1), (0.4, 2), (1, 3)):
        flown.at(seconds, altitude)
    flown.clock.end()
    assert flown.told("altitude") == [(0, 1), (0.5, 2), (1, 3), (1.5, None)]


def test_a_record_that_comes_late_is_told_when_it_came():
    flown = Flown()
    flown.at(1_000, 1)
    flown.at(3, 2)
    flown.at(1_001, 3)
    flown.clock.end()
    assert flown.told("altitude") == [(1_000, 2), (1_001, 3), (1_002, None)]


def test_two_silent_days_draw_no_plateau_and_an_incident_that_is_open_stays_open():
    flown = Flown()
    flown.at(0, 12, active=1)
    flown.at(2 * 86_400, 3, active=1)
    flown.at(2 * 86_400 + 1, 3)
    flown.clock.end()
    assert flown.told("altitude") == [(0, 12), (1, None), (172_800, 3), (172_802, None)]
    active = flown.told("active")
    shown = [at for at, value in active if value == 1]
    assert (shown[0], shown[-1]) == (0, 172_800)
    assert max(later - earlier for earlier, later in pairwise(shown)) <= HELD_EVERY / SECOND < 300
    assert len(active) < 800
    assert active[-1] == (172_801, 0)
    assert [at for at, value in flown.told("ALERTS") if value is None] == [172_801]


def test_where_no_incident_is_open_a_silence_is_empty():
    flown = Flown()
    flown.at(0, 12)
    flown.at(86_400, 12)
    flown.clock.end()
    assert flown.told("active") == [(0, 0), (86_400, 0)]


def test_an_incident_that_is_open_over_years_of_silence_is_written_for_thirty_days():
    flown = Flown()
    flown.at(0, 12, active=1)
    flown.at(5 * 365 * 86_400, 12)
    flown.clock.end()
    alert = flown.told("ALERTS")
    (ends,) = [at for at, value in alert if value is None]
    assert HELD_FOR / SECOND <= ends <= (HELD_FOR + HELD_EVERY) / SECOND
    assert HELD_FOR == 30 * DAY
    assert len(alert) < 11_000


def test_a_silence_of_less_than_five_minutes_is_filled():
    flown = Flown()
    flown.at(0, 12)
    flown.at(299, 12)
    flown.clock.end()
    times = [at for at, value in flown.told("altitude") if value == 12]
    assert (times[0], times[-1]) == (0, 299)
    assert max(later - earlier for earlier, later in pairwise(times)) == REPEATED_AFTER / SECOND


@pytest.mark.parametrize("silence", [300.0, 300.5, 301.2, 481.0, 541.3, 86_400.9])
def test_times_ascend_wherever_a_silence_ends(silence):
    flown = Flown()
    flown.at(0.7, 12, active=1)
    flown.at(1 + silence, 12, active=1)
    flown.at(3 + silence, 12)
    flown.clock.end()
    for name in ("altitude", "active", "ALERTS"):
        times = [at for at, _ in flown.told(name)]
        assert times == sorted(set(times))
