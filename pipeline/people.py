"""What people asked for, as evidence: a set of commands that only grows, folded anew each time in the order in which
they were given. So neither the order in which they came nor how often changes what comes of them. Knows the life of an
incident and the plan; knows no rule and no topic."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final, NamedTuple

from pipeline.commands import (
    Command,
    Given,
    IncidentCommand,
    PlanCommand,
    RemoveEntry,
    SetExpectedLoss,
    SetWindow,
    Shelve,
    body_of,
    kind_of,
    order_of,
    read_command,
)
from pipeline.lifecycle import OLDER, PASSED, UNRAISED, Change, Event, Life, LifeEvent, step
from pipeline.mission.model import ExpectedLoss, Plan, Window
from pipeline.mission.plan import MAX_ENTRIES, Calendar, overlap

MAX_OF_AN_INCIDENT: Final = 100
"""Commands on one incident: all stand in its history, which every revision holds."""
MAX_OF_THE_PLAN: Final = 2_000
"""Changes of the plan in one run."""


class Asked(NamedTuple):
    """A command, and up to when its giver can have known the relay's time."""

    command: IncidentCommand
    known_at: int
    """Relay receive time: the watermark, or the latest that was said of the incident, when the command came in."""


class People:
    """All that was asked for of one vehicle, and of the plan."""

    def __init__(self) -> None:
        self.asked: dict[str, list[Asked]] = {}
        """Incident id → commands."""
        self.plan_commands: list[tuple[Any, PlanCommand]] = []
        """In the order in which they were given, each behind what orders it."""
        self._entries: _Entries | None = None
        """A plan in which the first of them are followed."""
        self._stored: dict[str, tuple[Command, int]] = {}
        """Name of the storage chunk → what stands in it."""
        self._known: set[Command] = set()

    def has_no_room(self, command: Command) -> str | None:
        """Why one more cannot be kept; None where it can. All are kept, stored and folded for as long as the run."""
        if command in self._known:
            return None
        if isinstance(command, IncidentCommand) and len(self.asked.get(command.incident_id, ())) >= MAX_OF_AN_INCIDENT:
            return f"{MAX_OF_AN_INCIDENT} commands on this incident are kept already, and no more are taken"
        if isinstance(command, PlanCommand) and len(self.plan_commands) >= MAX_OF_THE_PLAN:
            return (
                f"{MAX_OF_THE_PLAN} changes of the plan are kept already, and no more are taken: write the plan into "
                "the mission file, and start the workers in another namespace"
            )
        return None

    def take(self, given: Given, known_at: int) -> str | None:
        """The storage chunk that this command makes; None where it is known already, by whatever record it came."""
        if given.command in self._known:
            return None
        name = f"command/{given.origin}"
        self._take(name, given.command, known_at)
        return name

    def _take(self, name: str, command: Command, known_at: int) -> None:
        self._known.add(command)
        self._stored[name] = command, known_at
        if isinstance(command, IncidentCommand):
            self.asked.setdefault(command.incident_id, []).append(Asked(command, known_at))
        elif isinstance(command, PlanCommand):
            insort(self.plan_commands, (order_of(command), command), key=itemgetter(0))
            if self.plan_commands[-1][1] is not command:
                self._entries = None  # what was followed already was given after it

    def dump(self, name: str) -> Any:
        """What is stored under a chunk's name, as JSON."""
        command, known_at = self._stored[name]
        return {"id": command.id, "command": body_of(command), "known_at": known_at}

    def load(self, name: str, value: Mapping[str, Any]) -> None:
        """The inverse of `dump`."""
        self._take(name, read_command(value["command"], value["id"]), value["known_at"])

    def plan(self, plan: Plan) -> tuple[Plan, dict[PlanCommand, str]]:
        """The plan as people have changed it, and the commands that it cannot follow, each with the reason. Of two
        that speak of one entry the one that was given later counts."""
        if self._entries is None or self._entries.base is not plan:
            self._entries = _Entries(plan)
        for _, command in self.plan_commands[self._entries.followed :]:
            self._entries.follow(command)
        return self._entries.plan(), self._entries.refused


class _Entries:
    """A plan while it is changed, by name."""

    def __init__(self, plan: Plan) -> None:
        self.base = plan
        self.followed = 0
        """Commands."""
        self.refused: dict[PlanCommand, str] = {}
        """Those that could not be followed, each with the reason."""
        self.windows: dict[str, Window] = {}
        self.calendars: defaultdict[tuple[str, str], Calendar] = defaultdict(Calendar)
        """(vehicle, link) → its windows."""
        for window in plan.windows:
            self._set(window)
        self.losses: dict[str, ExpectedLoss] = {one.name: one for one in plan.expected_losses}

    def plan(self) -> Plan:
        return replace(self.base, windows=tuple(self.windows.values()), expected_losses=tuple(self.losses.values()))

    def _set(self, window: Window) -> None:
        self._remove(window.name)
        self.windows[window.name] = window
        self.calendars[window.vehicle, window.link].add(window)

    def _remove(self, name: str) -> None:
        window = self.windows.get(name)
        if window is not None:
            self.calendars[window.vehicle, window.link].remove(window)

    def follow(self, command: PlanCommand) -> None:
        """The next command in the order in which they were given."""
        self.followed += 1
        objection = self._follow(command)
        if objection is not None:
            self.refused[command] = objection

    def _follow(self, command: PlanCommand) -> str | None:
        """Why it cannot be followed; None where it was."""
        name = command.name
        is_window = isinstance(command, SetWindow) or (isinstance(command, RemoveEntry) and command.entry == "window")
        word = "window" if is_window else "expected loss"
        there: Window | ExpectedLoss | None = self.windows.get(name) if is_window else self.losses.get(name)
        if there is not None and there.vehicle != command.vehicle:
            return f"{word} {name!r} is one of vehicle {there.vehicle!r}"
        if isinstance(command, RemoveEntry):
            if there is None:
                return f"the plan has no {word} {name!r}"
            if is_window:
                self._remove(name)
            del (self.windows if is_window else self.losses)[name]
        elif there is None and len(self.windows if is_window else self.losses) >= MAX_ENTRIES:
            return f"the plan has {MAX_ENTRIES} entries of its kind already, and takes no more"
        elif isinstance(command, SetWindow):
            other = self.calendars[command.window.vehicle, command.window.link].overlapped(command.window)
            if other is not None:
                return overlap(command.window, other)
            self._set(command.window)
        elif isinstance(command, SetExpectedLoss):
            self.losses[name] = command.expected_loss
        return None


def facts_of(
    episodes: Sequence[tuple[int, int | None]], *, expected: bool = False, overrun_at: int | None = None
) -> list[Event]:
    """What the verdict says of an incident, as events in order. `expected`: an entry of the plan predicts the last
    episode; `overrun_at`: when that entry's time was over, where the episode outlasted it."""
    events: list[Event] = []
    for place, (raised_at, ended_at) in enumerate(episodes):
        is_last = place == len(episodes) - 1
        events.append(Event(kind="raised_as_expected" if expected and is_last else "raised", at=raised_at))
        if is_last and overrun_at is not None:
            events.append(Event(kind="overrun", at=overrun_at))
        if ended_at is not None:
            events.append(Event(kind="ended", at=ended_at))
    return list(_ascending(events))


def _ascending(events: Iterable[Event]) -> Iterator[Event]:
    """An outage can end on another clock than it began on: the order is that of the story."""
    reached = -(1 << 63)
    for event in events:
        reached = max(reached, event.at)
        yield Event(kind=event.kind, at=reached)


def live(facts: Sequence[Event], asked: Iterable[Asked], watermark: int) -> tuple[Life, tuple[Change, ...]]:
    """The life of an incident up to the watermark: where it stands, and its history.

    Commands are followed in the order in which they were given, each after what was known when it came in. Nobody
    acts on less than a command before his was based on, so that moment does not go back.
    """
    fold = _Fold(list(facts))
    for one in sorted(asked, key=lambda each: (order_of(each.command), each.known_at)):
        fold.follow(one)
    fold.reach(max(watermark, fold.facts[-1].at if fold.facts else watermark))
    return fold.life, tuple(fold.history)


class _Fold:
    def __init__(self, facts: list[Event]) -> None:
        self.facts = facts
        self.life: Life = UNRAISED
        self.history: list[Change] = []
        self.moment = -(1 << 63)
        self.raised_at = self.moment

    def follow(self, asked: Asked) -> None:
        command = asked.command
        self.reach(max(self.moment, asked.known_at))
        kind: LifeEvent = kind_of(command)  # type: ignore[assignment]  # incidents' commands are events
        objection = None
        if asked.known_at < self.raised_at:
            objection = OLDER
        elif isinstance(command, Shelve) and command.until <= self.moment:
            objection = PASSED
        self.take(Event(kind=kind, at=self.moment, command=command, objection=objection))

    def reach(self, moment: int) -> None:
        """Everything that happens up to this moment."""
        while self.facts and self.facts[0].at <= moment:
            fact = self.facts.pop(0)
            self.end_shelf(fact.at)
            self.take(fact)
            if fact.kind in ("raised", "raised_as_expected"):
                self.raised_at = fact.at
        self.moment = moment
        self.end_shelf(moment)

    def end_shelf(self, moment: int) -> None:
        until = self.life.shelved_until
        if until is not None and until <= moment:
            self.take(Event(kind="shelf_over", at=until))

    def take(self, event: Event) -> None:
        self.life, changes = step(self.life, event)
        self.history += changes
