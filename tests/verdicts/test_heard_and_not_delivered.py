"""Frames that a receiver heard and that did not come, and a relay that ends without a word: neither mutes the end of a
transmission for long."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mission.model import FrameFormat
from pipeline.outputs import Revision
from pipeline.records import SECOND, FramesReceived, Listened, Record
from pipeline.shells.files.analyze import Analysis, analyze
from tests.build import scenario, scenario_records
from tests.link import START

LAST_GOOD = START + 30 * SECOND
"""Of flight 72."""


def without_frame(record: FramesReceived, at: int) -> FramesReceived:
    """The record without one of its frames."""
    length = record.frame_length
    times = record.relay_receive_times
    kept = [number for number in range(len(times)) if number != at]
    octets = b"".join(record.octets[number * length : (number + 1) * length] for number in kept)
    return replace(record, octets=octets, relay_receive_times=times[kept])


def losing_one(records: Sequence[Record], before: int) -> list[Record]:
    """One frame received before an instant is lost behind the receiver."""
    victim = max(
        place
        for place, record in enumerate(records)
        if isinstance(record, FramesReceived)
        and len(record.relay_receive_times) > 1
        and int(record.relay_receive_times.min()) < before - SECOND
        and int(record.relay_receive_times.max()) <= before
    )
    record = records[victim]
    assert isinstance(record, FramesReceived)
    return [*records[:victim], without_frame(record, 0), *records[victim + 1 :]]


def ended(analysis: Analysis) -> list[Revision]:
    return [revision for revision in analysis.revisions if revision.type == "ended_before_landing"]


@pytest.mark.parametrize("frame_format", ["tm", "aos"])
def test_a_frame_lost_behind_the_receiver_mutes_no_loss(frame_format: FrameFormat) -> None:
    shipped = scenario("flight-72", frame_format)
    records = losing_one(scenario_records("flight-72", frame_format=frame_format), LAST_GOOD)
    first, *_, last = ended(analyze(records, shipped.mission))
    assert (first.severity, first.raised_at) == ("critical", START + 33 * SECOND)
    assert first.known_at <= START + 34 * SECOND
    assert last.close_reason == "contact_restored"


def test_a_receiver_that_says_it_heard_what_never_comes_mutes_no_loss_and_the_alert_says_how_many() -> None:
    records = [
        replace(record, frames_heard=5000)
        if isinstance(record, Listened) and record.starts_at <= LAST_GOOD + SECOND < record.ends_at
        else record
        for record in scenario_records("flight-72")
    ]
    first, *_ = ended(analyze(records, scenario("flight-72").mission))
    assert (first.severity, first.raised_at) == ("critical", START + 33 * SECOND)
    assert "5,000 frames that a receiver heard about that time did not come." in first.known


def overdue() -> tuple[list[Record], Record]:
    """Flight 72 without one record of frames before the loss, and that record."""
    records = list(scenario_records("flight-72"))
    missing = max(
        (record for record in records if isinstance(record, FramesReceived) and _latest(record) <= LAST_GOOD),
        key=_latest,
    )
    records.remove(missing)
    return records, missing


def _latest(record: FramesReceived) -> int:
    return int(record.relay_receive_times.max())


def test_a_record_that_is_still_on_its_way_freezes_a_loss_for_twenty_seconds_and_no_longer() -> None:
    records, missing = overdue()
    first, *_ = ended(analyze(records, scenario("flight-72").mission))
    assert _latest(missing) <= LAST_GOOD < first.raised_at < START + 33 * SECOND
    # The listening record that says what was heard follows the missing one within a second.
    assert 20 <= (first.known_at - _latest(missing)) / SECOND <= 23


@given(seed=st.integers(0, 2**16))
@settings(max_examples=4)
def test_when_a_missing_record_comes_changes_nothing_of_the_final_result(seed: int) -> None:
    records, missing = overdue()
    place = Random(seed).randrange(len(records))
    mission = scenario("flight-72").mission
    late = analyze([*records[:place], missing, *records[place:]], mission)
    assert late.digest == analyze(scenario_records("flight-72"), mission).digest


# -- a relay that ends without a word ----------------------------------------------------------------------------


def dying(at: int) -> list[Record]:
    """Two relays; the first says nothing more from an instant on, not even that its data ended."""
    return [
        record
        for record in scenario_records("two-relays-lost")
        if record.link != "rover-a" or record.earth_receive_time < at
    ]


def test_a_relay_that_dies_in_its_pass_is_waited_for_ten_minutes_while_another_listens() -> None:
    analysis = analyze(dying(START - 30 * SECOND), scenario("two-relays-lost").mission)
    first, *_ = ended(analysis)
    assert (first.severity, first.raised_at) == ("critical", START + 30 * SECOND)
    assert START + 570 * SECOND <= first.known_at <= START + 572 * SECOND
    assert any("rover-a may have heard after 2024-01-18 11:59:2" in line for line in first.not_known)
    outages = [(one.subject, one.state) for one in analysis.incidents if one.type == "relay_outage"]
    assert outages == [("rover-a", "open")]


def test_the_last_relay_that_listens_is_never_given_up() -> None:
    """Both fall silent: what the vehicle did is not known, and nothing is said of it."""
    records = [record for record in dying(START - 30 * SECOND) if record.earth_receive_time < START + 20 * SECOND]
    assert not ended(analyze(records, scenario("two-relays-lost").mission))


def test_the_watermark_never_falls_when_a_relay_that_was_given_up_speaks_again() -> None:
    late = [
        replace(record, earth_receive_time=record.earth_receive_time + 700 * SECOND)
        for record in scenario_records("two-relays-lost")
        if record.link == "rover-a" and record.earth_receive_time >= START - 30 * SECOND
    ]
    records = sorted([*dying(START - 30 * SECOND), *late], key=lambda record: record.earth_receive_time)
    analysis = analyze(records, scenario("two-relays-lost").mission)
    marks = [revision.known_at for revision in analysis.revisions]
    assert marks == sorted(marks)
    outages = [(one.subject, one.state) for one in analysis.incidents if one.type == "relay_outage"]
    assert outages == [("rover-a", "closed")]


def test_a_later_session_of_a_link_ends_the_outage_of_one_that_ended_without_a_word() -> None:
    start = START + 700 * SECOND
    later = [
        Listened(
            link="rover-a",
            session=start,
            sequence=number,
            earth_receive_time=start + (number + 1) * SECOND + SECOND // 4,
            starts_at=start + number * SECOND,
            ends_at=start + (number + 1) * SECOND,
            production_status="running",
        )
        for number in range(5)
    ]  # fmt: skip
    analysis = analyze([*dying(START - 30 * SECOND), *later], scenario("two-relays-lost").mission)
    outages = [(one.subject, one.state) for one in analysis.incidents if one.type == "relay_outage"]
    assert outages == [("rover-a", "closed")]


def test_one_stray_record_of_another_session_holds_nothing() -> None:
    """A session is a receiver's after a good frame or three listening records."""
    stray = Listened(
        link="rover-b", session=START - 100 * SECOND, sequence=0, earth_receive_time=START + SECOND,
        starts_at=START - SECOND, ends_at=START, production_status="running",
    )  # fmt: skip
    mission = scenario("two-relays-lost").mission
    of_one = [record for record in scenario_records("two-relays-lost") if record.link == "rover-a"]
    records = sorted([*of_one, stray], key=lambda record: record.earth_receive_time)
    first, *_ = ended(analyze(records, mission))
    assert (first.severity, first.raised_at) == ("critical", START + 23 * SECOND)
    assert first.known_at <= START + 24 * SECOND


@given(seed=st.integers(0, 2**16))
@settings(max_examples=3)
def test_in_whatever_order_records_come_a_relay_that_died_gives_one_result(seed: int) -> None:
    mission, records = scenario("two-relays-lost").mission, dying(START - 30 * SECOND)
    shuffled = list(records)
    Random(seed).shuffle(shuffled)
    assert analyze(shuffled, mission).digest == analyze(records, mission).digest
