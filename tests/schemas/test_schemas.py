"""Schemas, their examples, and what the program really writes: the three agree."""

from functools import cache
from typing import Any

import jsonschema_rs
import orjson
import pytest

from pipeline.outputs import Revision
from pipeline.records import KINDS, FramesReceived, Run, decode_record, encode_record
from pipeline.shells.files.resources import schemas_dir
from pipeline.telemetry import decode_telemetry, encode_telemetry
from pipeline.topics import TOPICS, frames_view, schema_id
from tests.schemas.examples import FOLDER, WRITE, flow, made

SCHEMAS = sorted(path.stem for path in schemas_dir().glob("*.json"))


def read(name: str) -> Any:
    return orjson.loads((schemas_dir() / f"{name}.json").read_bytes())


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(read(name))


def faults(name: str, body: Any) -> list[str]:
    return [error.message for error in validator(name).iter_errors(body)]


def test_every_schema_is_that_of_a_topic_and_every_topic_s_schemas_are_there() -> None:
    assert set(SCHEMAS) == {schema for topic in TOPICS.values() for schema in topic.schemas.values()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_valid_one_with_the_id_that_records_name(name: str) -> None:
    schema = read(name)
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == schema_id(name)
    assert schema["additionalProperties"] is False


def test_every_schema_has_one_example() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == SCHEMAS
    assert [path.name for path in FOLDER.glob("*.bin")] == ["frames.received.bin"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_example_is_valid(name: str) -> None:
    assert faults(name, orjson.loads((FOLDER / f"{name}.json").read_bytes())) == []


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_an_example_is_what_the_program_writes(name: str) -> None:
    assert (FOLDER / name).read_bytes() == made()[name], WRITE


def test_the_example_of_frames_is_octets_and_its_header_as_json() -> None:
    record = decode_record("rover-a", (FOLDER / "frames.received.bin").read_bytes())
    assert isinstance(record, FramesReceived)
    assert frames_view(record) == orjson.loads((FOLDER / "frames.received.json").read_bytes())


@pytest.mark.parametrize("name", [f"frames.{kind}" for kind in KINDS.values() if kind != "received"])
def test_an_example_of_a_receiver_s_record_is_taken(name: str) -> None:
    value = (FOLDER / f"{name}.json").read_bytes()
    assert orjson.loads(encode_record(decode_record("rover-a", value))) == orjson.loads(value)


def test_the_example_of_telemetry_is_taken() -> None:
    value = (FOLDER / "telemetry.json").read_bytes()
    assert orjson.loads(encode_telemetry(decode_telemetry(value))) == orjson.loads(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_refuses_what_has_a_field_more_or_one_less(name: str) -> None:
    example = orjson.loads((FOLDER / f"{name}.json").read_bytes())
    assert faults(name, {**example, "unheard_of": 1})
    for field in read(name)["required"]:
        assert faults(name, {key: value for key, value in example.items() if key != field}), field


@pytest.mark.parametrize("name", ["flight-72", "relay-outage", "frames-late"])
def test_every_record_of_a_scenario_is_as_its_schema_says(name: str) -> None:
    seen = set()
    for record, telemetry, outputs in flow(name, Run(id="seen", origin="test")):
        if isinstance(record, FramesReceived):
            written = [("frames.received", frames_view(record))]
        else:
            written = [(f"frames.{telemetry.kind}", orjson.loads(encode_record(record)))]
        written.append(("telemetry", orjson.loads(encode_telemetry(telemetry))))
        for output in outputs:
            written.append(("alerts" if isinstance(output, Revision) else "flights", orjson.loads(output.encode())))
        for schema, body in written:
            assert validator(schema).is_valid(body), (schema, faults(schema, body))
            seen.add(schema)
    assert {"frames.received", "frames.listened", "frames.end_of_data", "telemetry", "flights"} <= seen
