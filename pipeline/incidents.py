"""The difference of two verdicts: which revisions go out. The verdict says what is true; this says what is news."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from pipeline.outputs import IncidentState, Revision, RevisionKind
from pipeline.records import SECOND, Origin, Run
from pipeline.verdicts.incident import Incident

NEWS_AFTER: Final = 10 * SECOND
"""A change of anything but state, severity, reason or `confirmed` waits at most this long, on either clock."""
STANDS_AFTER: Final = 3 * SECOND
"""A change of state is news at once where the state before it stood for so long; flaps wait until one stands."""


class Moment(NamedTuple):
    """When a verdict was taken, by the records alone."""

    relay: int
    earth: int
    session_over: bool
    """Every record of its session is here, whichever came last: what waited is published now."""
    late: bool
    """The record brought frames of a time that was already listened through: more of them may be on their way."""
    made_from: Origin

    def since(self, earlier: tuple[int, int]) -> int:
        """Nanoseconds since an earlier (relay, earth), on the clock that went further."""
        return max(self.relay - earlier[0], self.earth - earlier[1])

    @property
    def clocks(self) -> tuple[int, int]:
        return self.relay, self.earth


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was last said of one incident, and since when something else would be true. Pairs are (relay, earth)."""

    incident: Incident
    revision: int
    state: IncidentState
    close_reason: str | None
    judged: IncidentState
    """What the verdict last said of its state, published or not."""
    judged_since: tuple[int, int]
    waiting_since: tuple[int, int] | None = None
    """Since when the verdict differs from what was published."""


def revise(
    published: Mapping[str, Published], verdict: Iterable[Incident], moment: Moment, run: Run, mission: str
) -> tuple[dict[str, Published], list[Revision]]:
    """The entries of `published` that change, and the revisions that go out, in order of incident id."""
    current = {incident.id(run.id): incident for incident in verdict}
    entries: dict[str, Published] = {}
    revisions: list[Revision] = []
    for name in sorted(current.keys() | published.keys()):
        before = published.get(name)
        after = _withdrawn(before, current) if before and name not in current else _shown(before, current[name], moment)
        if before is None:
            entries[name] = after
            revisions.append(_revision(name, None, after, moment, run, mission))
            continue
        stands = moment.since(before.judged_since) >= STANDS_AFTER
        if after.state != before.judged:
            before = replace(before, judged=after.state, judged_since=moment.clocks)
        if _same(before, after):
            before = replace(before, waiting_since=None)
        elif _is_news(before, after, moment, stands):
            before = replace(after, judged=after.state, judged_since=before.judged_since, waiting_since=None)
            revisions.append(_revision(name, published[name], after, moment, run, mission))
        elif before.waiting_since is None:
            before = replace(before, waiting_since=moment.clocks)
        if before != published[name]:
            entries[name] = before
    return entries, revisions


def _shown(before: Published | None, incident: Incident, moment: Moment) -> Published:
    state: IncidentState = "open" if incident.ended_at is None else "closed"
    return Published(
        incident=incident,
        revision=1 if before is None else before.revision + 1,
        state=state,
        close_reason=incident.close_reason,
        judged=state,
        judged_since=moment.clocks,
    )


def _withdrawn(before: Published, current: Mapping[str, Incident]) -> Published:
    """What was said and is not true any more: retracted, or told under another flight's name."""
    if before.state == "retracted" or before.close_reason == "superseded":
        return before
    was = before.incident
    renamed = any(
        other.type == was.type and other.subject == was.subject and other.starts_at == was.starts_at
        for other in current.values()
    )
    return replace(
        before,
        revision=before.revision + 1,
        state="closed" if renamed else "retracted",
        close_reason="superseded" if renamed else "frames_were_late",
    )


def _same(before: Published, after: Published) -> bool:
    return (before.incident, before.state, before.close_reason) == (after.incident, after.state, after.close_reason)


def _is_news(before: Published, after: Published, moment: Moment, stands: bool) -> bool:
    if moment.session_over:
        return True
    if not stands:
        return False
    if before.state != after.state:
        return True
    told = (before.incident.severity, before.close_reason, before.incident.confirmed)
    if told != (after.incident.severity, after.close_reason, after.incident.confirmed) and not moment.late:
        return True
    return before.waiting_since is not None and moment.since(before.waiting_since) >= NEWS_AFTER


_COMPARED: Final = (
    "severity", "episodes", "starts_at", "close_reason", "confirmed", "statement", "known", "inferred", "not_known",
)  # fmt: skip


def _revision(
    name: str, before: Published | None, after: Published, moment: Moment, run: Run, mission: str
) -> Revision:
    incident = after.incident
    kind: RevisionKind = "initial" if before is None else "retraction" if after.state == "retracted" else "update"
    changed: list[str] = []
    if before is not None:
        changed = [part for part in _COMPARED if getattr(before.incident, part) != getattr(incident, part)]
        if before.state != after.state:
            changed.insert(0, "state")
    return Revision(
        incident_id=name, revision=after.revision, kind=kind, type=incident.type, state=after.state,
        severity=incident.severity, highest_severity=incident.highest_severity, subject=incident.subject,
        vehicle=incident.vehicle, link=incident.link, flight=incident.flight, run=run.id, origin=run.origin,
        mission=mission, starts_at=incident.starts_at, raised_at=incident.raised_at,
        ended_at=moment.relay if after.state != "open" and incident.ended_at is None else incident.ended_at,
        close_reason=after.close_reason, confirmed=incident.confirmed, known_at=moment.relay,
        statement=incident.statement, known=incident.known, inferred=incident.inferred, not_known=incident.not_known,
        evidence=incident.evidence, episodes=incident.episodes, made_from=moment.made_from, changed=tuple(changed),
    )  # fmt: skip


def store(published: Published) -> dict[str, Any]:
    """As JSON, for the state's storage."""
    body = {name: getattr(published, name) for name in Published.__dataclass_fields__ if name != "incident"}
    body["incident"] = {name: getattr(published.incident, name) for name in Incident.__dataclass_fields__}
    return body


def restore(body: Mapping[str, Any]) -> Published:
    """The inverse of `store`, after JSON."""
    parts = dict(body["incident"])
    for name in ("known", "inferred", "not_known"):
        parts[name] = tuple(parts[name])
    parts["episodes"] = tuple((raised, ended) for raised, ended in parts["episodes"])
    rest = {name: value for name, value in body.items() if name != "incident"}
    for name in ("judged_since", "waiting_since"):
        rest[name] = None if rest[name] is None else tuple(rest[name])
    return Published(incident=Incident(**parts), **rest)
