"""Topics in code and in asyncapi.yaml say the same; records of all kinds carry the headers of CloudEvents."""

from functools import cache
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordError
from pipeline.outputs import Output, Revision, rfc3339
from pipeline.records import KINDS, Origin, Record, Run, encode_record
from pipeline.shells.files.resources import schemas_dir
from pipeline.telemetry import Telemetry
from pipeline.topics import (
    TOPICS,
    UNREAD,
    Envelope,
    Message,
    Rejected,
    event_time,
    frames_message,
    link_partition,
    output_message,
    read_headers,
    rejected_message,
    run_of,
    schema_id,
    telemetry_message,
    vehicle_of,
    vehicle_partition,
    write_headers,
)
from tests.build import scenario, scenario_records
from tests.schemas.examples import flow

ASYNCAPI: dict[str, Any] = yaml.safe_load((schemas_dir() / "asyncapi.yaml").read_text())
LIVE, REPLAY = Run(), Run(id="r1", origin="replay")


def test_asyncapi_has_the_topics_of_the_code_and_no_other() -> None:
    assert list(ASYNCAPI["channels"]) == list(TOPICS)


@pytest.mark.parametrize("name", list(TOPICS))
def test_a_topic_in_asyncapi_is_the_one_in_code(name: Any) -> None:
    topic, channel = TOPICS[name], ASYNCAPI["channels"][name]
    assert channel["address"].format(namespace="relay") == topic.full_name("relay")
    assert channel["x-key"] == topic.key
    kafka = channel["bindings"]["kafka"]
    assert kafka["partitions"] == topic.partitions
    assert kafka["topicConfiguration"] == {
        "cleanup.policy": [topic.cleanup_policy],
        "retention.ms": topic.retention_ms,
        "retention.bytes": topic.retention_octets,
        "max.message.bytes": topic.max_message_octets,
    }
    assert set(channel["messages"]) == {f"{name}.{kind}" for kind in topic.schemas}
    for kind, schema in topic.schemas.items():
        message = ASYNCAPI["components"]["messages"][f"{name}.{kind}"]
        assert message["name"] == topic.ce_type(kind)
        assert message["payload"]["schema"]["$ref"] == f"./{schema}.json"
        assert (schemas_dir() / f"{schema}.json").is_file()
        is_octets = (name, kind) == ("frames", "received")
        assert message["contentType"] == ("application/octet-stream" if is_octets else "application/json")


def test_every_reference_in_asyncapi_leads_somewhere() -> None:
    def follow(node: Any) -> None:
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str) and target.startswith("#/"):
                place = ASYNCAPI
                for part in target[2:].split("/"):
                    place = place[part]
            for inner in node.values():
                follow(inner)
        elif isinstance(node, list):
            for inner in node:
                follow(inner)

    follow(ASYNCAPI)
    used = {part["$ref"] for channel in ASYNCAPI["channels"].values() for part in channel["messages"].values()}
    assert used == {f"#/components/messages/{name}" for name in ASYNCAPI["components"]["messages"]}


@cache
def replayed() -> list[tuple[Record, Telemetry, tuple[Output, ...]]]:
    return list(flow("flight-72", REPLAY))


def headers(message: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers}


def test_every_record_of_a_flight_carries_the_headers_that_asyncapi_asks_for() -> None:
    asked = ASYNCAPI["components"]["schemas"]["headers"]
    ids: dict[str, set[str]] = {}
    count = 0
    for record, telemetry, outputs in replayed():
        messages = [frames_message("relay", record, REPLAY), telemetry_message("relay", telemetry, REPLAY)]
        messages += [output_message("relay", output) for output in outputs]
        for message in messages:
            said = headers(message)
            assert set(asked["required"]) <= set(said) <= set(asked["properties"])
            assert read_headers(message.headers).run == REPLAY
            ids.setdefault(message.topic, set()).add(said["ce_id"])
            count += 1
    assert sum(map(len, ids.values())) == count, "an id is that of one record of its topic"


@pytest.mark.parametrize("run", [LIVE, REPLAY])
def test_a_record_of_each_kind_says_what_it_is(run: Run) -> None:
    seen = set()
    for record in scenario_records("flight-72"):
        kind = KINDS[type(record)]
        if kind in seen:
            continue
        seen.add(kind)
        message = frames_message("relay", record, run)
        said = headers(message)
        assert (message.topic, message.key, message.value) == ("relay.frames", b"rover-a", encode_record(record))
        assert said["ce_type"] == f"org.relaywatch.frames.{kind}.v1"
        assert said["ce_dataschema"] == schema_id(f"frames.{kind}")
        assert said["ce_source"] == "links/rover-a"
        assert said["ce_time"] == rfc3339(event_time(record))
        assert said["ce_id"] == (record.id if run == LIVE else f"r1/{record.id}")
        assert said.get("ce_run") == (None if run == LIVE else "r1"), "CloudEvents has no empty attribute"
    assert seen == {"received", "listened", "end_of_data"}


def test_an_alert_is_keyed_by_its_incident_and_a_flight_by_run_vehicle_and_name() -> None:
    for _, _, outputs in replayed():
        for output in outputs:
            message = output_message("relay", output)
            if isinstance(output, Revision):
                assert message.key.decode() == output.incident_id == "r1:ingenuity:72:ended_before_landing"
                assert headers(message)["ce_id"] == f"{output.incident_id}/{output.revision}"
                assert orjson.loads(message.value)["kind"] == headers(message)["ce_type"].split(".")[3]
            else:
                assert message.key.decode() == f"r1/ingenuity/{output.name}"
            assert vehicle_of(output) == "ingenuity"


def test_a_rejected_record_keeps_key_headers_octets_reason_and_origin() -> None:
    rejected = Rejected(
        reason="undecodable", message="why", origin=Origin("relay.frames", 1, 5), key=b"\xff", value=b"\x00\x01",
        headers={"ce_origin": b"test", "odd": b"\xff"},
    )  # fmt: skip
    message = rejected_message("relay", rejected, LIVE, 1_700_000_000_000_000_000)
    assert message.key == b"\xff"
    body = orjson.loads(message.value)
    assert body["octets"] == "AAE="
    assert body["length"] == 2
    assert body["origin"] == {"topic": "relay.frames", "partition": 1, "offset": 5}
    assert headers(message)["ce_id"] == "relay.frames/1@5"
    assert headers(message)["ce_time"] == "2023-11-14T22:13:20.000000000Z"


def test_a_record_without_key_or_value_can_be_rejected_too() -> None:
    rejected = Rejected(
        reason="undecodable", message="", origin=Origin("t", 0, 0), key=None, headers={}, value=None
    )  # fmt: skip
    body = orjson.loads(rejected_message("relay", rejected, LIVE, 0).value)
    assert (body["key"], body["octets"], body["length"]) == (None, "", 0)


GOOD = dict(
    write_headers(
        Envelope(
            topic="alerts", kind="initial", id="i/1", source="relaywatch/watch", subject="s", time="", run=REPLAY,
            content_type="application/json",
        )
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ce_type": None}, "record has no header ce_type"),
        ({"ce_type": b"", "ce_id": None}, "record has no header ce_type, ce_id"),
        ({"ce_specversion": b"0.3"}, "ce_specversion is '0.3'; 1.0 is taken"),
        ({"ce_type": b"org.relaywatch.alerts.final.v1"}, "expected org.relaywatch.<topic>.<kind>.v1"),
        ({"ce_type": b"org.relaywatch.frames.initial.v1"}, "ce_type is"),
        ({"ce_origin": b"dream"}, "ce_origin is 'dream'; live, replay or test is taken"),
        ({"ce_origin": b"live"}, "a live record has none"),
        ({"ce_run": None}, "any other has one"),
        ({"ce_run": b"a|b"}, "without |"),
        ({"ce_run": b"live"}, "and not live"),
        ({"ce_run": b"x" * 129}, "at most 128 printable characters"),
        ({"ce_run": b"a\x1b[31m"}, "printable characters"),
        ({"ce_id": b"\xff"}, "header ce_id is not UTF-8"),
        ({f"x{number}": b"" for number in range(65)}, "74 headers of"),
        ({"x": bytes(16 << 10)}, "headers of 16"),
        ({"relaywatch-unread": b"refused_command:x"}, "x"),
    ],
)
def test_headers_that_are_not_ours_are_named(changes: dict[str, bytes | None], said: str) -> None:
    changed = {name: value for name, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(RecordError) as caught:
        read_headers(changed)
    assert said in str(caught.value)
    assert caught.value.reason == "bad_headers"
    assert run_of(changed) == LIVE


@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), st.binary(max_size=12), max_size=8))
def test_no_headers_raise_anything_but_a_record_error(changes: dict[str, bytes]) -> None:
    try:
        read_headers(GOOD | changes)
    except RecordError as fault:
        reason = fault.reason
    else:
        reason = "bad_headers"
    assert reason == "bad_headers"


def test_what_a_record_stands_for_is_rejected_with_the_reason_for_which_it_was_not_read() -> None:
    with pytest.raises(RecordError, match="offsets 3 to 9 are one compressed batch") as caught:
        read_headers({UNREAD: b"too_large:offsets 3 to 9 are one compressed batch"})
    assert caught.value.reason == "too_large"


def test_a_header_without_a_value_is_one_that_is_missing() -> None:
    # Kafka allows it, whatever the types say.
    without: Any = {**GOOD, "ce_id": None}
    with pytest.raises(RecordError, match="record has no header ce_id"):
        read_headers(without)
    odd: Any = {**GOOD, "odd": None}
    assert read_headers(odd).id == "i/1"


def test_links_and_vehicles_are_spread_over_partitions_in_the_mission_s_order() -> None:
    mission = scenario("two-paths").mission
    links = [link.name for link in mission.links]
    assert [link_partition(mission, link, 4) for link in links] == list(range(len(links)))
    assert vehicle_partition(mission, mission.vehicles[0].name, 4) == 0
    assert 0 <= link_partition(mission, "unheard-of", 4) < 4
