"""What must change of the topics on a cluster, and the command that changes it: without a broker."""

import subprocess
from collections.abc import Sequence

import orjson
import pytest

from pipeline.shells.kafka.topics_check import Difference, StandingTopic, Tools, differences, unmet
from pipeline.shells.kafka.topics_needed import (
    NeededTopic,
    changelog_topic,
    durability,
    needed_topics,
    sources_of_state,
)
from pipeline.topics import TOPICS

TOOLS = Tools(bootstrap="kafka-1:9092", namespace="relay")
NEEDED = {one.name: one for one in needed_topics("relay")}
FRAMES, LINKS = NEEDED["relay.frames"], NEEDED[changelog_topic("relay", "links")]
THREE = ((1, 2, 3), (2, 3, 1), (3, 1, 2), (1, 3, 2))


def standing(needed: NeededTopic, replicas: Sequence[Sequence[int]] = THREE, **settings: str) -> StandingTopic:
    named = {name.replace("_", "."): value for name, value in settings.items()}
    return StandingTopic(
        name=needed.name, replicas=replicas,
        settings={**needed.settings, **durability(min(map(len, replicas))), **named},
    )  # fmt: skip


def checked(
    needed: NeededTopic, there: StandingTopic | None, source: StandingTopic | None = None, asked: bool = False
) -> list[Difference]:
    return differences(
        needed, there, source=source, partitions_asked=asked, copies=3, brokers=[1, 2, 3], tools=TOOLS
    )  # fmt: skip


@pytest.mark.parametrize("needed", NEEDED.values(), ids=lambda one: one.name)
def test_a_topic_as_it_is_needed_has_no_difference(needed: NeededTopic) -> None:
    assert checked(needed, standing(needed)) == []


def test_one_that_is_not_there_is_made_by_relaywatch() -> None:
    assert checked(FRAMES, None) == [
        Difference(
            found="is not there", change="relaywatch topics create --kafka kafka-1:9092 --namespace relay"
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "found", "is_met"),
    [
        ("retention.ms", "-1", True),
        ("retention.ms", "99999999999", True),
        ("retention.ms", "604800000", False),
        ("retention.bytes", "-1", True),
        ("retention.bytes", "1073741824", False),
        ("max.message.bytes", "104857600", True),
        ("max.message.bytes", "1048588", False),
        ("cleanup.policy", "compact,delete", False),
        ("message.timestamp.type", "CreateTime", False),
    ],
)
def test_more_is_never_wrong_and_less_is(name: str, found: str, is_met: bool) -> None:
    assert (unmet(FRAMES.settings, {**FRAMES.settings, name: found}) == {}) is is_met


def test_for_ever_is_met_by_for_ever_alone() -> None:
    alerts = NEEDED["relay.alerts"]
    assert alerts.settings["retention.ms"] == "-1"
    assert unmet(alerts.settings, {**alerts.settings, "retention.ms": "9999999999999"}) == {
        "retention.ms": "9999999999999"
    }


def test_all_settings_of_a_topic_are_put_right_by_one_line() -> None:
    [one] = checked(FRAMES, standing(FRAMES, retention_ms="604800000", min_insync_replicas="1"))
    assert one.found == "retention.ms is 604800000, 2592000000 is needed, min.insync.replicas is 1, 2 is needed"
    assert one.change == (
        "kafka-configs.sh --bootstrap-server kafka-1:9092 --alter --entity-type topics --entity-name relay.frames "
        "--add-config retention.ms=2592000000,min.insync.replicas=2"
    )


def test_more_copies_are_spread_over_the_other_brokers_and_those_that_are_there_stay() -> None:
    few, wanted = [[1], [2], [3], [1]], [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 3, 2]]
    [copies, insync] = checked(FRAMES, standing(FRAMES, few))
    assert copies.found == "1 copy of a partition, 3 are needed"
    assert insync.found == "min.insync.replicas is 1, 2 is needed"
    # The line is bash: what it gives the tool is a plan as the tool reads it.
    plan = subprocess.run(
        ["bash", "-c", f"cat {copies.change[copies.change.index('<(') :]}"], capture_output=True, check=True, timeout=10
    ).stdout
    told = orjson.loads(plan)
    assert [one["replicas"] for one in told["partitions"]] == wanted
    assert {one["topic"] for one in told["partitions"]} == {"relay.frames"}
    assert [one["partition"] for one in told["partitions"]] == [0, 1, 2, 3]


def test_state_that_cannot_follow_its_source_is_made_anew() -> None:
    [one] = checked(LINKS, standing(LINKS, THREE[:3]), source=standing(FRAMES))
    assert one.found.startswith("3 partitions, relay.frames has 4: state lives where its records come in")
    assert one.change == (
        "kafka-topics.sh --bootstrap-server kafka-1:9092 --delete --topic relay.worker-links-changelog && "
        "relaywatch topics create --kafka kafka-1:9092 --namespace relay"
    )


def test_another_number_of_partitions_is_a_difference_only_where_one_was_asked_for() -> None:
    three = standing(FRAMES, THREE[:3])
    assert checked(FRAMES, three) == []
    [one] = checked(FRAMES, three, asked=True)
    assert one.found.startswith("3 partitions, 4 were asked for: the number cannot be changed under records")
    assert one.change.endswith("--namespace relay-4 --partitions 4")


def test_every_changelog_follows_a_topic() -> None:
    assert set(sources_of_state("relay").values()) < {topic.full_name("relay") for topic in TOPICS.values()}
    assert set(sources_of_state("relay")) == {name for name in NEEDED if name.endswith("-changelog")}


def test_kafkas_tools_are_told_where_the_clients_security_stands() -> None:
    tools = Tools(bootstrap="kafka-1:9093", namespace="relay", command_config="client.properties")
    assert tools.make_anew("a").startswith(
        "kafka-topics.sh --bootstrap-server kafka-1:9093 --command-config client.properties --delete"
    )
