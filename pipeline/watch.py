"""watch: telemetry of one vehicle → evidence → verdict → what is news; and what people ask for. Knows no frame, no
topic and no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from pipeline.commands import Given, IncidentCommand, PlanCommand, kind_of
from pipeline.evidence.stored import dump, load
from pipeline.evidence.summary import Evidence
from pipeline.incidents import Moment, Published, restore, revise, store
from pipeline.mission.model import Mission
from pipeline.outputs import Flight, Output
from pipeline.people import People
from pipeline.records import Origin, Run
from pipeline.telemetry import Telemetry
from pipeline.verdicts import verdict
from pipeline.verdicts.ledger import SUPERSEDED, accounting_of, facts_of
from pipeline.verdicts.picture import Picture


class VehicleState:
    """All that `watch` keeps of one vehicle in one run: the evidence, what people asked for, and what was last said."""

    def __init__(self) -> None:
        self.evidence: Evidence | None = None
        """None until the first record says which vehicle this is."""
        self.people = People()
        self.published: dict[str, Published] = {}
        self.ledger: dict[str, tuple[int, Any]] = {}
        """Flight name → (revision, facts) last published; "" is the accounting."""
        self.seen: dict[str, int] = {}
        """Origin partition ("topic/partition") → offset of the last record contained here."""
        self._stored: dict[str, Any] = {}
        self._changed: set[str] = set()
        self._planned: tuple[Mission, Mission] | None = None
        """A mission, and the same with the plan as people have changed it."""

    def take_changes(self) -> dict[str, Any]:
        """Chunks of storage that changed since the last call, as JSON: "" is the head."""
        if not self._changed and (self.evidence is None or not self.evidence.changed):
            return {}
        chunks: dict[str, Any] = {"": {"seen": dict(self.seen)}}
        for name in sorted(self._changed):
            kind, _, key = name.partition("/")
            if kind == "incident":
                chunks[name] = store(self.published[key])
            elif kind == "flight":
                chunks[name] = list(self.ledger[key])
            elif kind == "command":
                chunks[name] = self.people.dump(name)
        if self.evidence is not None:
            chunks |= {name: dump(self.evidence, name) for name in sorted(self.evidence.changed)}
            self.evidence.changed.clear()
        self._changed.clear()
        return chunks

    @classmethod
    def restore(cls, chunks: Mapping[str, Any]) -> "VehicleState":
        """A state from all its chunks. The evidence is read when the mission is at hand, with the next record."""
        state = cls()
        state.seen = dict(chunks.get("", {}).get("seen", {}))
        for name, value in chunks.items():
            kind, _, key = name.partition("/")
            if kind == "incident":
                state.published[key] = restore(value)
            elif kind == "flight":
                state.ledger[key] = (value[0], value[1])
            elif kind == "command":
                state.people.load(name, value)
            elif name:
                state._stored[name] = value
        return state

    def evidence_for(self, vehicle: str, mission: Mission) -> Evidence:
        if self.evidence is None:
            self.evidence = Evidence(mission.vehicle(vehicle), mission)
            for name, value in self._stored.items():
                load(self.evidence, name, value)
            # What was read stands in storage as it is.
            self.evidence.changed.clear()
            self._stored.clear()
        return self.evidence

    def planned(self, mission: Mission) -> Mission:
        """The mission with the plan as people have changed it."""
        if not self.people.plan_commands:
            return mission
        if self._planned is None or self._planned[0] is not mission:
            self._planned = mission, replace(mission, plan=self.people.plan(mission.plan)[0])
        return self._planned[1]

    def take(self, given: Given, known_at: int) -> None:
        name = self.people.take(given, known_at)
        if name is not None:
            self.mark(name)
            self._planned = None

    def mark(self, name: str) -> None:
        self._changed.add(name)

    def contains(self, origin: Origin) -> bool:
        return origin.offset <= self.seen.get(f"{origin.topic}/{origin.partition}", -1)

    def has_seen(self, origin: Origin) -> bool:
        """Whether a record is contained; from now on it is."""
        if self.contains(origin):
            return True
        self.seen[f"{origin.topic}/{origin.partition}"] = origin.offset
        self.mark("")
        return False


def watch(state: VehicleState, telemetry: Telemetry, mission: Mission, run: Run) -> tuple[Output, ...]:
    """What one record changes of what is said. Nothing where the record has been seen before."""
    if state.has_seen(telemetry.origin):
        return ()
    evidence = state.evidence_for(telemetry.vehicle, mission)
    evidence.absorb(telemetry)
    picture = Picture(evidence, mission.vehicle(telemetry.vehicle), state.planned(mission))
    if picture.watermark is None:
        return ()
    moment = Moment(
        picture.watermark, telemetry.earth_receive_time,
        evidence.is_complete(telemetry.link, telemetry.session), _is_late(picture, telemetry), telemetry.origin,
        picture.final_before,
    )  # fmt: skip
    return _said(state, picture, moment, run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A command that changes nothing, and has no incident in whose history that could stand."""

    message: str


def obey(state: VehicleState, given: Given, mission: Mission, run: Run) -> tuple[Output | Refusal, ...]:
    """What one command of a person changes of what is said. Nothing where it has been seen before.

    A step that cannot be made is a revision too, with the refusal in its history. A command that is about an incident
    that was never published is refused and forgotten: what is not there yet cannot be meant.
    """
    if state.has_seen(given.origin):
        return ()
    command = given.command
    evidence = state.evidence_for(given.vehicle, mission)
    mark = Picture(evidence, mission.vehicle(given.vehicle), state.planned(mission)).watermark
    known_at = -(1 << 63) if mark is None else mark
    if isinstance(command, IncidentCommand):
        published = state.published.get(command.incident_id)
        if published is None:
            return (_refused(given, f"there is no incident {command.incident_id!r} in {_named(run)}"),)
        known_at = max(known_at, published.known_at)
    state.take(given, known_at)
    refusals: tuple[Refusal, ...] = ()
    if isinstance(command, PlanCommand) and given.vehicle == command.vehicle:
        objection = state.people.plan(mission.plan)[1].get(command)
        refusals = () if objection is None else (_refused(given, objection),)
    picture = Picture(evidence, mission.vehicle(given.vehicle), state.planned(mission))
    if picture.watermark is None:
        return refusals
    earth = max((segment.last for _, segment in evidence.earth.items()), default=picture.watermark)
    moment = Moment(picture.watermark, earth, False, False, given.origin, picture.final_before)
    return (*refusals, *_said(state, picture, moment, run))


def _refused(given: Given, objection: str) -> Refusal:
    command = given.command
    return Refusal(message=f"command {kind_of(command)} of {command.by} ({given.origin}): {objection}")


def _named(run: Run) -> str:
    return f"run {run.id}" if run.id else "live records"


def _said(state: VehicleState, picture: Picture, moment: Moment, run: Run) -> tuple[Output, ...]:
    """What is news in the picture."""
    flights, incidents = verdict(picture)
    mission = picture.mission
    changed, revisions = revise(
        state.published, incidents, moment, run, mission.name, state.people.asked, mission.plan
    )  # fmt: skip
    state.published.update(changed)
    for name in changed:
        state.mark(f"incident/{name}")
    said = {revision.flight for revision in revisions}
    ledger: dict[str, Any] = {}
    for flight in flights:
        before = state.ledger.get(flight.name)
        if before is not None and before[1].get("final"):
            continue
        if moment.session_over or before is None or flight.name in said:
            ledger[flight.name] = facts_of(picture, flight)
    # A flight is named by its take-off: a frame that came late can show that it began earlier, under another name.
    for name in sorted(state.ledger.keys() - {flight.name for flight in flights} - {""}):
        if not state.ledger[name][1].get("final"):
            ledger[name] = dict(SUPERSEDED)
    if moment.session_over:
        ledger[""] = accounting_of(picture)
    return (*revisions, *_ledger(state, picture, ledger, moment, run))


def _is_late(picture: Picture, telemetry: Telemetry) -> bool:
    """Whether the record brings frames of a time that a listening record before it has already covered."""
    if telemetry.kind != "received" or telemetry.relay_receive_time is None:
        return False
    return telemetry.relay_receive_time < (picture.marks.get(telemetry.link) or 0)


def _ledger(
    state: VehicleState, picture: Picture, facts: Mapping[str, Any], moment: Moment, run: Run
) -> list[Flight]:  # fmt: skip
    """The flights whose facts are news: new ones, those an alert speaks of, and all that changed in a session."""
    out: list[Flight] = []
    for name, body in facts.items():
        body = orjson.loads(orjson.dumps(body))
        revision, before = state.ledger.get(name, (0, None))
        if body != before:
            state.ledger[name] = (revision + 1, body)
            state.mark(f"flight/{name}")
            out.append(
                Flight(
                    name=name, vehicle=picture.vehicle.name, run=run.id, origin=run.origin,
                    mission=picture.mission.name, revision=revision + 1, facts=body, known_at=moment.relay,
                    made_from=moment.made_from,
                )
            )  # fmt: skip
    return out
