"""What a cluster lets us do, asked before anything is done, so that all that is missing is told at once with the words
that allow it. Knows two questions of Kafka's protocol that aiokafka does not ask."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataResponse_v5
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka.access import Access, acl_command
from pipeline.shells.kafka.clients import Cluster

_OPERATIONS: Final[Mapping[str, int]] = {
    "Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Alter": 7, "Describe": 8, "DescribeConfigs": 10,
    "AlterConfigs": 11,
}  # fmt: skip
"""Kafka's word → its number, which is that of its bit in an answer."""
_NOT_SAID: Final = -(1 << 31)
_ALL: Final = -1
_PAUSE_SECONDS: Final = 0.1


class NotAllowedError(RelayWatchError):
    """What a cluster does not let us do."""


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        *zip(MetadataResponse_v5.SCHEMA.names[:-1], MetadataResponse_v5.SCHEMA.fields[:-1], strict=True),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequestStruct(RequestStruct):
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _TopicsQuestion(Request[_MetadataRequestStruct]):
    API_KEY = 3

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = list(topics)

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        return request_struct_class(self.topics, False, False, True)


class _DescribeGroupsRequestStruct(RequestStruct):
    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = Schema(("groups", Array(String("utf-8"))), ("include_authorized_operations", Boolean))


class _GroupQuestion(Request[_DescribeGroupsRequestStruct]):
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self.group = group

    def build(self, request_struct_class: type[_DescribeGroupsRequestStruct]) -> _DescribeGroupsRequestStruct:
        return request_struct_class([self.group], True)


async def check_permissions(cluster: Cluster, needed: Sequence[Access]) -> None:
    """Raises NotAllowedError with all that is needed and not allowed, a line each. A topic that is not there is passed
    over: whoever needs it says so."""
    allowed = await allowed_operations(cluster, needed)
    principal = cluster.security.principal
    faults = []
    for one in needed:
        operations = tuple(word for word in one.operations if word not in allowed[one.name])
        if operations:
            missing = replace(one, operations=operations)
            faults.append(
                f"Kafka at {cluster.servers} does not allow {principal} {' and '.join(operations)} on {one.resource} "
                f"{one.name}. An administrator allows it: {acl_command(cluster.servers, principal, missing)}"
            )
    if faults:
        raise NotAllowedError("\n".join(faults))


async def allowed_operations(cluster: Cluster, resources: Iterable[Access]) -> dict[str, set[str]]:
    """Name of each topic and group → what we may do with it; everything, where the cluster does not say."""
    topics = [one.name for one in resources if one.resource == "topic"]
    groups = [one.name for one in resources if one.resource == "group"]
    bits = dict.fromkeys([*topics, *groups], _ALL)
    # A Kafka before 2.3 does not know the questions.
    with suppress(NotImplementedError):
        async with cluster.admin() as client:
            answer = await cluster.within(client._send_request(_TopicsQuestion(topics)))
            for topic in answer.topics:
                bits[topic[1]] = _bits(topic[0], TopicAuthorizationFailedError, topic[-1])
            for group in groups:
                bits[group] = await cluster.within(_bits_of_group(client, group))
    return {name: {word for word, place in _OPERATIONS.items() if of >> place & 1} for name, of in bits.items()}


async def _bits_of_group(client: Any, group: str) -> int:
    while True:
        try:
            coordinator = await client.find_coordinator(group)
            break
        except GroupAuthorizationFailedError:
            return 0
        except GroupCoordinatorNotAvailableError:
            # The broker makes its own topic for groups when the first one comes.
            await asyncio.sleep(_PAUSE_SECONDS)
    answer = await client._send_request(_GroupQuestion(group), coordinator)
    ((code, *_, bits),) = answer.groups
    return _bits(code, GroupAuthorizationFailedError, bits)


def _bits(code: int, refused: type[Any], bits: int) -> int:
    """All of them where nothing is said against it."""
    if code == refused.errno:
        return 0
    return _ALL if code or bits == _NOT_SAID else bits
