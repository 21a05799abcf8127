import numpy as np
import pytest

from pipeline.errors import RelayWatchError
from pipeline.records import SECOND, DataEnded, FramesReceived, Listened, Record
from pipeline.shells.kafka.pacing import pace, read_speed


def frames(at: float, count: int = 1) -> FramesReceived:
    return FramesReceived(
        link="rover-a", session=0, sequence=0, earth_receive_time=round(at * SECOND),
        relay_receive_times=np.zeros(count, np.int64), octets=bytes(8 * count), frame_length=8,
    )  # fmt: skip


def listened(at: float) -> Listened:
    earth = round(at * SECOND)
    return Listened(link="rover-a", session=0, sequence=0, earth_receive_time=earth, starts_at=0, ends_at=1)


def dues(records: list[Record], speed: float | None) -> list[float]:
    return [step.due_seconds for step in pace(records, speed)]


def test_twenty_times_as_fast_is_a_twentieth_of_the_time():
    assert dues([frames(1000), frames(1002), listened(1003), frames(1008)], 20) == [0.0, 0.1, 0.15, 0.4]


def test_at_max_speed_every_record_is_due_at_once():
    assert dues([frames(0), frames(5), frames(9)], None) == [0.0, 0.0, 0.0]


def test_ten_seconds_without_a_frame_are_waited_for():
    steps = list(pace([frames(0), listened(4), listened(9), frames(10)], 1))
    assert [step.due_seconds for step in steps] == [0.0, 4.0, 9.0, 10.0]
    assert [step.jumped for step in steps] == [0, 0, 0, 0]


def test_a_longer_stretch_without_a_frame_is_jumped_and_its_listening_records_come_all_at_once():
    records = [frames(0), frames(2), *(listened(at) for at in range(3, 30)), frames(172_800), frames(172_801)]
    steps = list(pace(records, 1))
    assert [step.record for step in steps] == records
    assert [step.due_seconds for step in steps] == [0.0, 2.0, *[2.0] * 27, 2.0, 3.0]
    assert [step.jumped // SECOND for step in steps] == [0, 0, *range(1, 28), 172_798, 0]


def test_a_recording_that_opens_with_listening_alone_is_jumped_to_its_first_frame():
    steps = list(pace([*(listened(at) for at in range(60)), frames(60), frames(61)], 2))
    assert [step.due_seconds for step in steps][-2:] == [0.0, 0.5]
    assert steps[-2].jumped == 60 * SECOND


def test_the_end_of_a_recording_is_not_waited_for_when_no_frame_comes_any_more():
    end = DataEnded(link="rover-a", session=0, sequence=9, earth_receive_time=600 * SECOND, relay_receive_time=0)
    steps = list(pace([frames(0), listened(5), end], 1))
    assert [(step.due_seconds, step.jumped // SECOND) for step in steps] == [(0.0, 0), (0.0, 5), (0.0, 600)]


def test_a_record_of_no_frames_is_no_frame():
    steps = list(pace([frames(0), frames(6, count=0), frames(12)], 1))
    assert [step.due_seconds for step in steps] == [0.0, 0.0, 0.0]


def test_a_record_out_of_order_is_due_with_the_one_before_it():
    assert dues([frames(0), frames(8), frames(3), frames(9)], 1) == [0.0, 8.0, 8.0, 9.0]


def test_pacing_reads_no_further_ahead_than_a_jump_is_long():
    taken = []

    def endless():
        for at in range(1_000_000):
            taken.append(at)
            yield listened(at)

    next(pace(endless(), 1))
    assert taken[-1] == 11


@pytest.mark.parametrize("text,speed", [("20", 20.0), ("0.5", 0.5), ("20x", 20.0), ("max", None)])
def test_speed_is_a_number_or_max(text, speed):
    assert read_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", ""])
def test_another_speed_is_named_with_what_to_give(text):
    with pytest.raises(RelayWatchError, match=r"--speed is '.*': give a number from 0.01 to 100000"):
        read_speed(text)
