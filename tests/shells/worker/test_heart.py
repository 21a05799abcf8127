"""Which workers may run beside each other."""

from dataclasses import replace

import pytest

from pipeline.heartbeat import Beat, MissionNames
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.worker.heart import Heart, Vitals
from tests.build import scenario

OURS = MissionNames.of(scenario("flight-72").mission)
CHANGED = replace(OURS, digest="0" * 64)
ANOTHER = replace(CHANGED, name="dragonfly")


def fault(theirs: MissionNames, *, replaces: bool = False) -> str:
    heart = Heart(Cluster("127.0.0.1:1"), "relay", "one", OURS, Vitals, replaces)
    return heart._fault(Beat(worker="two", process="b", version="1", mission=theirs, ended=False))


def test_workers_of_one_mission_run_beside_each_other() -> None:
    assert fault(OURS) == ""


@pytest.mark.parametrize("replaces", [False, True])
def test_a_worker_of_another_mission_is_refused(replaces: bool) -> None:
    assert fault(ANOTHER, replaces=replaces).startswith(
        "worker two of namespace relay runs with mission dragonfly, and this one has mission ingenuity"
    )


def test_a_new_version_of_the_mission_starts_only_where_it_is_said_to_be_one() -> None:
    assert "--replace-mission" in fault(CHANGED)
    assert fault(CHANGED, replaces=True) == ""
