"""What a worker says of itself."""

from dataclasses import replace

import orjson
import pytest

from pipeline.heartbeat import Beat, Heartbeat, MissionNames, read_heartbeat
from pipeline.mission.model import Timers
from pipeline.records import SECOND
from tests.build import scenario

MISSION = scenario("flight-72").mission
BEAT = Heartbeat(
    worker="pc-9464", process="a", sequence=3, at=1_705_579_200 * SECOND, version="1.0",
    mission=MissionNames.of(MISSION), partitions={"frames": [0]}, watermarks={"rover-a": 1_705_579_199 * SECOND},
    lag={"frames/0": 7},
)  # fmt: skip


def test_a_heartbeat_is_read_as_it_was_written() -> None:
    read = read_heartbeat(BEAT.encode())
    assert read == Beat(worker="pc-9464", process="a", version="1.0", mission=BEAT.mission, ended=False)
    assert orjson.loads(BEAT.encode())["watermarks"] == {"rover-a": "2024-01-18T11:59:59.000000000Z"}


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b"{}", b'{"mission": 1}', b'{"worker": "a", "mission": {}}'])
def test_what_is_no_heartbeat_is_none(value: bytes) -> None:
    assert read_heartbeat(value) is None


def test_missions_that_say_the_same_have_one_digest_and_others_another() -> None:
    digest = BEAT.mission.digest
    assert MissionNames.of(replace(MISSION)).digest == digest
    assert MissionNames.of(replace(MISSION, timers=Timers(loss_seconds=4.0))).digest != digest
    assert MissionNames.of(replace(MISSION, vehicles=())).digest != digest


def test_what_a_mission_leaves_at_its_default_is_no_part_of_its_digest() -> None:
    """A later version of the program, which knows more timers, runs beside an earlier one."""
    plain = replace(MISSION, timers=Timers())
    assert MissionNames.of(replace(plain, timers=Timers(late_days=90.0))).digest == MissionNames.of(plain).digest
