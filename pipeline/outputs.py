"""What `watch` publishes: revisions of incidents and the facts of flights. Knows no rule and no topic."""

import datetime as dt
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import orjson

from pipeline.records import Origin, OriginKind

IncidentState = Literal["open", "closed", "retracted"]
Severity = Literal["info", "notice", "warning", "critical"]
RevisionKind = Literal["initial", "update", "retraction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision of one incident, whole: a subscriber needs no earlier one. Times are nanoseconds since
    1970-01-01T00:00:00Z on the relay's receive clock; `body` writes them as RFC 3339 in UTC."""

    incident_id: str
    revision: int
    """1 for the first."""
    kind: RevisionKind
    type: str
    state: IncidentState
    severity: Severity
    highest_severity: Severity
    subject: str
    """The vehicle, or the link for alerts about the link itself."""
    vehicle: str
    link: str
    flight: str
    run: str
    origin: OriginKind
    mission: str
    starts_at: int
    raised_at: int
    ended_at: int | None
    close_reason: str | None
    confirmed: bool
    known_at: int
    """The vehicle's watermark when this revision was made."""
    statement: str
    known: tuple[str, ...]
    inferred: tuple[str, ...]
    not_known: tuple[str, ...]
    what_next: tuple[str, ...]
    """What is to be expected: listening, windows, stored data. As it was when this revision was made."""
    evidence: dict[str, Any]
    episodes: tuple[tuple[int, int | None], ...]
    """(raised_at, ended_at) of each."""
    made_from: Origin
    changed: tuple[str, ...] = ()
    """What this revision changed, in words of the fields above."""
    people: dict[str, Any] = field(default_factory=dict)
    """Acknowledged, shelved: by whom, when and why (ISA-18.2)."""

    @property
    def id(self) -> str:
        return f"{self.incident_id}/{self.revision}"

    def body(self) -> dict[str, Any]:
        """The alert as JSON: what stands on the alert topic and what `analyze --json` prints."""
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("starts_at", "raised_at", "ended_at", "known_at"):
            body[name] = rfc3339(body[name])
        body["episodes"] = [{"raised_at": rfc3339(a), "ended_at": rfc3339(b)} for a, b in self.episodes]
        body["made_from"] = str(self.made_from)
        return body

    def encode(self) -> bytes:
        return orjson.dumps(self.body(), option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """The facts of one flight, whole: what the ledger holds of it. A later one replaces it."""

    name: str
    vehicle: str
    run: str
    origin: OriginKind
    mission: str
    revision: int
    facts: dict[str, Any]
    """JSON-able; times as RFC 3339."""
    known_at: int
    made_from: Origin

    @property
    def id(self) -> str:
        return f"{self.run}/{self.vehicle}/{self.name}/{self.revision}"

    @property
    def key(self) -> str:
        return f"{self.run}/{self.vehicle}/{self.name}"

    def body(self) -> dict[str, Any]:
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        body["known_at"] = rfc3339(self.known_at)
        body["made_from"] = str(self.made_from)
        return body

    def encode(self) -> bytes:
        return orjson.dumps(self.body(), option=orjson.OPT_SORT_KEYS)


Output = Revision | Flight


def rfc3339(nanoseconds: int | None) -> str | None:
    """2024-01-18T12:00:33.000000000Z; nanoseconds kept, so that times compare as texts."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_to_the_second(seconds)}.{rest:09d}Z"


@lru_cache(1024)
def _to_the_second(seconds: int) -> str:
    """Records come many a second."""
    return f"{dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"
