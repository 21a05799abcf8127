"""The life of an incident: one table of states and events, and the step that reads it. The words are those of ISA-18.2,
with "closed" for a return to normal. Knows no rule and no topic, and neither who may ask for what nor when."""

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, get_args

from pipeline.commands import IncidentCommand, Shelve
from pipeline.outputs import rfc3339

LifeState = Literal[
    "not_raised",
    "unacknowledged",
    "acknowledged",
    "shelved",
    "suppressed_by_design",
    "closed_unacknowledged",
    "closed",
    "closed_by_operator",
    "retracted",
]
LifeEvent = Literal[
    # what the verdict says
    "raised",
    "raised_as_expected",
    "overrun",
    "ended",
    "withdrawn",
    "superseded",
    # what the relay's clock says
    "shelf_over",
    # what people ask for
    "acknowledge",
    "shelve",
    "unshelve",
    "close",
]
STATES: Final[tuple[LifeState, ...]] = get_args(LifeState)
EVENTS: Final[tuple[LifeEvent, ...]] = get_args(LifeEvent)


class Refused(NamedTuple):
    """A step that people may ask for and that is not made."""

    why: str


CANNOT_HAPPEN: Final = None
Next = LifeState | Refused | None

_NOT_SHELVED: Final = Refused("it is not shelved")
_NOT_THERE: Final = Refused("the evidence now has it raised after this command")
_HAS_ENDED: Final = Refused("the evidence has closed it already")
_WAS_CLOSED: Final = Refused("a person has closed it already")
_WAS_RETRACTED: Final = Refused("it is retracted: what it said never was")
OLDER: Final = Refused("it was given before the episode that is open now was raised")
PASSED: Final = Refused("the relay's clock has passed `until` already")

TABLE: Final[dict[LifeState, dict[LifeEvent, Next]]] = {
    "not_raised": {
        "raised": "unacknowledged", "raised_as_expected": "suppressed_by_design", "overrun": CANNOT_HAPPEN,
        "ended": CANNOT_HAPPEN, "withdrawn": CANNOT_HAPPEN, "superseded": CANNOT_HAPPEN, "shelf_over": CANNOT_HAPPEN,
        "acknowledge": _NOT_THERE, "shelve": _NOT_THERE, "unshelve": _NOT_THERE, "close": _NOT_THERE,
    },
    "unacknowledged": {
        "raised": CANNOT_HAPPEN, "raised_as_expected": CANNOT_HAPPEN, "overrun": "unacknowledged",
        "ended": "closed_unacknowledged", "withdrawn": "retracted", "superseded": "closed",
        "shelf_over": CANNOT_HAPPEN,
        "acknowledge": "acknowledged", "shelve": "shelved", "unshelve": _NOT_SHELVED, "close": "closed_by_operator",
    },
    # What comes out of what was expected is looked at again.
    "acknowledged": {
        "raised": CANNOT_HAPPEN, "raised_as_expected": CANNOT_HAPPEN, "overrun": "unacknowledged",
        "ended": "closed", "withdrawn": "retracted", "superseded": "closed", "shelf_over": CANNOT_HAPPEN,
        "acknowledge": Refused("it is acknowledged already"), "shelve": "shelved", "unshelve": _NOT_SHELVED,
        "close": "closed_by_operator",
    },
    "shelved": {
        "raised": CANNOT_HAPPEN, "raised_as_expected": CANNOT_HAPPEN, "overrun": "shelved",
        "ended": "closed", "withdrawn": "retracted", "superseded": "closed", "shelf_over": "unacknowledged",
        "acknowledge": Refused("it is shelved: un-shelve it first"), "shelve": "shelved",
        "unshelve": "unacknowledged", "close": "closed_by_operator",
    },
    # An entry of the plan predicts it: it is published like any other, and asks nobody to act.
    "suppressed_by_design": {
        "raised": CANNOT_HAPPEN, "raised_as_expected": CANNOT_HAPPEN, "overrun": "unacknowledged",
        "ended": "closed", "withdrawn": "retracted", "superseded": "closed", "shelf_over": CANNOT_HAPPEN,
        "acknowledge": "acknowledged", "shelve": "shelved", "unshelve": _NOT_SHELVED, "close": "closed_by_operator",
    },
    "closed_unacknowledged": {
        "raised": "unacknowledged", "raised_as_expected": "suppressed_by_design", "overrun": CANNOT_HAPPEN,
        "ended": CANNOT_HAPPEN, "withdrawn": "retracted", "superseded": "closed", "shelf_over": CANNOT_HAPPEN,
        "acknowledge": "closed", "shelve": _HAS_ENDED, "unshelve": _NOT_SHELVED, "close": _HAS_ENDED,
    },
    "closed": {
        "raised": "unacknowledged", "raised_as_expected": "suppressed_by_design", "overrun": CANNOT_HAPPEN,
        "ended": CANNOT_HAPPEN, "withdrawn": "retracted", "superseded": "closed", "shelf_over": CANNOT_HAPPEN,
        "acknowledge": _HAS_ENDED, "shelve": _HAS_ENDED, "unshelve": _NOT_SHELVED, "close": _HAS_ENDED,
    },
    # Latched: only a new episode opens it again.
    "closed_by_operator": {
        "raised": "unacknowledged", "raised_as_expected": "suppressed_by_design", "overrun": "closed_by_operator",
        "ended": "closed_by_operator", "withdrawn": "retracted", "superseded": "closed", "shelf_over": CANNOT_HAPPEN,
        "acknowledge": _WAS_CLOSED, "shelve": _WAS_CLOSED, "unshelve": _NOT_SHELVED, "close": _WAS_CLOSED,
    },
    # Where the verdict has it again, its life is folded anew, without the withdrawal.
    "retracted": {
        "raised": CANNOT_HAPPEN, "raised_as_expected": CANNOT_HAPPEN, "overrun": CANNOT_HAPPEN,
        "ended": CANNOT_HAPPEN, "withdrawn": CANNOT_HAPPEN, "superseded": CANNOT_HAPPEN, "shelf_over": CANNOT_HAPPEN,
        "acknowledge": _WAS_RETRACTED, "shelve": _WAS_RETRACTED, "unshelve": _WAS_RETRACTED, "close": _WAS_RETRACTED,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    kind: LifeEvent
    at: int
    """Relay receive time."""
    command: IncidentCommand | None = None
    objection: Refused | None = None
    """Why the command is refused whatever the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Where an incident stands."""

    state: LifeState = "not_raised"
    shelved_until: int | None = None
    closed_at: int | None = None
    """By a person: relay receive time known then."""


UNRAISED: Final = Life()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is kept of one step: who asked for it, and what came of it."""

    event: LifeEvent
    at: int
    """Relay receive time."""
    state: LifeState
    """After it."""
    command: IncidentCommand | None = None
    refused: str | None = None

    def body(self) -> dict[str, Any]:
        """As JSON. `by` is empty where the relay's clock did it."""
        given = self.command
        body: dict[str, Any] = {
            "what": self.event, "id": given.id if given else "", "by": given.by if given else "",
            "why": given.why if given else "", "at": rfc3339(given.at if given else self.at), "state": self.state,
            "refused": self.refused,
        }  # fmt: skip
        return body | ({"until": rfc3339(given.until)} if isinstance(given, Shelve) else {})


def step(life: Life, event: Event) -> tuple[Life, tuple[Change, ...]]:
    """Where the incident stands after the event, and what is to be kept of it: what people asked for, followed or
    refused, and the end of a shelf. What the verdict says is kept in the incident itself."""
    after = event.objection or TABLE[life.state][event.kind]
    command = event.command
    if after is CANNOT_HAPPEN:
        raise AssertionError(f"an incident that is {life.state} cannot be {event.kind}")
    if isinstance(after, Refused):
        return life, (Change(event=event.kind, at=event.at, state=life.state, command=command, refused=after.why),)
    until = command.until if isinstance(command, Shelve) else life.shelved_until
    closed_at = event.at if event.kind == "close" else life.closed_at
    stands = Life(
        state=after, shelved_until=until if after == "shelved" else None,
        closed_at=closed_at if after == "closed_by_operator" else None,
    )  # fmt: skip
    kept = command is not None or event.kind == "shelf_over"
    return stands, (Change(event=event.kind, at=event.at, state=after, command=command),) if kept else ()


def diagram() -> str:
    """The table as a mermaid state diagram: what is refused, cannot happen, or leaves things as they are is not
    drawn."""
    lines = ["stateDiagram-v2", "    [*] --> not_raised"]
    for state in STATES:
        ways: dict[str, list[LifeEvent]] = {}
        for event in EVENTS:
            after = TABLE[state][event]
            if isinstance(after, str) and after != state:
                ways.setdefault(after, []).append(event)
        lines += [f"    {state} --> {after}: {', '.join(events)}" for after, events in ways.items()]
    return "\n".join(lines) + "\n"
