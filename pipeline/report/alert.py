"""An alert as its reader has it: one revision of one incident, out of the JSON that stands on the alert topic. Knows
the body; knows neither Kafka nor who reads."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final, TypeGuard, get_args

import orjson

from pipeline.errors import RecordError
from pipeline.outputs import IncidentState, RevisionKind, Severity
from pipeline.records import OriginKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One of the times for which an incident was open."""

    raised_at: str
    ended_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One revision of one incident, whole: no earlier one is needed to understand it.

    Every time is RFC 3339 in UTC with nanoseconds, on the relay's receive clock, so times compare as texts.
    """

    incident_id: str
    """The same in every revision. Two runs of one recording have different ones."""
    revision: int
    """1 for the first; a higher one replaces it."""
    kind: RevisionKind
    """initial, update, or retraction: what was said is not true."""
    type: str
    """What happened, for example ended_before_landing."""
    state: IncidentState
    """open, closed (see close_reason) or retracted."""
    severity: Severity
    highest_severity: Severity
    """The highest that any revision had."""
    subject: str
    """The vehicle, or the link where the alert is about the link itself."""
    vehicle: str
    link: str
    flight: str
    """Number or name of the flight; empty where there is none."""
    run: str
    """Empty when live."""
    origin: OriginKind
    """live, replay or test: whether this is happening, or is told again."""
    mission: str
    starts_at: str
    """When what the alert is about began: for a silence, its last good frame."""
    raised_at: str
    """When the rule became true."""
    ended_at: str | None
    close_reason: str | None
    confirmed: bool
    known_at: str
    """Up to when the relay was known to have listened as this revision was made."""
    statement: str
    """One sentence in plain words."""
    known: tuple[str, ...]
    """Seen in frames, or said by the plan."""
    inferred: tuple[str, ...]
    """Predicted from what was seen."""
    not_known: tuple[str, ...]
    what_next: tuple[str, ...]
    """What is to be expected, as of this revision."""
    evidence: Mapping[str, Any]
    """The figures behind the words; which there are depends on the type."""
    episodes: tuple[Episode, ...]
    made_from: str
    """The record that led to this revision: topic/partition@offset."""
    changed: tuple[str, ...] = ()
    """Names of the fields above that differ from the revision before."""
    people: Mapping[str, Any] = field(default_factory=dict)
    """Who acknowledged or shelved it, when and why."""

    @property
    def id(self) -> str:
        """Of this revision: what a subscriber sees twice is the same."""
        return f"{self.incident_id}/{self.revision}"


_WORDS: Final = {
    "kind": get_args(RevisionKind),
    "state": get_args(IncidentState),
    "severity": get_args(Severity),
    "highest_severity": get_args(Severity),
    "origin": get_args(OriginKind),
}
_OPTIONAL: Final = ("ended_at", "close_reason")
_LISTS: Final = ("known", "inferred", "not_known", "what_next", "changed")
_TIMES: Final = ("starts_at", "raised_at", "ended_at", "known_at")
_TIME: Final = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_STEP: Final[Mapping[str, tuple[type, ...]]] = {
    "what": (str,), "id": (str,), "by": (str,), "why": (str,), "refused": (str, type(None)),
}  # fmt: skip
"""The texts of each step of `people["history"]`."""
_TYPES: Final[Mapping[str, type]] = {"revision": int, "confirmed": bool, "evidence": dict}


def read_alert(value: bytes) -> Alert:
    """The alert in a value of the alert topic. Raises RecordError "undecodable", naming what is wrong with it."""
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as fault:
        raise RecordError("undecodable", f"alert of {len(value)} octets is not JSON: {fault}") from None
    if not isinstance(body, dict):
        raise RecordError("undecodable", f"alert is a JSON {type(body).__name__}; an object is expected")
    try:
        return alert_of(body)
    except RecursionError:
        # Of a value a thousand deep Python cannot even say what it is.
        raise RecordError("undecodable", f"alert of {len(value)} octets is nested too deep to be one of ours") from None


def alert_of(body: Mapping[str, Any]) -> Alert:
    """The alert in a body (`Revision.body`). A field that is not known here is passed over: a later version wrote it.

    Raises RecordError as `read_alert` does.
    """
    values: dict[str, Any] = {}
    for one in fields(Alert):
        if one.name in body:
            values[one.name] = _read(one.name, body[one.name])
        elif one.default is MISSING and one.default_factory is MISSING:
            raise RecordError("undecodable", f"alert has no {one.name}")
    return Alert(**values)


def _read(name: str, value: object) -> Any:
    if name == "episodes" and isinstance(value, list | tuple):
        return tuple(_episode(one) for one in value)
    if name in _LISTS:
        if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            return tuple(value)
    elif name in _WORDS:
        if value in _WORDS[name]:
            return value
    elif name in _TIMES:
        if _is_time(value) or (value is None and name in _OPTIONAL):
            return value
    elif name == "people":
        if isinstance(value, dict) and _is_history(value.get("history", [])):
            return value
    elif type(value) is _TYPES.get(name, str) or (value is None and name in _OPTIONAL):
        return value
    raise RecordError("undecodable", f"alert: {name} = {value!r:.60} is not expected")


def _episode(value: object) -> Episode:
    if isinstance(value, Mapping):
        raised_at, ended_at = value.get("raised_at"), value.get("ended_at")
        if _is_time(raised_at) and (ended_at is None or _is_time(ended_at)):
            return Episode(raised_at=raised_at, ended_at=ended_at)
    raise RecordError("undecodable", f"alert: episode {value!r:.60} is not expected")


def _is_time(value: object) -> TypeGuard[str]:
    """Whether it is a time as this program writes it: RFC 3339 in UTC."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        dt.datetime.fromisoformat(value[:19])
    except ValueError:
        return False
    return True


def _is_history(value: object) -> bool:
    if not isinstance(value, list | tuple):
        return False
    return all(
        isinstance(step, dict)
        and all(isinstance(step.get(name), kinds) for name, kinds in _STEP.items())
        and _is_time(step.get("at"))
        and (step.get("until") is None or _is_time(step["until"]))
        for step in value
    )
