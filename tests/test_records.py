"""Records as octets: what goes in comes out, and what is none of ours is refused with a word."""

import struct
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordError
from pipeline.records import (
    KINDS,
    MAX_FRAMES_PER_RECORD,
    MAX_JSON_OCTETS,
    MAX_RECORD_OCTETS,
    MAX_STRETCHES_PER_RECORD,
    SECOND,
    DataEnded,
    DeliveryStopped,
    FramesReceived,
    Listened,
    Origin,
    Record,
    RecordingEnded,
    decode_record,
    encode_record,
)

TIMES = st.integers(-(1 << 63) + 1, (1 << 63) - 1)
LOCKS = st.sampled_from(["in_lock", "out_of_lock", "not_in_use", "unknown"])
RECEIVED: dict[str, Any] = {
    "link": st.just("rover-a"),
    "session": TIMES,
    "sequence": st.integers(0, (1 << 63) - 1),
    "earth_receive_time": TIMES,
}


@st.composite
def frames_records(draw: st.DrawFn) -> FramesReceived:
    received = {name: draw(strategy) for name, strategy in RECEIVED.items()}
    if draw(st.booleans()):
        length = draw(st.integers(1, 20))
        octets = draw(st.lists(st.binary(min_size=length, max_size=length), max_size=5))
        lengths = None
    else:
        length = 0
        octets = draw(st.lists(st.binary(max_size=20), max_size=5))
        lengths = tuple(map(len, octets))
    times = draw(st.lists(TIMES, min_size=len(octets), max_size=len(octets)))
    return FramesReceived(
        **received, relay_receive_times=np.array(times, dtype=np.int64), octets=b"".join(octets), lengths=lengths,
        frame_length=length,
    )  # fmt: skip


@st.composite
def listened_records(draw: st.DrawFn) -> Listened:
    starts_at = draw(TIMES)
    return Listened(
        **{name: draw(strategy) for name, strategy in RECEIVED.items()},
        starts_at=starts_at,
        ends_at=draw(st.integers(starts_at, (1 << 63) - 1)),
        production_status=draw(st.sampled_from(["running", "interrupted", "halted"])),
        carrier_lock=draw(LOCKS),
        subcarrier_lock=draw(LOCKS),
        symbol_sync_lock=draw(LOCKS),
        signal_level_dbm=draw(st.none() | st.floats(-200, 50)),
        frames_heard=draw(st.none() | st.integers(0, 100_000)),
    )


RECORDS: st.SearchStrategy[Record] = st.one_of(
    frames_records(),
    listened_records(),
    st.builds(DataEnded, **RECEIVED, relay_receive_time=TIMES),
    st.builds(DeliveryStopped, **RECEIVED),
    st.builds(RecordingEnded, **RECEIVED, whole=st.booleans()),
)


def parts(record: Record) -> dict[str, Any]:
    """A record as something that compares: numpy's arrays do not."""
    found = {name: getattr(record, name) for name in record.__dataclass_fields__}
    if isinstance(record, FramesReceived):
        found["relay_receive_times"] = record.relay_receive_times.tolist()
    return {"class": type(record), **found}


@given(RECORDS)
def test_every_record_comes_back_from_its_octets(record: Record) -> None:
    value = encode_record(record)
    again = decode_record("rover-a", value)
    assert parts(again) == parts(record)
    assert encode_record(again) == value


def test_the_layout_of_a_frames_record_is_the_one_the_schema_writes_down() -> None:
    record = FramesReceived(
        link="a", session=1, sequence=2, earth_receive_time=3, relay_receive_times=np.array([4, 5]), octets=b"abcd",
        frame_length=2,
    )  # fmt: skip
    assert encode_record(record) == b"RWF1" + struct.pack(">IqQqII2q", 2, 1, 2, 3, 2, 0, 4, 5) + b"abcd"


def test_frames_of_many_lengths_keep_their_lengths() -> None:
    record = FramesReceived(
        link="a", session=1, sequence=0, earth_receive_time=1, relay_receive_times=np.array([1, 2, 3]), octets=b"abc",
        lengths=(1, 0, 2),
    )  # fmt: skip
    again = decode_record("a", encode_record(record))
    assert isinstance(again, FramesReceived)
    assert (again.lengths, again.frame_length) == ((1, 0, 2), 0)


def test_a_record_is_named_by_link_session_and_sequence() -> None:
    assert DeliveryStopped(link="a", session=7, sequence=3, earth_receive_time=0).id == "a/7/3"
    assert str(Origin("relay.frames", 2, 41)) == "relay.frames/2@41"


def listened(**changes: Any) -> bytes:
    body: dict[str, Any] = {
        "kind": "listened", "session": 1, "sequence": 0, "earth_receive_time": 5, "starts_at": 1, "ends_at": 2,
    }  # fmt: skip
    return orjson.dumps({name: value for name, value in (body | changes).items() if value is not ...})


HEADER = b"RWF1" + struct.pack(">IqQqII", 1, 1, 0, 1, 4, 0) + bytes(8)


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        (b"", "undecodable", "neither frames nor JSON"),
        (b"\xde\xad\xbe\xef", "undecodable", "record of 4 octets is neither frames nor JSON"),
        (b"RWF1", "undecodable", "stops after 4 octets of a 40-octet header"),
        (HEADER, "undecodable", "holds 0 octets of frames, its header says 4"),
        (HEADER + b"12345", "undecodable", "holds 5 octets of frames, its header says 4"),
        (HEADER[:44], "undecodable", "too short for the times of 1 frames"),
        (b"RWF1" + struct.pack(">IqQqII", MAX_FRAMES_PER_RECORD + 1, 1, 0, 1, 4, 0), "too_large", "65537 frames"),
        (bytes(MAX_RECORD_OCTETS + 1), "too_large", "at most 4194304"),
        (b"{" + b" " * MAX_JSON_OCTETS, "too_large", "record of 16385 octets that are not frames; at most 16384"),
        (b"[" * MAX_JSON_OCTETS, "undecodable", "neither frames nor JSON"),
        (b"[]", "undecodable", "record kind is not one of end_of_data, listened, no_delivery"),
        (b"null", "undecodable", "record kind"),
        (b'{"kind": "received"}', "undecodable", "record kind"),
        (b'{"kind": ["listened"]}', "undecodable", "'kind' holds an array"),
        (b'{"kind": "listened"}', "undecodable", "needs session, sequence, earth_receive_time, starts_at, ends_at"),
        (listened(ends_at=...), "undecodable", "needs ends_at"),
        (listened(frames_heard=100_000_001), "undecodable", "frames_heard = 100000001"),
        (listened(signal_level_dbm=1e308), "undecodable", "signal_level_dbm = 1e+308"),
        (listened(extra=1), "undecodable", "extra = 1 is not expected"),
        (listened(link="b"), "undecodable", "link = 'b' is not expected"),
        (listened(session=1.5), "undecodable", "session = 1.5"),
        (listened(session=True), "undecodable", "session = True"),
        (listened(session=1 << 63), "undecodable", "session = "),
        (listened(session="1"), "undecodable", "session = '1'"),
        (listened(sequence=-1), "undecodable", "sequence = -1"),
        (listened(production_status="fine"), "undecodable", "production_status = 'fine'"),
        (listened(carrier_lock=["in_lock"]), "undecodable", "'carrier_lock' holds an array"),
        (listened(frames_heard=-3), "undecodable", "frames_heard = -3"),
        (listened(frames_heard=True), "undecodable", "frames_heard = True"),
        (listened(signal_level_dbm="loud"), "undecodable", "signal_level_dbm = 'loud'"),
        (listened(signal_level_dbm=True), "undecodable", "signal_level_dbm = True"),
        (listened(kind="recording_ended", starts_at=..., ends_at=..., whole=1), "undecodable", "whole = 1"),
        (b"RWF1" + struct.pack(">IqQqII", 0, 1, 1 << 63, 1, 4, 0), "undecodable", "has sequence 9223372036854775808"),
    ],
)  # fmt: skip
def test_octets_that_are_no_record_are_refused_with_a_word_and_why(value: bytes, reason: str, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode_record("rover-a", value)
    assert caught.value.reason == reason
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def over(stretches: int) -> bytes:
    """A record of 300 frames that were received in so many stretches of ten minutes."""
    times = np.arange(300, dtype=np.int64) % stretches * 600 * SECOND
    return encode_record(
        FramesReceived(
            link="rover-a", session=1, sequence=0, earth_receive_time=5, relay_receive_times=times, octets=bytes(300),
            frame_length=1,
        )
    )  # fmt: skip


def test_frames_received_over_a_day_are_one_record_at_most() -> None:
    """A few kilobytes that name a century would be gigabytes of evidence."""
    assert isinstance(decode_record("rover-a", over(MAX_STRETCHES_PER_RECORD)), FramesReceived)
    with pytest.raises(RecordError, match="received in 145 stretches of ten minutes; at most 144 are taken") as caught:
        decode_record("rover-a", over(MAX_STRETCHES_PER_RECORD + 1))
    assert caught.value.reason == "too_large"


def test_a_kind_is_named_for_every_record() -> None:
    assert list(KINDS.values()) == ["received", "listened", "end_of_data", "no_delivery", "recording_ended"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.one_of(
        st.binary(max_size=120),
        st.binary(max_size=120).map(lambda tail: b"RWF1" + tail),
        JSON.filter(lambda body: not isinstance(body, float)).map(lambda body: _dumps(body)),
        st.tuples(
            st.sampled_from(list(KINDS.values())), st.sampled_from(list(Listened.__dataclass_fields__)), JSON
        ).map(lambda drawn: _dumps(orjson.loads(listened()) | {"kind": drawn[0], drawn[1]: drawn[2]})),
    )
)
def test_no_octets_raise_anything_but_a_record_error(value: bytes) -> None:
    try:
        record = decode_record("rover-a", value)
    except RecordError as fault:
        refused = fault.reason
    else:
        refused = ""
        assert parts(decode_record("rover-a", encode_record(record))) == parts(record)
    assert refused in ("", "undecodable", "too_large")


@pytest.mark.parametrize("nesting", [b"[" * 1000 + b"]" * 1000, b'{"a":' * 1000 + b"1" + b"}" * 1000])
@pytest.mark.parametrize("field", ["kind", "session", "carrier_lock", "another"])
def test_a_record_nested_as_deep_as_json_may_be_is_undecodable(field: str, nesting: bytes) -> None:
    value = orjson.dumps({"kind": "listened", "session": 1, field: "here"}).replace(b'"here"', nesting)
    with pytest.raises(RecordError, match=f"record: '{field}' holds an array or an object") as refused:
        decode_record("rover-a", value)
    assert refused.value.reason == "undecodable"


@given(RECORDS, st.data())
def test_a_record_cut_off_anywhere_is_refused(record: Record, data: st.DataObject) -> None:
    value = encode_record(record)
    cut = data.draw(st.integers(0, len(value) - 1))
    with pytest.raises(RecordError):
        decode_record("rover-a", value[:cut])


def _dumps(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # integers beyond 64 bits
        return b"{}"
