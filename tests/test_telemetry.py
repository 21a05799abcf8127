"""Telemetry as octets: what `decode` says is what `watch` reads."""

import pytest

from pipeline.telemetry import decode_telemetry, encode_telemetry
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
    sender, receiver = Sender(), Receiver()
    frames = sender.frames(range(5))
    rival, ghost = (frames[2][0], sender.frame(2)), (0.7, Sender(scid=3).frame(9))
    (said,) = decoded([receiver.frames([*frames, rival, ghost])], mission())[1]
    assert said.set_aside
    assert said.out_of_scope[0].scid == 3
    assert decode_telemetry(encode_telemetry(said)) == said
