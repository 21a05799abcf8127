"""Stage one: every frame one disposition, whatever the order, the grouping and the rests between two records."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordError
from pipeline.flow import LinkState, decode
from pipeline.mission.model import Mission
from pipeline.records import SECOND, FramesReceived, Origin, Record
from pipeline.simulate.frames import Heading, data_field_octets, frame
from pipeline.simulate.packets import idle_packet, packet_data, space_packet
from pipeline.telemetry import Telemetry
from tests.build import scenario, scenario_records
from tests.link import START, Receiver, Sender, account, decoded, mission, pass_of, rows, stored

TM = mission()
AOS = mission("aos")


def dispositions(records: list[Record], of: Mission = TM) -> dict[str, int]:
    state, _ = decoded(records, of)
    return dict(+state.dispositions)


def test_every_frame_has_exactly_one_disposition() -> None:
    sender, receiver = Sender(), Receiver()
    frames = sender.frames(range(10))
    bad = frames[3][1][:-1] + bytes((frames[3][1][-1] ^ 1,))
    other = Sender(vcid=5).frames([1], at=0.95)
    idle = [(1.0, sender.frame(10, idle=True))]
    records = [receiver.frames([*frames[:3], (0.3, bad), *frames[4:]]), receiver.frames([*other, *idle, frames[0]])]
    assert dispositions([*records, receiver.ended(2)]) == {
        "good": 9, "bad:fecf": 1, "out_of_scope": 1, "idle": 1, "duplicate": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["flight-72", "two-paths", "frames-late", "fade-recovers"])
def test_in_is_the_sum_of_all_dispositions(name: str) -> None:
    records = scenario_records(name)
    of_links: dict[str, LinkState] = {}
    frames: Counter[str] = Counter()
    for offset, record in enumerate(records):
        state = of_links.setdefault(record.link, LinkState())
        decode(state, record, Origin("relay.frames", 0, offset), scenario(name).mission)
        if isinstance(record, FramesReceived):
            frames[record.link] += len(record.relay_receive_times)
    for link, state in of_links.items():
        assert sum(state.dispositions.values()) == frames[link]
        assert min(state.dispositions.values()) >= 0


def test_a_frame_that_comes_again_is_a_duplicate_and_never_16_million_missing() -> None:
    for of in (TM, AOS):
        frames = Sender(of).frames(range(30))
        again = [*frames[:20], frames[19], frames[5], *frames[20:]]
        found = account(pass_of(again), of)
        assert (found["received"], found["gaps"], found["missing"]) == (30, 0, 0)
        assert dispositions(pass_of(again), of) == {"good": 30, "duplicate": 2}


def test_a_frame_is_known_again_after_more_than_a_thousand_others() -> None:
    frames = Sender(AOS).frames(range(2500))
    state, _ = decoded([*pass_of(frames)[:-1], Receiver(sequence=9999).frames(frames[:40])], AOS)
    assert state.dispositions == {"good": 2500, "duplicate": 40}


def test_the_same_count_and_time_with_other_octets_is_a_conflict_and_both_values_are_set_aside() -> None:
    sender, receiver = Sender(), Receiver()
    frames = sender.frames(range(5))
    rival = (frames[2][0], sender.frame(2))
    state, said = decoded([receiver.frames(frames), receiver.frames([rival])], TM)
    assert state.dispositions == {"good": 5, "conflict": 1}
    assert said[1].set_aside == (START + 200_000_000,)
    assert rows(said) == rows(said[:1]), "the frame counts as received, once"


@pytest.mark.parametrize("rests", [False, True], ids=["at once", "with a rest between"])
def test_a_frame_in_conflict_that_comes_again_is_a_duplicate_and_no_other_conflict(rests: bool) -> None:
    sender, receiver = Sender(), Receiver()
    frames = sender.frames(range(5))
    rival, third = ((frames[2][0], sender.frame(2)) for _ in range(2))
    again = [rival, rival, frames[2], third, rival, third]
    records = [receiver.frames(frames), *(receiver.frames([one]) for one in again)]
    state, said = decoded(records, TM, rests=frozenset(range(1, len(records)) if rests else ()))
    assert state.dispositions == {"good": 5, "conflict": 2, "duplicate": 4}
    assert [one.set_aside for one in said[1:]] == [(START + 200_000_000,), (), (), (START + 200_000_000,), (), ()]


def test_of_two_copies_the_one_that_fails_its_check_is_bad_and_no_conflict() -> None:
    frames = Sender().frames(range(5))
    erred = bytearray(frames[2][1])
    erred[40] ^= 1
    found = dispositions(pass_of([*frames, (frames[2][0], bytes(erred))]))
    assert found == {"good": 5, "bad:fecf": 1}


def test_a_conflict_sets_aside_the_packet_that_began_in_it_and_ended_later() -> None:
    """The flight packet begins 10 octets before the end of the first frame and ends in the second."""
    (link,), (vehicle,) = TM.links, TM.vehicles
    data = packet_data(vehicle.packets[0], {"phase": "hover", "altitude": 7.0}, 0, b"")
    packet, room = space_packet(100, 0, data, secondary_header=True), data_field_octets(link)
    zone = idle_packet(room - 10) + packet + idle_packet(room + 10 - len(packet))

    def made(count: int, pointer: int, octets: bytes) -> bytes:
        heading = Heading(
            scid=168, vcid=0, virtual_channel_frame_count=count, master_channel_frame_count=0,
            first_header_pointer=pointer,
        )  # fmt: skip
        return frame(link, heading, octets)

    first, second = made(0, 0, zone[:room]), made(1, len(packet) - 10, zone[room:])
    rival = made(0, 0, idle_packet(room - 10) + b"\x00" * 10)
    receiver = Receiver()
    _, said = decoded([receiver.frames([(0, first), (0.1, second)]), receiver.frames([(0, rival)])], TM)
    assert samples(said) == [(START + 100_000_000, 7.0)]
    assert said[1].set_aside == (START, START + 100_000_000)


def test_a_frame_that_comes_late_is_good_and_counted_as_late_too() -> None:
    receiver, frames = Receiver(), Sender().frames(range(20))
    state, said = decoded([receiver.frames(frames[:5] + frames[6:]), receiver.frames([frames[5]])], TM)
    assert state.dispositions == {"good": 20}
    assert state.late == 1
    assert said[-1].late == 1


def test_count_255_then_0_is_no_loss() -> None:
    found = account(pass_of(Sender().frames(count % 256 for count in range(250, 270))), TM)
    assert (found["received"], found["gaps"], found["missing"], found["ambiguous"]) == (20, 0, 0, False)


def test_a_24_bit_count_goes_round_after_16777215_and_a_28_bit_count_later() -> None:
    counts = [count % (1 << 24) for count in range(0xFFFFF0, 0x1000010)]
    found = account(pass_of(Sender(AOS).frames(counts)), AOS)
    assert (found["received"], found["gaps"], found["missing"]) == (32, 0, 0)
    frames = [
        (0.1 * place, Sender(AOS, cycle=3 if count >= 0xFFFFF0 else 4).frame(count))
        for place, count in enumerate(counts)
    ]
    _, said = decoded(pass_of(frames), AOS)
    assert {row[2] for row in rows(said)} == {1 << 28}
    assert [b[4] - a[4] for a, b in pairwise(rows(said))] == [1] * 31
    assert account(pass_of(frames), AOS)["missing"] == 0


@pytest.mark.parametrize(
    ("missing", "at_least"), [(10, 10), (253, 253), (254, 254), (255, 0), (256, 0), (257, 1), (600, 88)]
)
def test_a_hole_in_8_bit_counts_is_measured_by_time(missing: int, at_least: int) -> None:
    sender = Sender()
    after = 50 + missing
    frames = sender.frames(range(50)) + sender.frames(
        (count % 256 for count in range(after, after + 50)), at=0.1 * after
    )
    found = account(pass_of(frames), TM)
    assert (found["received"], found["gaps"], found["missing"]) == (100, 1, missing)
    assert found["missing_at_least"] == at_least
    assert found["ambiguous"] is (missing >= 255)


def test_a_hole_in_24_bit_counts_is_exact() -> None:
    sender = Sender(AOS)
    frames = sender.frames(range(50)) + sender.frames(range(350, 400), at=35)
    found = account(pass_of(frames), AOS)
    assert (found["gaps"], found["missing"], found["ambiguous"]) == (1, 300, False)


@pytest.mark.parametrize("first", [0, 1, 200, 255])
def test_the_first_count_need_not_be_0_and_a_cold_start_is_no_loss(first: int) -> None:
    found = account(pass_of(Sender().frames((first + place) % 256 for place in range(20))), TM)
    assert (found["received"], found["gaps"], found["missing"]) == (20, 0, 0)


def test_master_and_virtual_channel_counts_are_not_joined() -> None:
    """Two virtual channels take turns: the master channel counts both, each virtual channel its own."""
    live, recorded = Sender(), Sender(vcid=1)
    frames = []
    for count in range(20):
        frames.append((0.1 * count, live.frame(count, master=2 * count)))
        frames.append((0.1 * count + 0.05, recorded.frame(count, master=2 * count + 1)))
    for vcid in (0, 1):
        found = account(pass_of(frames), TM, vcid)
        assert (found["received"], found["gaps"], found["missing"]) == (20, 0, 0)


def test_idle_frames_carry_counts_so_nothing_is_missing_between_them() -> None:
    sender = Sender()
    frames = [(0.1 * count, sender.frame(count, idle=count % 3 != 0)) for count in range(30)]
    assert dispositions(pass_of(frames)) == {"good": 10, "idle": 20}
    found = account(pass_of(frames), TM)
    assert (found["received"], found["missing"]) == (30, 0)


def test_spacecraft_0_stays_spacecraft_0() -> None:
    of = mission(scid=0)
    assert dispositions(pass_of(Sender(of).frames(range(5))), of) == {"good": 5}
    assert dispositions(pass_of(Sender(TM).frames(range(5))), of) == {"out_of_scope": 5}


def test_one_lucky_random_frame_opens_no_gap_and_is_implausible() -> None:
    sender = Sender(AOS)
    frames = sender.frames(range(40))
    frames.insert(20, (1.95, sender.frame(9_000_000)))
    assert dispositions(pass_of(frames), AOS) == {"good": 40, "bad:implausible": 1}
    found = account(pass_of(frames), AOS)
    assert (found["received"], found["gaps"], found["missing"]) == (40, 0, 0)


def test_a_frame_found_implausible_later_is_bad_among_the_receptions_of_its_own_time() -> None:
    sender, receiver = Sender(AOS), Receiver()
    frames = sender.frames(range(40))
    wild = (1.95, sender.frame(9_000_000))
    _, said = decoded([receiver.frames([*frames[:20], wild]), receiver.frames(frames[20:])], AOS)
    number = (START + 1_950_000_000) // 100_000_000
    assert bins(said[:1])[number] == (2, 0)
    assert bins(said[1:])[number] == (2, 1)


def test_counts_that_start_again_are_believed_once_three_frames_agree() -> None:
    sender, receiver = Sender(AOS), Receiver()
    before, after = sender.frames(range(50_000_0, 50_000_0 + 40)), sender.frames(range(10), at=5)
    assert dispositions([receiver.frames(before), receiver.frames(after), receiver.ended(7)], AOS) == {"good": 50}


def test_the_end_of_the_data_settles_what_was_not_believed() -> None:
    sender, receiver = Sender(AOS), Receiver()
    records = [receiver.frames([*sender.frames(range(40)), (4.0, sender.frame(9_000_000))]), receiver.ended(5)]
    state, said = decoded(records[:1], AOS)
    assert state.dispositions == {"good": 40}
    state, said = decoded(records, AOS)
    assert state.dispositions == {"good": 40, "bad:implausible": 1}
    assert said[-1].dispositions == {"good": 40, "bad:implausible": 1}


def test_frames_of_one_time_stand_in_the_sequence_of_their_counts_over_the_wrap() -> None:
    frames = [(1.0, Sender().frame(count)) for count in (254, 255, 0, 1)]
    _, said = decoded([Receiver().frames(frames)], TM)
    assert said[0].channels[0].counts == (254, 255, 0, 1)


def test_a_record_with_an_origin_seen_before_gives_nothing_and_changes_nothing() -> None:
    receiver, sender = Receiver(), Sender()
    records = [receiver.frames(sender.frames(range(5))), receiver.frames(sender.frames(range(5, 9), at=0.5))]
    state, _ = decoded(records, TM)
    before = state.dispositions.copy()
    state.take_changes()
    for offset, record in enumerate(records):
        assert decode(state, record, Origin("relay.frames", 0, offset), TM) == ()
    assert state.dispositions == before
    assert state.take_changes() == {}


def test_the_same_offset_of_another_partition_is_another_record() -> None:
    record = Receiver().frames(Sender().frames(range(5)))
    state, _ = decoded([record], TM)
    (said,) = decode(state, record, Origin("relay.frames", 1, 0), TM)
    assert said.dispositions == {"good": 5, "duplicate": 5}


def test_a_link_that_the_mission_does_not_have_is_refused_and_changes_nothing() -> None:
    state = LinkState()
    with pytest.raises(RecordError, match="link 'rover-z' is not one of mission ingenuity: rover-a") as caught:
        decode(state, Receiver("rover-z").ended(1), Origin("relay.frames", 0, 0), TM)
    assert caught.value.reason == "unknown_link"
    assert (state.seen, state.take_changes()) == ({}, {})


def test_a_record_of_no_frames_says_that_it_came() -> None:
    frames = Receiver().frames(Sender().frames([0]))
    empty = FramesReceived(
        link="rover-a", session=START, sequence=1, earth_receive_time=START,
        relay_receive_times=frames.relay_receive_times[:0], octets=b"", frame_length=128,
    )  # fmt: skip
    (said,) = decoded([empty], TM)[1]
    assert (said.channels, said.relay_receive_time, said.dispositions) == ((), None, {})


def test_frames_of_another_length_than_the_managed_one_are_bad_one_by_one() -> None:
    octets = bytes(100)
    assert dispositions([Receiver().frames([(0, octets), (0.1, octets)])]) == {"bad:length": 2}


SOME = {
    name: scenario_records(name)[start : start + 60]
    for name, start in (("flight-72", 150), ("two-paths", 150), ("fade-recovers", 150), ("frames-late", 150))
}


@given(st.sampled_from(sorted(SOME)), st.sets(st.integers(0, 59)))
def test_a_state_saved_and_restored_after_any_record_says_the_same(name: str, rests: set[int]) -> None:
    of = scenario(name).mission
    for link in {record.link for record in SOME[name]}:
        records = [record for record in SOME[name] if record.link == link]
        assert decoded(records, of, rests=frozenset(rests))[1] == decoded(records, of)[1]


NOISY = Sender(AOS)
PASS = [
    *NOISY.frames(range(40)),
    *((4.0 + 0.1 * place, NOISY.frame(40 + place, idle=True)) for place in range(5)),
    *NOISY.frames(range(60, 90), at=6.0),
    (5.0, b"\xff" * 128),
    (5.1, NOISY.frames([50])[0][1][:-1] + b"\x00"),
]


@given(st.permutations(PASS), st.sets(st.integers(1, len(PASS) - 1), max_size=6), st.data())
def test_any_order_and_grouping_of_the_frames_of_a_pass_gives_the_same_frames_and_totals(
    frames: list[tuple[float, bytes]], cuts: set[int], data: st.DataObject
) -> None:
    straight, said = decoded([Receiver().frames(sorted(PASS)), Receiver(sequence=1).ended(10)], AOS)
    receiver = Receiver()
    places = [0, *sorted(cuts), len(frames)]
    records = [receiver.frames(frames[a:b]) for a, b in pairwise(places)] + [receiver.ended(10)]
    rests = data.draw(st.sets(st.integers(0, len(records) - 1)))
    shuffled, told = decoded(records, AOS, rests=frozenset(rests))
    assert shuffled.dispositions == straight.dispositions
    assert rows(told) == rows(said)
    assert bins(told) == bins(said)
    assert samples(told) == samples(said)


def bins(said: list[Telemetry]) -> dict[int, tuple[int, int]]:
    """The last total of each tenth of a second."""
    return {number: (heard, bad) for one in said for number, heard, bad in one.bins}


def samples(said: list[Telemetry]) -> list[tuple[int, float | None]]:
    return sorted((at, high) for one in said for part in one.samples for at, high in zip(part.times, part.altitudes))


def test_no_stored_entry_reaches_64_kib_however_long_and_lossy_the_pass() -> None:
    sender, receiver = Sender(), Receiver()
    state = LinkState()
    chunks: dict[str, Any] = {}
    counts = [count for count in range(12_000) if count % 3 != 2]
    for offset in range(0, len(counts), 500):
        frames = [(0.02 * count, sender.frame(count % 256)) for count in counts[offset : offset + 500]]
        decode(state, receiver.frames(frames), Origin("relay.frames", 0, offset), TM)
        stored(state, chunks)
    again = LinkState.restore(chunks)
    assert again.dispositions == state.dispositions
    late = receiver.frames([(0.02 * count, sender.frame(count % 256)) for count in (2, 5)])
    assert decode(again, late, Origin("relay.frames", 0, 10**6), TM) == decode(
        state, late, Origin("relay.frames", 0, 10**6), TM
    )


def test_a_frame_that_a_record_of_another_session_shows_to_carry_telemetry_is_counted_once() -> None:
    link = TM.links[0]
    room = data_field_octets(link)
    packet = space_packet(102, 1, b"\x01" * (2 * room - 26), secondary_header=False)
    parts = [(0, packet[:room]), (len(packet) - room, packet[room:] + idle_packet(2 * room - len(packet)))]
    frames = [
        frame(link, Heading(scid=TM.vehicles[0].scid, vcid=0, virtual_channel_frame_count=count,
                            master_channel_frame_count=0, first_header_pointer=pointer), data)
        for count, (pointer, data) in enumerate(parts)
    ]  # fmt: skip
    first, second = Receiver(), Receiver(session=START + SECOND)
    before = [first.frames([(0.9, frames[0])]), first.listened(0, 1), first.ended(1)]
    after = [second.frames([(1.0, frames[1])]), second.listened(1, 2), second.ended(2)]
    _, said = decoded([*after, *before], TM)
    assert [one.told_late for one in said if one.told_late] == [(START + SECOND,)]
    assert account([*before, *after], TM) == account([*after, *before], TM)
    assert account([*after, *before], TM)["received"] == 2


def test_each_sample_carries_the_count_and_the_time_of_the_frame_in_which_its_packet_ends() -> None:
    """Three packets in two frames: one whole, one over both, one in the second. Taken swapped the same."""
    link, vehicle = TM.links[0], TM.vehicles[0]
    room, definition = data_field_octets(link), vehicle.packets[0]
    packets = [
        space_packet(definition.apid, n, packet_data(definition, {"altitude": float(n)}, n * SECOND, bytes(50)),
                     secondary_header=True)
        for n in range(3)
    ]  # fmt: skip
    whole = b"".join(packets)
    whole += idle_packet(2 * room - len(whole))
    over = 2 * len(packets[0]) - room
    assert 0 < over < len(packets[0])
    zones = [(0, whole[:room]), (over, whole[room:])]
    frames = [
        (0.1 * n, frame(link, Heading(scid=vehicle.scid, vcid=0, virtual_channel_frame_count=200 + n,
                                      master_channel_frame_count=0, first_header_pointer=pointer), zone))
        for n, (pointer, zone) in enumerate(zones)
    ]  # fmt: skip
    for order in (frames, frames[::-1]):
        _, said = decoded([Receiver().frames([one]) for one in order], TM)
        found = [
            (part.scid, part.vcid, high, at, count)
            for one in said for part in one.samples
            for high, at, count in zip(part.altitudes, part.times, part.counts, strict=True)
        ]  # fmt: skip
        ends = START + round(0.1 * SECOND)
        assert sorted(found) == [(168, 0, 0.0, START, 200), (168, 0, 1.0, ends, 201), (168, 0, 2.0, ends, 201)]
