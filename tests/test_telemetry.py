"""Telemetry as octets: what `decode` says is what `watch` reads."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from msgspec import structs

from pipeline.errors import RecordError
from pipeline.flow import VehicleState, watch
from pipeline.records import Origin, Run
from pipeline.telemetry import Telemetry, decode_telemetry, encode_telemetry
from tests.build import scenario, scenario_records
from tests.link import Receiver, Sender, decoded, mission


@pytest.mark.parametrize("name", ["flight-72", "two-paths"])
def test_every_telemetry_comes_back_from_its_octets(name: str) -> None:
    for link in scenario(name).mission.links:
        records = [record for record in scenario_records(name)[:400] if record.link == link.name]
        for telemetry in decoded(records, scenario(name).mission)[1]:
            value = encode_telemetry(telemetry)
            assert decode_telemetry(value) == telemetry
            assert encode_telemetry(decode_telemetry(value)) == value


def test_what_is_out_of_scope_or_set_aside_comes_back_too() -> None:
    said = telemetry_of_frames()
    assert said.out_of_scope[0].scid == 3
    assert decode_telemetry(encode_telemetry(said)) == said


def telemetry_of_frames() -> Telemetry:
    """With something in every field that a record of frames fills."""
    sender, receiver = Sender(), Receiver()
    frames = sender.frames(range(5))
    rival, ghost = (frames[2][0], sender.frame(2)), (0.7, Sender(scid=3).frame(9))
    (said,) = decoded([receiver.frames([*frames, rival, ghost])], mission())[1]
    assert said.channels and said.samples and said.out_of_scope and said.set_aside and said.bins  # noqa: PT018
    return said


def telemetry_of_listening() -> Telemetry:
    (said,) = decoded([Receiver().listened(0.0, 1.0)], mission())[1]
    assert said.listened is not None
    return said


FOREIGN: tuple[Any, ...] = ("x", -(10**30), 1e308, 10**19 - 1, [], {}, [1], {"a": 1}, [[[]]], 0.5)


def changed(value: Any) -> Iterator[Any]:
    """The whole with something else in one place, once for each place in JSON and each thing of FOREIGN."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        for other in FOREIGN:
            copy = value.copy()
            copy[key] = other
            yield copy
        for inner in changed(value[key]):
            copy = value.copy()
            copy[key] = inner
            yield copy


@pytest.mark.parametrize("said", [telemetry_of_frames(), telemetry_of_listening()], ids=["frames", "listening"])
def test_what_another_wrote_in_its_place_is_refused_or_does_no_harm(said: Telemetry) -> None:
    """A text among times would stay in the evidence, and every record after it fail."""
    before = VehicleState()
    watch(before, telemetry_of_listening(), mission(), Run(id="r", origin="test"))
    stored = orjson.loads(orjson.dumps(before.take_changes()))
    refused = taken = 0
    for body in changed(orjson.loads(encode_telemetry(said))):
        try:
            other = decode_telemetry(json.dumps(body).encode())
        except RecordError:
            refused += 1
            continue
        taken += 1
        state = VehicleState.restore(stored)
        state.contains(other.origin)
        try:
            watch(state, structs.replace(other, origin=Origin("f", 0, 6)), mission(), Run(id="r", origin="test"))
        except Exception:
            continue
        orjson.dumps(state.take_changes())
        watch(state, structs.replace(said, origin=Origin("f", 0, 7)), mission(), Run(id="r", origin="test"))
        orjson.dumps(state.take_changes())
    assert refused > 5 * taken
