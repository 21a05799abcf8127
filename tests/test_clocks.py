"""Times have to agree, or the record is rejected: each time of each kind of record, wrong by so much, and what becomes
of it (SCENARIOS.md, row 30)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest

from pipeline.clocks import ImplausibleTimeError, check_times
from pipeline.mission.model import FrameFormat
from pipeline.records import (
    KINDS,
    SECOND,
    DataEnded,
    DeliveryStopped,
    FramesReceived,
    Listened,
    Record,
    RecordingEnded,
)
from pipeline.shells.files.analyze import Analysis, analyze
from pipeline.shells.files.arrival import in_order
from tests.build import scenario, scenario_records
from tests.link import START, Receiver, Sender

TOLERANCE: Final = 10 * SECOND
YEARS_176: Final = 5_554_051_200 * SECOND

WRONG: Final[dict[str, Callable[[int], int]]] = {
    "-1 d": lambda at: at - 86_400 * SECOND,
    "+10 min": lambda at: at + 600 * SECOND,
    "+176 a": lambda at: at + YEARS_176,
    "0": lambda at: 0,
}

REJECTED: Final = "rejected"
TAKEN: Final = "taken"
LIVE: Final = "rejected when live"
"""In a recording it is set aside where its neighbours show it, and else taken."""

ALWAYS: Final = dict.fromkeys(WRONG, REJECTED)
OF_A_SESSION: Final = {**ALWAYS, "-1 d": TAKEN}
OF_THE_EARTH: Final = {**ALWAYS, "+10 min": LIVE}

ROW_30: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("received", "session"): OF_A_SESSION,
    ("received", "earth_receive_time"): OF_THE_EARTH,
    ("received", "relay_receive_times"): ALWAYS,
    ("listened", "session"): OF_A_SESSION,
    ("listened", "earth_receive_time"): OF_THE_EARTH,
    ("listened", "starts_at"): ALWAYS,
    ("listened", "ends_at"): ALWAYS,
    ("end_of_data", "session"): OF_A_SESSION,
    ("end_of_data", "earth_receive_time"): OF_THE_EARTH,
    ("end_of_data", "relay_receive_time"): ALWAYS,
    ("no_delivery", "session"): OF_A_SESSION,
    ("no_delivery", "earth_receive_time"): OF_THE_EARTH,
    ("recording_ended", "session"): OF_A_SESSION,
    ("recording_ended", "earth_receive_time"): OF_THE_EARTH,
}
"""(kind, field) → by how much it is wrong → what becomes of the record, two minutes after its session began."""


def records_of_each_kind() -> dict[str, Record]:
    receiver = Receiver()
    about: dict[str, Any] = {
        "link": "rover-a",
        "session": START,
        "sequence": 0,
        "earth_receive_time": START + 121 * SECOND,
    }
    return {
        "received": receiver.frames(Sender().frames(range(5), at=120)),
        "listened": receiver.listened(120, 121),
        "end_of_data": receiver.ended(121),
        "no_delivery": DeliveryStopped(**about),
        "recording_ended": RecordingEnded(**about),
    }


def made_wrong(record: Record, field: str, by: Callable[[int], int]) -> Record:
    """The same with one wrong time: of frames, that of one frame."""
    if isinstance(record, FramesReceived) and field == "relay_receive_times":
        times = record.relay_receive_times.copy()
        times[len(times) // 2] = by(int(times[len(times) // 2]))
        return replace(record, relay_receive_times=times)
    return replace(record, **{field: by(getattr(record, field))})


def cases() -> Iterator[Any]:
    for (kind, field), wrong in ROW_30.items():
        for by, expected in wrong.items():
            yield pytest.param(kind, field, by, expected, id=f"{kind} {field} {by}")


def becomes(record: Record, published_at: int | None) -> str:
    try:
        check_times(record, TOLERANCE, published_at)
    except ImplausibleTimeError:
        return REJECTED
    return TAKEN


def test_every_time_of_every_kind_of_record_stands_in_the_table() -> None:
    times = {
        (kind, field)
        for kind, record in records_of_each_kind().items()
        for field in record.__dataclass_fields__
        if field == "session" or field.endswith(("_at", "_time", "_times"))
    }
    assert times == ROW_30.keys()
    assert {kind for kind, _ in times} == set(KINDS.values())


@pytest.mark.parametrize(("kind", "field", "by", "expected"), list(cases()))
def test_a_wrong_time_is_rejected_or_cannot_be_told_from_a_right_one(
    kind: str, field: str, by: str, expected: str
) -> None:
    right = records_of_each_kind()[kind]
    wrong = made_wrong(right, field, WRONG[by])
    assert becomes(right, right.earth_receive_time) == TAKEN
    assert becomes(wrong, right.earth_receive_time) == (TAKEN if expected == TAKEN else REJECTED)
    assert becomes(wrong, None) == (REJECTED if expected == REJECTED else TAKEN)


@pytest.mark.parametrize("kind", ["received", "listened", "end_of_data"])
def test_two_clocks_may_differ_by_the_tolerance_and_no_more(kind: str) -> None:
    record = records_of_each_kind()[kind]
    earth = record.earth_receive_time
    relay = int(record.relay_receive_times.max()) if isinstance(record, FramesReceived) else START + 121 * SECOND
    assert becomes(replace(record, earth_receive_time=relay - TOLERANCE), None) == TAKEN
    assert becomes(replace(record, earth_receive_time=relay - TOLERANCE - 1), None) == REJECTED
    assert becomes(record, earth - TOLERANCE) == TAKEN
    assert becomes(record, earth - TOLERANCE - 1) == REJECTED


def test_a_listening_record_is_a_minute_long_at_most() -> None:
    assert becomes(Receiver().listened(0, 60), None) == TAKEN
    with pytest.raises(
        ImplausibleTimeError, match=r"61\.000 s after starts_at .*; a listening record is at most 60\.000 s"
    ):
        check_times(Receiver().listened(0, 61), TOLERANCE)
    with pytest.raises(ImplausibleTimeError, match="the listening record ends before it starts"):
        check_times(Receiver().listened(2, 1), TOLERANCE)


def test_a_receiver_may_have_run_for_years() -> None:
    record = records_of_each_kind()["received"]
    assert becomes(replace(record, session=START - 3 * 366 * 86_400 * SECOND), None) == TAKEN


def test_how_far_a_relays_clock_runs_ahead_is_told() -> None:
    record = records_of_each_kind()["listened"]
    with pytest.raises(
        ImplausibleTimeError,
        match=r"ends_at \(2024-01-18T12:02:01\.000Z\) is 42\.000 s ahead of earth_receive_time .*; the tolerance is "
        r"10\.000 s \(clock_tolerance_s\): the relay's clock runs ahead",
    ) as fault:
        check_times(replace(record, earth_receive_time=START + 79 * SECOND), TOLERANCE)
    assert fault.value.reason == "implausible_time"
    assert fault.value.ahead == ("relay", 42 * SECOND)


def test_a_record_of_no_frames_is_judged_by_the_clock_of_the_earth() -> None:
    empty = replace(records_of_each_kind()["received"], relay_receive_times=np.array([], dtype=np.int64), octets=b"")
    assert becomes(empty, empty.earth_receive_time) == TAKEN
    assert becomes(replace(empty, session=empty.earth_receive_time + 11 * SECOND), None) == REJECTED


# -- the whole way ---------------------------------------------------------------------------------------------------


def told(analysis: Analysis) -> list[tuple[object, ...]]:
    """The incidents, without the words that count frames."""
    return [
        (one.type, one.subject, one.flight, one.severity, one.state, one.raised_at, one.ended_at, one.close_reason)
        for one in analysis.incidents
        if one.state != "retracted"
    ]


def one_of_each_kind(records: Sequence[Record]) -> dict[type[Record], int]:
    """Class → the place of the record of it that comes first after take-off."""
    takeoff = START + 5 * SECOND
    return {
        kind: next(
            place for place, one in enumerate(records) if type(one) is kind and one.earth_receive_time >= takeoff
        )
        for kind in (FramesReceived, Listened, DataEnded)
    }


@pytest.mark.parametrize("frame_format", ["tm", "aos"])
def test_rejected_records_beside_the_right_ones_change_nothing_at_all(frame_format: FrameFormat) -> None:
    records = list(scenario_records("flight-72", frame_format=frame_format))
    mission = scenario("flight-72", frame_format).mission
    plain = analyze(records, mission)
    beside = list(records)
    for kind, place in reversed(one_of_each_kind(records).items()):
        right = records[place]
        wrong = [
            made_wrong(right, field, WRONG[by])
            for (name, field), row in ROW_30.items()
            for by, expected in row.items()
            if name == KINDS[kind] and expected == REJECTED and (field != "session" or by != "+10 min")
        ]
        assert all(becomes(one, None) == REJECTED for one in wrong)
        at = beside.index(right)
        beside[at:at] = wrong
    attacked = analyze(beside, mission)
    assert attacked.digest == plain.digest
    assert attacked.intake.implausible["rover-a"].records == len(beside) - len(records) > 20


def in_its_place() -> Iterator[Any]:
    for kind in ("received", "listened", "end_of_data"):
        for (name, field), row in ROW_30.items():
            for by, expected in row.items():
                if name == kind and (expected != REJECTED or (by == "0" and field == "earth_receive_time")):
                    yield pytest.param(kind, field, by, id=f"{kind} {field} {by}")


@pytest.mark.parametrize(("kind", "field", "by"), list(in_its_place()))
@pytest.mark.parametrize("name", ["flight-72", "nominal"])
def test_a_wrong_time_in_the_place_of_a_right_one_mutes_nothing_and_fakes_nothing(
    name: str, kind: str, field: str, by: str
) -> None:
    records = list(scenario_records(name))
    mission = scenario(name).mission
    place = next(at for of, at in one_of_each_kind(records).items() if KINDS[of] == kind)
    changed = [*records[:place], made_wrong(records[place], field, WRONG[by]), *records[place + 1 :]]
    notes: list[str] = []
    assert told(analyze(in_order(changed, notes, "it"), mission)) == told(analyze(records, mission))
