"""What a worker says of itself every few seconds: that it runs, on which mission, with which partitions, and how far it
is. Knows the form of that record; knows no Kafka and no clock."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from typing import Any

import orjson

from pipeline.mission.model import Mission
from pipeline.outputs import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class MissionNames:
    """What of a mission others have to know: which one it is, and what it has."""

    name: str
    digest: str
    """SHA-256 of all that the mission says beside the defaults: two files that say the same have one digest, and so
    has one file in two versions of the program, the later of which has more to be said."""
    links: tuple[str, ...]
    vehicles: tuple[str, ...]

    @classmethod
    def of(cls, mission: Mission) -> "MissionNames":
        octets = orjson.dumps(_said(mission), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        return cls(
            name=mission.name, digest=hashlib.sha256(octets).hexdigest(),
            links=tuple(one.name for one in mission.links), vehicles=tuple(one.name for one in mission.vehicles),
        )  # fmt: skip


def _said(value: Any) -> Any:
    """As JSON, without what is as the default has it."""
    if not is_dataclass(value):
        return [_said(one) for one in value] if isinstance(value, tuple) else value
    said = {one.name: getattr(value, one.name) for one in fields(value)}
    return {one.name: _said(said[one.name]) for one in fields(value) if said[one.name] != _default(one)}


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    worker: str
    """Its name in the group: the same at each start."""
    process: str
    """Another one at each start."""
    sequence: int
    """Counts the heartbeats of a process from 0."""
    at: int
    """Processing time: the worker's own clock, nanoseconds."""
    version: str
    mission: MissionNames
    partitions: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Source topic, without the namespace → partitions that the worker has."""
    watermarks: Mapping[str, int] = field(default_factory=dict)
    """Link → relay receive time up to which its receiver is known to have listened, of live data, nanoseconds."""
    lag: Mapping[str, int] = field(default_factory=dict)
    """topic/partition → records that are published and not yet taken."""
    ended: bool = False
    """The last one of a worker that ends as asked."""

    def encode(self) -> bytes:
        body = asdict(self)
        body["at"] = rfc3339(self.at)
        body["watermarks"] = {link: rfc3339(at) for link, at in self.watermarks.items()}
        return orjson.dumps(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What is read of a heartbeat."""

    worker: str
    process: str
    version: str
    mission: MissionNames
    ended: bool


def read_heartbeat(value: bytes) -> Beat | None:
    """None of a value that is no heartbeat of a worker."""
    try:
        body: dict[str, Any] = orjson.loads(value)
        mission = body["mission"]
        return Beat(
            worker=str(body["worker"]), process=str(body["process"]), version=str(body["version"]),
            mission=MissionNames(
                name=str(mission["name"]), digest=str(mission["digest"]), links=tuple(map(str, mission["links"])),
                vehicles=tuple(map(str, mission["vehicles"])),
            ),
            ended=body["ended"] is True,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError):
        return None
