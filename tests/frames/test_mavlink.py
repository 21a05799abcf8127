"""MAVLink messages, made by pymavlink and read by us."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v10 import all as version_1
from pymavlink.dialects.v20 import all as version_2

from pipeline.frames import messages
from pipeline.frames.frame import REASONS, Managed
from pipeline.frames.mavlink import Message, may_be_vehicle, read_message, starts_whole_message, stated_length

HEARTBEAT = {"type": 2, "autopilot": 3, "base_mode": 128, "custom_mode": 0, "system_status": 4}


def packed(dialect: Any = version_2, sequence: int = 9, system: int = 7, component: int = 1) -> bytes:
    sender = dialect.MAVLink(None, srcSystem=system, srcComponent=component)
    sender.seq = sequence
    octets: bytes = dialect.MAVLink_heartbeat_message(*HEARTBEAT.values(), 3).pack(sender)
    return octets


def signed() -> bytes:
    sender = version_2.MAVLink(None, srcSystem=7, srcComponent=1)
    sender.signing.secret_key = b"k" * 32
    sender.signing.link_id = 0
    sender.signing.timestamp = 1
    sender.signing.sign_outgoing = True
    octets: bytes = version_2.MAVLink_heartbeat_message(*HEARTBEAT.values(), 3).pack(sender)
    return octets


@pytest.mark.parametrize("dialect", [version_1, version_2])
def test_both_versions_say_system_component_sequence_and_payload(dialect: Any) -> None:
    message = read_message(packed(dialect))
    assert isinstance(message, Message)
    assert message[:4] == (7, 1, 9, 0)
    assert len(message.payload) == 9


def test_a_signed_message_is_thirteen_octets_longer_and_read_all_the_same() -> None:
    octets = signed()
    assert len(octets) == len(packed()) + 13
    assert stated_length(octets) == len(octets)
    assert isinstance(read_message(octets), Message)


def test_one_octet_too_few_or_too_many_is_bad_by_its_length() -> None:
    assert read_message(packed()[:-1]) == "length"
    assert read_message(packed() + b"\x00") == "length"
    assert read_message(b"\xfd") == "length"


def test_anything_but_the_two_magics_is_no_version_of_ours() -> None:
    assert read_message(b"\xfc" + packed()[1:]) == "version"
    assert read_message(b"") == "version"


def test_an_incompatibility_flag_that_nobody_defined_is_refused() -> None:
    assert read_message(packed()[:2] + b"\x02" + packed()[3:]) == "version"


def test_a_message_without_a_definition_is_an_unknown_message() -> None:
    octets = packed()
    assert read_message(octets[:7] + b"\xff\xff\xff" + octets[10:]) == "unknown_message"


def test_every_turned_bit_after_the_header_s_length_fails_the_check() -> None:
    octets = packed()
    for place, bit in itertools.product(range(10, len(octets)), range(8)):
        turned = bytearray(octets)
        turned[place] ^= 1 << bit
        assert read_message(bytes(turned)) == "check"


def test_a_whole_message_is_found_where_it_starts_and_nowhere_else() -> None:
    octets = b"\x00\xfd\xfe" + packed() + b"\xfd\x00"
    assert [at for at in range(len(octets)) if starts_whole_message(octets, at)] == [3]


def test_ground_modem_and_ground_stations_are_no_vehicles() -> None:
    assert [system for system in (0, 1, 50, 51, 52, 239, 240, 255) if may_be_vehicle(system)] == [1, 50, 52, 239]


def test_system_component_and_sequence_are_scid_vcid_and_count_of_the_columns() -> None:
    frames = messages.read([packed(), b"junk", packed(sequence=255, system=0, component=0)], Managed())
    assert frames.reasons == [None, "version", None]
    assert (frames.scids[0], frames.vcids[0], frames.virtual_channel_frame_counts[0]) == (7, 1, 9)
    assert (frames.scids[2], frames.vcids[2], frames.virtual_channel_frame_counts[2]) == (0, 0, 255)
    assert frames.moduli == [256, 256, 256]
    assert frames.messages[1] is None
    assert frames.messages[0] is not None


@given(st.lists(st.binary(max_size=40), max_size=5), st.sampled_from([b"", b"\xfd", b"\xfe"]))
def test_random_octets_never_raise_and_every_message_has_one_reason_or_none(octets: list[bytes], magic: bytes) -> None:
    frames = messages.read([magic + one for one in octets], Managed())
    assert len(frames.reasons) == len(octets)
    assert all(reason is None or reason in REASONS for reason in frames.reasons)
    assert all((reason is None) is (message is not None) for reason, message in zip(frames.reasons, frames.messages))
