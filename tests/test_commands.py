"""Commands as octets: each kind comes back, each kind of fault is one clear line, and the schema says the same."""

from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands import (
    KINDS,
    MAX_COMMAND_OCTETS,
    Acknowledge,
    Close,
    Command,
    Given,
    RemoveEntry,
    ResumeRun,
    SetExpectedLoss,
    SetWindow,
    Shelve,
    Unshelve,
    decode_command,
    decode_given,
    encode_command,
    encode_given,
    kind_of,
    order_of,
    pass_on,
)
from pipeline.errors import RecordError
from pipeline.mission.model import ExpectedLoss, Window
from pipeline.records import Origin, Run
from pipeline.shells.files.resources import schemas_dir
from pipeline.topics import TOPICS, command_message, given_message, read_headers
from tests.build import scenario
from tests.link import START

MISSION = scenario("flight-72").mission
ABOUT: dict[str, Any] = {"id": "c1", "vehicle": "ingenuity", "by": "m.ortiz", "why": "the rover drives", "at": START}
TIME = {"starts_at": START, "ends_at": START + 10**12}
ALL: tuple[Command, ...] = (
    Acknowledge(**ABOUT, incident_id="i"),
    Shelve(**ABOUT, incident_id="i", until=START + 10**12),
    Unshelve(**ABOUT, incident_id="i"),
    Close(**ABOUT, incident_id="i"),
    SetWindow(**ABOUT, name="w", window=Window(name="w", vehicle="ingenuity", link="rover-a", **TIME)),
    SetExpectedLoss(
        **ABOUT, name="e", expected_loss=ExpectedLoss(name="e", vehicle="ingenuity", reason="a hill", **TIME)
    ),
    SetExpectedLoss(
        **ABOUT, name="e",
        expected_loss=ExpectedLoss(name="e", vehicle="ingenuity", reason="a hill", below_m=8.5, **TIME),
    ),
    RemoveEntry(**ABOUT, name="e", entry="expected_loss"),
)  # fmt: skip
OF_A_RUN = ResumeRun(**ABOUT)
SCHEMAS = {
    name: jsonschema_rs.validator_for(orjson.loads((schemas_dir() / f"{name}.json").read_bytes()))
    for name in ("commands", "telemetry.command")
}


def refused(body: Any) -> str:
    """The one line, with its reason before it."""
    value = body if isinstance(body, bytes) else orjson.dumps(body)
    with pytest.raises(RecordError) as fault:
        decode_command(value, "c1", MISSION)
    assert "\n" not in str(fault.value)
    return f"{fault.value.reason}: {fault.value}"


def body(command: Command, /, **changes: Any) -> dict[str, Any]:
    """As JSON, changed; a value of ... takes the key away."""
    changed = {**orjson.loads(encode_command(command)), **changes}
    return {key: value for key, value in changed.items() if value is not ...}


@pytest.mark.parametrize("command", ALL, ids=kind_of)
def test_a_command_comes_back_from_its_octets(command: Command) -> None:
    assert decode_command(encode_command(command), command.id, MISSION) == command
    passed = Given(vehicle="ingenuity", origin=Origin("relay.commands", 1, 7), command=command)
    assert decode_given(encode_given(passed)) == passed
    for name, other in {"id": 7, "vehicle": None, "origin": ["relay.commands", "x", 7]}.items():
        with pytest.raises(ValueError, match=r"is not of a vehicle|not topic, partition and offset"):
            decode_given(orjson.dumps({**orjson.loads(encode_given(passed)), name: other}))


def test_there_is_one_of_every_kind_here_and_the_topic_has_all_kinds() -> None:
    assert {kind_of(command) for command in (*ALL, OF_A_RUN)} == set(KINDS.values()) == set(TOPICS["commands"].schemas)


@pytest.mark.parametrize("command", ALL, ids=kind_of)
def test_the_schema_takes_a_command_and_needs_every_part_of_it(command: Command) -> None:
    whole = body(command)
    SCHEMAS["commands"].validate(whole)
    SCHEMAS["telemetry.command"].validate(
        orjson.loads(encode_given(Given(vehicle="v", origin=Origin("t", 0, 0), command=command)))
    )
    for key in whole.keys() - {"below_m"}:
        assert not SCHEMAS["commands"].is_valid(body(command, **{key: ...})), key
        assert "is missing" in refused(body(command, **{key: ...})) or key == "command"


@pytest.mark.parametrize("nesting", [b"[" * 1000 + b"]" * 1000, b'{"a":' * 1000 + b"1" + b"}" * 1000])
@pytest.mark.parametrize("field", ["command", "by", "at", "another"])
def test_a_command_nested_as_deep_as_json_may_be_is_undecodable(field: str, nesting: bytes) -> None:
    value = orjson.dumps({**body(ALL[0]), field: "here"}).replace(b'"here"', nesting)
    assert refused(value) == f"undecodable: command: {field!r} holds an array or an object; no field of ours does"


def test_a_command_of_a_run_is_on_its_topic_and_never_reaches_a_vehicle_s_state() -> None:
    assert decode_command(encode_command(OF_A_RUN), "c1", MISSION) == OF_A_RUN
    SCHEMAS["commands"].validate(body(OF_A_RUN))
    passed = encode_given(Given(vehicle="ingenuity", origin=Origin("relay.commands", 1, 7), command=OF_A_RUN))
    assert not SCHEMAS["telemetry.command"].is_valid(orjson.loads(passed))
    with pytest.raises(ValueError, match="nothing that a vehicle's state could follow"):
        decode_given(passed)


@pytest.mark.parametrize("command", (*ALL, OF_A_RUN), ids=kind_of)
def test_a_part_that_belongs_to_another_kind_is_refused_by_schema_and_code(command: Command) -> None:
    others = {"incident_id": "i", "until": body(ALL[1])["until"], "link": "rover-a", "entry": "window", "below_m": 1.0}
    for key, value in others.items():
        changed = body(command) | {key: value}
        if key not in body(command) and (key, kind_of(command)) != ("below_m", "set_expected_loss"):
            assert not SCHEMAS["commands"].is_valid(changed), key
            assert f"{key}: unknown key" in refused(changed)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (b"\x00\x01", "undecodable: command of 2 octets is not JSON"),
        (b"[1]", "undecodable: command is not one of acknowledge, shelve,"),
        ({"command": ["close"]}, "undecodable: command: 'command' holds an array or an object; no field of ours does"),
        ({"command": 7}, "undecodable: command is not one of"),
        (b"[" * 9000, "undecodable: "),
        (b" " * (MAX_COMMAND_OCTETS + 1), f"too_large: command of {MAX_COMMAND_OCTETS + 1} octets"),
        (body(ALL[0], by=""), "refused_command: command acknowledge: by: '' is not a text of 1 to 100 characters"),
        (body(ALL[0], why=" "), "refused_command: command acknowledge: why: ' ' is not a text of 1 to 500 characters"),
        (body(ALL[0], by=7), "refused_command: command acknowledge: by: 7 is not a text"),
        (body(ALL[0], at="noon"), "refused_command: command acknowledge: at: 'noon' is not a moment with its offset"),
        (body(ALL[0], at="9999-01-01T00:00:00Z"), "refused_command: command acknowledge: at: 9999-01-01T00:00:00Z is"),
        (body(ALL[0], vehicle="sojourner"), "refused_command: command acknowledge: vehicle: 'sojourner' is no vehicle"),
        (body(ALL[0], wy="x"), "refused_command: command acknowledge: wy: unknown key; did you mean why?"),
        (body(ALL[4], link="dish"), "refused_command: command set_window: link: 'dish' is no link of this mission"),
        (body(ALL[4], until=body(ALL[4])["from"]), "refused_command: command set_window: until: is not after `from`"),
        (body(ALL[6], below_m="8"), "refused_command: command set_expected_loss: below_m: '8' is not a number"),
        (body(ALL[7], entry="sleep"), "refused_command: command remove_entry: entry: 'sleep' is not one of window,"),
    ],
)
def test_a_command_that_is_wrong_in_itself_is_refused_with_one_clear_line(changed: Any, line: str) -> None:
    assert refused(changed).startswith(line)


def test_every_fault_of_a_command_stands_in_the_line() -> None:
    line = refused(body(ALL[1], by="", until="soon", incident_id=...))
    assert [part in line for part in ("by: ''", "until: 'soon'", "incident_id: is missing")] == [True] * 3


@given(
    value=st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr).map(str.encode)
)
def test_whatever_octets_come_are_refused_and_crash_nothing(value: bytes) -> None:
    with pytest.raises(RecordError):
        decode_command(value, "c1", MISSION)


@given(
    kind=st.sampled_from(list(KINDS.values())),
    key=st.sampled_from(["by", "why", "at", "until", "vehicle", "incident_id", "name", "from", "below_m", "entry"]),
    value=st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.just({"a": [1]}),
)
def test_a_part_of_any_type_is_taken_or_refused(kind: str, key: str, value: Any) -> None:
    command = next(one for one in (*ALL, OF_A_RUN) if kind_of(one) == kind)
    changed = orjson.dumps(body(command) | {key: value})
    reason, again = "", b""
    try:
        again = encode_command(decode_command(changed, "c1", MISSION))
    except RecordError as fault:
        reason = fault.reason
    assert reason == ("" if again else "undecodable" if isinstance(value, list | dict) else "refused_command")
    assert not again or encode_command(decode_command(again, "c1", MISSION)) == again


def test_commands_are_ordered_by_when_they_were_given() -> None:
    later = Close(**{**ABOUT, "at": START + 1, "id": "a"}, incident_id="i")
    assert sorted([later, ALL[0]], key=order_of) == [ALL[0], later]


def test_a_change_of_the_plan_goes_to_every_vehicle_and_any_other_to_its_own() -> None:
    two = scenario("two-vehicles").mission
    names = [vehicle.name for vehicle in two.vehicles]
    assert len(names) > 1
    origin = Origin("relay.commands", 0, 3)
    assert [one.vehicle for one in pass_on(ALL[7], origin, two)] == names
    assert [one.vehicle for one in pass_on(ALL[0], origin, two)] == ["ingenuity"]


@pytest.mark.parametrize("run", [Run(), Run(id="r1", origin="replay")])
def test_a_command_keeps_its_identity_and_its_run_on_both_topics(run: Run) -> None:
    sent = command_message("relay", ALL[0], run)
    assert (sent.topic, sent.key) == ("relay.commands", b"ingenuity")
    envelope = read_headers(sent.headers)
    assert (envelope.kind, envelope.id, envelope.run) == ("acknowledge", "c1", run)
    passed = Given(vehicle="ingenuity", origin=Origin("relay.commands", 0, 7), command=ALL[0])
    envelope = read_headers(given_message("relay", passed, run).headers)
    assert (envelope.topic, envelope.kind, envelope.run) == ("telemetry", "command", run)
    assert envelope.id == "relay.commands/0@7/ingenuity"
