import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.accounting.by_count import CountedAccounting
from pipeline.frames import FORMATS
from pipeline.frames.frame import NO_PACKET_START, ONLY_IDLE_DATA, Managed
from pipeline.mission.load import load_mission
from pipeline.shells.files.resources import mission_path, read_text
from pipeline.simulate.frames import Heading, data_field_octets, frame
from pipeline.simulate.packets import space_packet

LENGTH = 64
RESTART = 9_000_000
"""A 24-bit count far from those around 1,000."""


def link(name, *, fecf):
    text = read_text(mission_path("ingenuity")).replace('format = "tm"', f'format = "{name}"')
    text = text.replace("frame_length = 128", f"frame_length = {LENGTH}")
    text = text.replace("error_control_field = true", f"error_control_field = {str(fecf).lower()}")
    return load_mission(text, where="test").links[0]


def frames_of(name, counts, *, scid=168, vcid=0, pointer=NO_PACKET_START, fecf=True, fill=0):
    of = link(name, fecf=fecf)
    return [
        frame(
            of,
            Heading(
                scid=scid, vcid=vcid, virtual_channel_frame_count=count, master_channel_frame_count=0,
                first_header_pointer=pointer,
            ),
            bytes([fill]) * data_field_octets(of),
        )
        for count in counts
    ]  # fmt: skip


def account_of(name, frames, *, fecf=True, cuts=()):
    accounting = CountedAccounting(FORMATS[name], Managed(frame_length=LENGTH, frame_error_control_field=fecf))
    start = 0
    for end in [*sorted(cuts), len(frames)]:
        accounting.take(frames[start:end])
        start = end
    account = accounting.close()
    assert account.dispositions.total() == account.frames == len(frames)
    return account


def channel_of(name, counts, **named):
    (channel,) = account_of(name, frames_of(name, counts, **named)).channels
    return channel


def figures(channel):
    return channel.received, channel.gaps, channel.missing, channel.repeated


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([254, 255, 0, 1], (4, 0, 0, 0)),
        ([254, 0], (2, 1, 1, 0)),
        ([7], (1, 0, 0, 0)),
        ([0, 200], (2, 1, 199, 0)),
        ([3, 3, 4, 4, 4], (5, 0, 0, 3)),
        ([10, 35, 3], (3, 2, 24 + 223, 0)),
        ([*range(256), *range(256)], (512, 0, 0, 0)),
        ([5, 4], (2, 1, 254, 0)),
    ],
    ids=[
        "255 then 0",
        "255 is missing",
        "one frame",
        "200 later",
        "repeated",
        "ahead and back",
        "two cycles",
        "one back",
    ],
)
def test_an_8_bit_count_goes_forward_by_the_fewest_frames_that_can_be_missing(counts, expected):
    assert figures(channel_of("tm", counts)) == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([16_777_214, 16_777_215, 0, 1], (4, 0, 0, 0)),
        ([16_777_214, 0], (2, 1, 1, 0)),
        ([100, 103, 104], (3, 1, 2, 0)),
        ([100, 103, 101, 102, 104], (5, 0, 0, 0)),
        ([100, 103, 101, 104], (4, 1, 1, 0)),
        ([100, 104, 102, 105], (4, 2, 2, 0)),
        ([100, 101, 102, 101, 100], (5, 0, 0, 2)),
        ([100, 101, 99], (3, 0, 0, 0)),
        ([0, 65_536], (2, 1, 65_535, 0)),
    ],
    ids=[
        "wrap", "lost at the wrap", "gap", "late ones fill it", "one of two", "two gaps of one", "again",
        "before the first", "as far as it goes",
    ],
)  # fmt: skip
def test_a_24_bit_count_tells_late_from_lost(counts, expected):
    assert figures(channel_of("aos", counts)) == expected


def test_the_first_count_need_not_be_0_and_first_and_last_are_as_received():
    channel = channel_of("tm", [200, 201, 255, 3])
    assert (channel.first_count, channel.last_count, channel.gaps, channel.missing) == (200, 3, 2, 53 + 3)


def test_one_garbage_header_opens_no_gap():
    account = account_of("aos", frames_of("aos", [1000, 1001, RESTART, 1002]))
    assert account.dispositions == {"good": 3, "bad:implausible": 1}
    assert [figures(channel) for channel in account.channels] == [(3, 0, 0, 0)]


def test_garbage_before_the_first_frame_is_found_out_by_the_frames_that_follow():
    account = account_of("aos", frames_of("aos", [RESTART, 1000, 1001, 1002]))
    assert account.dispositions == {"good": 3, "bad:implausible": 1}
    assert [(figures(one), one.first_count) for one in account.channels] == [((3, 0, 0, 0), 1000)]


def test_garbage_at_the_very_end_is_no_frame_of_the_channel():
    account = account_of("aos", frames_of("aos", [1000, 1001, RESTART]))
    assert account.dispositions == {"good": 2, "bad:implausible": 1}


def test_counts_that_go_on_elsewhere_are_a_restart_and_not_nine_million_missing():
    channel = channel_of("aos", [1000, 1001, RESTART, RESTART + 1, RESTART + 3])
    assert figures(channel) == (5, 1, 1, 0)
    assert (channel.discontinuities, channel.first_count, channel.last_count) == (1, 1000, RESTART + 3)


def test_a_repetition_has_the_same_octets_and_a_conflict_has_others():
    frames = frames_of("aos", [1, 2]) + frames_of("aos", [2, 2], fill=9) + frames_of("aos", [3, 1])
    account = account_of("aos", frames)
    assert account.dispositions == {"good": 3, "conflict": 2, "duplicate": 1}
    assert [figures(channel) for channel in account.channels] == [(6, 0, 0, 3)]


def test_virtual_channels_are_counted_apart_and_idle_frames_too():
    frames = frames_of("tm", [1, 2, 3]) + frames_of("tm", [200, 202], vcid=7, pointer=ONLY_IDLE_DATA)
    account = account_of("tm", frames)
    assert account.dispositions == {"good": 3, "idle": 2}
    assert [(one.vcid, *figures(one)) for one in account.channels] == [(0, 3, 0, 0, 0), (7, 2, 1, 1, 0)]


def test_a_frame_that_fails_its_check_proves_nothing_about_counts():
    frames = frames_of("tm", [1, 2, 3])
    frames[1] = frames[1][:-1] + bytes([frames[1][-1] ^ 1])
    account = account_of("tm", frames)
    assert account.dispositions == {"good": 2, "bad:fecf": 1}
    assert [figures(channel) for channel in account.channels] == [(2, 1, 1, 0)]


def test_without_a_check_a_lone_frame_of_another_spacecraft_is_not_believed():
    frames = frames_of("aos", range(10), fecf=False)
    frames.insert(4, frames_of("aos", [77], scid=9, fecf=False)[0])
    account = account_of("aos", frames, fecf=False)
    assert account.dispositions == {"good": 10, "bad:implausible": 1}
    assert [channel.scid for channel in account.channels] == [168]


def test_without_a_check_a_second_spacecraft_whose_counts_follow_is_believed():
    frames = frames_of("tm", range(100), fecf=False) + frames_of("tm", range(5), scid=0, fecf=False)
    account = account_of("tm", frames, fecf=False)
    assert [(one.scid, one.received) for one in account.channels] == [(0, 5), (168, 100)]


@pytest.mark.parametrize("name", ["tm", "aos"])
def test_random_octets_have_no_channel(name):
    octets = random.Random(5).randbytes(5_000 * LENGTH)
    frames = [octets[at : at + LENGTH] for at in range(0, len(octets), LENGTH)]
    for fecf in (True, False):
        account = account_of(name, frames, fecf=fecf)
        assert (account.channels, account.good) == ([], 0)


def test_packets_that_span_frames_are_counted_once_and_a_lost_frame_drops_the_one_it_cut():
    of = link("tm", fecf=True)
    room = data_field_octets(of)
    packets = b"".join(space_packet(9, number, bytes(room - 8), secondary_header=False) for number in range(room))
    frames = [
        frame(
            of,
            Heading(
                scid=168, vcid=0, virtual_channel_frame_count=number % 256, master_channel_frame_count=0,
                first_header_pointer=-number * room % (room - 2),
            ),
            packets[number * room : (number + 1) * room],
        )
        for number in range(20)
    ]  # fmt: skip
    whole = account_of("tm", frames).packets
    assert whole == {9: 20}  # the 21st began and did not end
    assert account_of("tm", frames[:10] + frames[11:]).packets == {9: 18}


@given(
    counts=st.lists(st.integers(0, 40) | st.integers(16_777_200, 16_777_215) | st.just(RESTART), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_the_account_does_not_depend_on_how_the_file_was_cut(counts, cuts):
    frames = frames_of("aos", counts)
    cuts = [cut for cut in cuts if cut <= len(frames)]
    assert account_of("aos", frames, cuts=cuts).body() == account_of("aos", frames).body()


@given(counts=st.lists(st.integers(1_000, 1_060), min_size=1, max_size=80))
def test_received_and_missing_add_up_to_the_counts_between_first_and_last(counts):
    channel = channel_of("aos", counts)
    assert channel.received - channel.repeated == len(set(counts))
    assert channel.missing == max(counts) - min(counts) + 1 - len(set(counts))
