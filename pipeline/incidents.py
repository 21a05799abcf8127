"""The difference of two verdicts: which revisions go out. The verdict says what is true, people what they do with it;
this says what is news."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple

from pipeline.lifecycle import UNRAISED, Change, Event, Life
from pipeline.mission.model import Plan
from pipeline.outputs import IncidentState, Revision, RevisionKind, rfc3339
from pipeline.people import Asked, facts_of, live
from pipeline.records import SECOND, Origin, Run
from pipeline.verdicts.incident import Incident

NEWS_AFTER: Final = 10 * SECOND
"""A change of anything but state, severity, reason or `confirmed` waits at most this long, on either clock."""
STANDS_AFTER: Final = 3 * SECOND
"""A change of state is news at once where the state before it stood for so long; flaps wait until one stands."""
HISTORY_SHOWN: Final = 20
"""The newest steps of people that a revision carries."""


class Moment(NamedTuple):
    """When a verdict was taken, by the records alone."""

    relay: int
    earth: int
    session_over: bool
    """Every record of its session is here, whichever came last: what waited is published now."""
    late: bool
    """The record brought frames of a time that was already listened through: more of them may be on their way."""
    made_from: Origin
    final_before: int
    """What was closed before this instant on the relay's clock stays as it was told."""

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
    life: Life = UNRAISED
    """Where it stands with people."""
    asked: int = 0
    """How many commands have been told of."""
    withdrawn_at: int | None = None
    """Retracted or superseded: at this relay time."""

    @property
    def known_at(self) -> int:
        """The latest instant on the relay's clock that a reader of it knows of."""
        instants = [at for episode in self.incident.episodes for at in episode]
        return max(at for at in (*instants, self.withdrawn_at) if at is not None)


def revise(
    published: Mapping[str, Published], verdict: Iterable[Incident], moment: Moment, run: Run, mission: str,
    asked: Mapping[str, Sequence[Asked]] | None = None, plan: Plan | None = None,
) -> tuple[dict[str, Published], list[Revision]]:  # fmt: skip
    """The entries of `published` that change, and the revisions that go out, in order of incident id. `asked`: what
    people asked for, by incident id."""
    current = {incident.id(run.id): incident for incident in verdict}
    entries: dict[str, Published] = {}
    revisions: list[Revision] = []
    for name in sorted(current.keys() | published.keys()):
        before = published.get(name)
        commands = (asked or {}).get(name, ())
        if before and not commands and _rests(before, current.get(name)):
            continue
        if before and _is_final(before, moment):
            after = _shown(before, before.incident, moment)
        elif before and name not in current:
            after = _withdrawn(before, current, moment, commands)
        else:
            after = _shown(before, current[name], moment)
        after, history = _with_people(before, after, moment, commands, plan or Plan())
        if before is None:
            entries[name] = after
            revisions.append(_revision(name, None, after, moment, run, mission, history))
            continue
        stands = moment.since(before.judged_since) >= STANDS_AFTER
        if after.state != before.judged:
            before = replace(before, judged=after.state, judged_since=moment.clocks)
        if _same(before, after):
            before = replace(before, waiting_since=None)
        elif _is_news(before, after, moment, stands):
            before = replace(after, judged=after.state, judged_since=before.judged_since, waiting_since=None)
            revisions.append(_revision(name, published[name], after, moment, run, mission, history))
        elif before.waiting_since is None:
            before = replace(before, waiting_since=moment.clocks)
        if before != published[name]:
            entries[name] = before
    return entries, revisions


def _rests(before: Published, incident: Incident | None) -> bool:
    """Whether nothing is to be said or remembered: the verdict says what was published, and nobody asks for more."""
    if before.waiting_since is not None or before.asked or before.state != before.judged:
        return False
    if incident is None or before.withdrawn_at is not None:
        return incident is None and before.withdrawn_at is not None
    state = "open" if incident.ended_at is None else "closed"
    return (
        state == before.state
        and incident.close_reason == before.close_reason
        and (incident is before.incident or incident == before.incident)
    )


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


def _is_final(before: Published, moment: Moment) -> bool:
    """Closed so long ago that late data no longer amend it; people still can acknowledge it."""
    ended_at = before.incident.ended_at
    return before.withdrawn_at is None and ended_at is not None and ended_at < moment.final_before


def _withdrawn(
    before: Published, current: Mapping[str, Incident], moment: Moment, commands: Sequence[Asked]
) -> Published:
    """What was said and is not true any more: retracted, or told under another flight's name."""
    if before.withdrawn_at is not None:
        return replace(before, revision=before.revision + 1)
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
        # What was asked for until now was asked of an incident that stood.
        withdrawn_at=max(moment.relay, before.known_at, *(one.known_at for one in commands)) + 1,
    )


def _with_people(
    before: Published | None, after: Published, moment: Moment, commands: Sequence[Asked], plan: Plan
) -> tuple[Published, tuple[Change, ...]]:
    """The same with its life in it, and the history of that life."""
    if before is not None and not commands and (before.incident, before.state) == (after.incident, after.state):
        return replace(after, life=before.life), ()
    life, history = live(_facts(after, plan, whole=bool(commands)), commands, moment.relay)
    if life.state == "closed_by_operator":
        after = replace(after, state="closed", judged="closed", close_reason="operator")
    return replace(after, life=life, asked=len(commands)), history


def _facts(published: Published, plan: Plan, *, whole: bool) -> list[Event]:
    """Where nobody asked for anything the last episode tells where it stands."""
    incident = published.incident
    name = incident.evidence.get("expected_by_plan")
    entry = next((one for one in plan.expected_losses if one.name == name), None)
    outlasted = entry is not None and incident.severity != "notice"
    facts = facts_of(
        incident.episodes if whole else incident.episodes[-1:],
        expected=name is not None, overrun_at=entry.ends_at if entry is not None and outlasted else None,
    )  # fmt: skip
    if published.withdrawn_at is not None:
        kind: Any = "superseded" if published.close_reason == "superseded" else "withdrawn"
        facts.append(Event(kind=kind, at=published.withdrawn_at))
    return facts


def _same(before: Published, after: Published) -> bool:
    return _compared(before) == _compared(after)


def _compared(one: Published) -> tuple[object, ...]:
    return one.incident, one.state, one.close_reason, one.life, one.asked


def _is_news(before: Published, after: Published, moment: Moment, stands: bool) -> bool:
    if moment.session_over or _by_people(before, after):
        return True
    if not stands:
        return False
    if before.state != after.state:
        return True
    told = (before.incident.severity, before.close_reason, before.incident.confirmed)
    if told != (after.incident.severity, after.close_reason, after.incident.confirmed) and not moment.late:
        return True
    return before.waiting_since is not None and moment.since(before.waiting_since) >= NEWS_AFTER


def _by_people(before: Published, after: Published) -> bool:
    """Somebody asked for something, or what was put aside comes back."""
    return before.asked != after.asked or (before.life.state == "shelved" != after.life.state)


_COMPARED: Final = (
    "severity", "episodes", "starts_at", "confirmed", "statement", "known", "inferred", "not_known",
)  # fmt: skip


def _revision(
    name: str, before: Published | None, after: Published, moment: Moment, run: Run, mission: str,
    history: Sequence[Change],
) -> Revision:  # fmt: skip
    incident = after.incident
    kind: RevisionKind = "initial" if before is None else "retraction" if after.state == "retracted" else "update"
    changed: list[str] = []
    if before is not None:
        changed = [part for part in _COMPARED if getattr(before.incident, part) != getattr(incident, part)]
        if before.close_reason != after.close_reason:
            changed.append("close_reason")
        if before.state != after.state:
            changed.insert(0, "state")
        if (before.life, before.asked) != (after.life, after.asked):
            changed.append("people")
    return Revision(
        incident_id=name, revision=after.revision, kind=kind, type=incident.type, state=after.state,
        severity=incident.severity, highest_severity=incident.highest_severity, subject=incident.subject,
        vehicle=incident.vehicle, link=incident.link, flight=incident.flight, run=run.id, origin=run.origin,
        mission=mission, starts_at=incident.starts_at, raised_at=incident.raised_at,
        ended_at=_ended_at(after, moment),
        close_reason=after.close_reason, confirmed=incident.confirmed, known_at=moment.relay,
        statement=incident.statement, known=incident.known, inferred=incident.inferred, not_known=incident.not_known,
        what_next=incident.what_next,
        evidence=incident.evidence, episodes=incident.episodes, made_from=moment.made_from, changed=tuple(changed),
        people=_people(after.life, history),
    )  # fmt: skip


def _ended_at(after: Published, moment: Moment) -> int | None:
    if after.state == "closed" and after.life.closed_at is not None:
        return after.life.closed_at
    return moment.relay if after.state != "open" and after.incident.ended_at is None else after.incident.ended_at


def _people(life: Life, history: Sequence[Change]) -> dict[str, Any]:
    return {
        "state": life.state, "shelved_until": rfc3339(life.shelved_until),
        "history": [change.body() for change in history[-HISTORY_SHOWN:]],
        "earlier": max(0, len(history) - HISTORY_SHOWN),
    }  # fmt: skip


def store(published: Published) -> dict[str, Any]:
    """As JSON, for the state's storage."""
    body = {name: getattr(published, name) for name in Published.__dataclass_fields__ if name != "incident"}
    body["life"] = asdict(published.life)
    body["incident"] = {name: getattr(published.incident, name) for name in Incident.__dataclass_fields__}
    return body


def restore(body: Mapping[str, Any]) -> Published:
    """The inverse of `store`, after JSON."""
    parts = dict(body["incident"])
    for name in ("known", "inferred", "not_known", "what_next"):
        parts[name] = tuple(parts[name])
    parts["episodes"] = tuple((raised, ended) for raised, ended in parts["episodes"])
    rest = {name: value for name, value in body.items() if name != "incident"}
    for name in ("judged_since", "waiting_since"):
        rest[name] = None if rest[name] is None else tuple(rest[name])
    rest["life"] = Life(**rest["life"])
    return Published(incident=Incident(**parts), **rest)
