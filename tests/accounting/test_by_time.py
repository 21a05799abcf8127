import dataclasses

import pytest

from pipeline.accounting.by_time import TimedAccounting
from pipeline.records import FramesReceived
from tests.build import scenario, scenario_records


def account_of(name, order=None, records=None):
    accounting = TimedAccounting(scenario(name).mission)
    records = scenario_records(name, order) if records is None else records
    for record in records:
        accounting.take(record)
    account = accounting.close()
    frames = sum(len(one.relay_receive_times) for one in records if isinstance(one, FramesReceived))
    assert account.dispositions.total() == account.frames == frames
    return account


@pytest.mark.parametrize("name", ["short-fade", "frames-late", "relay-outage", "two-paths"])
def test_what_is_missing_is_what_the_simulator_lost(name):
    account = account_of(name)
    assert scenario(name).expect_missing
    for expected in scenario(name).expect_missing:
        channels = [one for one in account.channels if one.vcid == expected.vcid and expected.link in ("", one.link)]
        assert sum(one.missing for one in channels) == expected.missing


@pytest.mark.parametrize("order", ["reversed", "shuffled", "frames_last"])
def test_the_account_is_the_same_in_another_order_of_arrival(order):
    expected, got = account_of("nominal").body(), account_of("nominal", order).body()
    del expected["packets"], got["packets"]  # a part of a packet waits only so long for the other
    assert got == expected


def test_everything_delivered_twice_is_repeated_and_nothing_else_changes():
    once, twice = account_of("nominal"), account_of("nominal", "twice")
    assert twice.frames == 2 * once.frames
    assert twice.dispositions["duplicate"] == once.good
    assert [(one.gaps, one.missing) for one in twice.channels] == [(one.gaps, one.missing) for one in once.channels]
    assert [one.repeated for one in twice.channels] == [one.received for one in once.channels]
    assert twice.packets == once.packets


def test_every_packet_is_counted_whether_or_not_the_mission_names_it():
    named = {packet.apid for packet in scenario("flight-72").mission.vehicles[0].packets}
    counted = set(account_of("flight-72").packets)
    assert 100 in named
    assert 100 in counted
    assert {102, 2047} <= counted - named


def test_frames_of_a_link_that_the_mission_does_not_have_are_counted_under_it():
    records = [dataclasses.replace(one, link="rover-z") for one in scenario_records("nominal")]
    account = account_of("nominal", records=records)
    assert account.dispositions == {"unknown_link": account.frames}
    assert account.channels == []
