"""Where a link stands, told by what its receiver hands over."""

from typing import Any

import pytest
from msgspec import structs

from pipeline.measures.links import IN_CONTACT_STATE, LISTENING, NO_SESSION, OUTAGE, LinkCounts
from pipeline.metrics import FRAMES, IN_CONTACT, LATE, LINK_STATE, SIGNAL_LEVEL, WATERMARK, Sample
from pipeline.records import SECOND, Listened, Origin
from pipeline.telemetry import ChannelFrames, Telemetry
from tests.link import START

SESSION = START - 10 * SECOND
FRAME = ChannelFrames(scid=168, vcid=0, live=True, modulus=256, times=(START,), counts=(1,), telemetry=(True,))


def told(kind: str, seconds: float, **more: Any) -> Telemetry:
    at = START + round(seconds * SECOND)
    return Telemetry(
        vehicle="ingenuity", link="rover-a", kind=kind, origin=Origin("relay.frames", 0, 0),
        **{"session": SESSION, "sequence": 0, "earth_receive_time": at, "relay_receive_time": at, **more},
    )  # fmt: skip


def heard(seconds: float, **more: Any) -> Telemetry:
    return told("received", seconds, channels=(FRAME,), **more)


def listened(seconds: float, frames: int | None = 0, status: Any = "running", level: float | None = None) -> Telemetry:
    end = START + round(seconds * SECOND)
    report = Listened(
        link="rover-a", session=SESSION, sequence=0, earth_receive_time=end, starts_at=end - SECOND, ends_at=end,
        production_status=status, frames_heard=frames, signal_level_dbm=level,
    )  # fmt: skip
    return told("listened", seconds, listened=report)


def after(*records: Telemetry) -> dict[str, float]:
    """Name of each gauge → value."""
    counts = LinkCounts()
    for one in records:
        list(counts.take(one, "live"))
    return {one.metric.name: one.value for one in counts.gauges("rover-a", "live")}


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([], NO_SESSION),
        ([listened(1)], LISTENING),
        ([listened(1), heard(2)], IN_CONTACT_STATE),
        ([heard(2), listened(2, frames=10)], IN_CONTACT_STATE),
        ([heard(2), listened(2, frames=None)], IN_CONTACT_STATE),
        ([heard(2), listened(3)], LISTENING),
        ([heard(2), told("received", 2.5)], IN_CONTACT_STATE),  # bad frames only: they do not end a contact
        ([heard(2), listened(3, status="interrupted")], OUTAGE),
        ([heard(2), listened(3, status="halted"), listened(4, frames=1)], IN_CONTACT_STATE),
        ([heard(2), told("no_delivery", 0, relay_receive_time=None)], OUTAGE),
        ([heard(2), told("no_delivery", 0, relay_receive_time=None), heard(9)], IN_CONTACT_STATE),
        ([heard(2), told("end_of_data", 3)], NO_SESSION),
        ([heard(2), told("recording_ended", 0, relay_receive_time=None)], NO_SESSION),
        ([heard(2), told("end_of_data", 3), heard(90, session=START)], IN_CONTACT_STATE),
    ],
)
def test_the_state_of_a_link_follows_its_newest_record(records: list[Telemetry], state: int) -> None:
    gauges = after(*records)
    assert gauges[LINK_STATE.name] == state
    assert gauges[IN_CONTACT.name] == (state == IN_CONTACT_STATE)


def test_late_records_of_another_session_tell_nothing_of_where_the_link_stands_now() -> None:
    now = [heard(50), listened(51, frames=5)]
    late = [structs.replace(heard(2), session=0), told("end_of_data", 3, session=0),
            told("no_delivery", 0, session=0, relay_receive_time=None)]  # fmt: skip
    assert after(*now, *late) == after(*now)


def test_the_watermark_is_the_furthest_instant_and_never_goes_back() -> None:
    assert after()[WATERMARK.name] == 0
    assert after(heard(7.5), listened(6))[WATERMARK.name] == START / SECOND + 7.5


def test_the_signal_level_has_no_series_while_nothing_is_heard_or_it_is_not_told() -> None:
    assert after(heard(1), listened(2, frames=9, level=-101.5))[SIGNAL_LEVEL.name] == -101.5
    for records in ([listened(2, level=-130)], [heard(1), listened(2, frames=9)],
                    [heard(1), listened(2, frames=9, level=-101.5), listened(3, frames=0, level=-130)],
                    [heard(1), listened(2, frames=9, level=-101.5), told("end_of_data", 3)]):  # fmt: skip
        assert SIGNAL_LEVEL.name not in after(*records)


def test_frames_are_counted_by_what_the_running_totals_add() -> None:
    counts = LinkCounts()
    first = list(counts.take(heard(1, dispositions={"good": 3, "bad:fecf": 1}, late=1), "live"))
    again = list(counts.take(heard(1, dispositions={"good": 3, "bad:fecf": 1}, late=1), "live"))
    more = list(counts.take(heard(2, dispositions={"good": 5, "bad:fecf": 1}, late=1), "live"))
    assert first == [
        Sample(FRAMES, ("rover-a", "good", "", "live"), 3), Sample(FRAMES, ("rover-a", "bad", "fecf", "live"), 1),
        Sample(LATE, ("rover-a", "live"), 1),
    ]  # fmt: skip
    assert (again, more) == ([], [Sample(FRAMES, ("rover-a", "good", "", "live"), 2)])
