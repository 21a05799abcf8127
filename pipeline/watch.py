"""watch: telemetry of one vehicle → evidence → verdict → what is news; and what people ask for. Knows no frame, no
topic and no clock."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from msgspec import structs

from pipeline.commands import Given, IncidentCommand, PlanCommand, kind_of
from pipeline.evidence.stored import dump, load
from pipeline.evidence.summary import Evidence
from pipeline.incidents import Moment, Published, restore, revise, store
from pipeline.mission.model import ANY_SYSTEM, Mission, Vehicle
from pipeline.outputs import Flight, Output
from pipeline.people import People
from pipeline.records import Origin, Run
from pipeline.telemetry import Telemetry, earliest_instant
from pipeline.verdicts import verdict
from pipeline.verdicts.finished import Finished
from pipeline.verdicts.ledger import SUPERSEDED, accounting_of, channels_of_all, facts_of
from pipeline.verdicts.picture import Picture
from pipeline.verdicts.unjudged import why_no_flight

Component = tuple[int, int]
"""MAVLink: system and component."""


class VehicleState:
    """All that `watch` keeps of one vehicle in one run: the evidence, what people asked for, and what was last said."""

    def __init__(self) -> None:
        self.evidence: Evidence | None = None
        """None until the first record says which vehicle this is. Of an entry of MAVLink vehicles what is known of
        its links."""
        self.components: dict[Component, Evidence] = {}
        """MAVLink: what each component sent, and what is known of the links."""
        self.people = People()
        self.published: dict[str, Published] = {}
        self.ledger: dict[str, tuple[int, Any]] = {}
        """Flight name → (revision, facts) last published; "" is the accounting. Of a MAVLink system that the
        mission does not name: system name/flight name."""
        self.seen: dict[str, int] = {}
        """Origin partition ("topic/partition") → offset of the last record contained here."""
        self.judged_until: dict[str, int] = {}
        """Vehicle → the watermark that was reached while a link was given up: it does not fall when that link speaks
        again."""
        self._finished: dict[str, Finished] = {}
        """Vehicle → its finished flights. Not stored: what is forgotten is judged again."""
        self._stored: dict[str, Any] = {}
        self._changed: set[str] = set()
        self._planned: tuple[Mission, Mission] | None = None
        """A mission, and the same with the plan as people have changed it."""

    def take_changes(self) -> dict[str, Any]:
        """Chunks of storage that changed since the last call, as JSON: "" is the head."""
        evidences = dict(self._evidences())
        if not self._changed and not any(evidence.changed for evidence in evidences.values()):
            return {}
        chunks: dict[str, Any] = {"": {"seen": dict(self.seen), "judged_until": dict(self.judged_until)}}
        for name in sorted(self._changed):
            kind, _, key = name.partition("/")
            if kind == "incident":
                chunks[name] = store(self.published[key])
            elif kind == "flight":
                chunks[name] = list(self.ledger[key])
            elif kind == "command":
                chunks[name] = self.people.dump(name)
        for place, evidence in evidences.items():
            chunks |= {place + name: dump(evidence, name) for name in sorted(evidence.changed)}
            evidence.changed.clear()
        self._changed.clear()
        return chunks

    def _evidences(self) -> Iterator[tuple[str, Evidence]]:
        """Each with what its chunks' names begin with."""
        if self.evidence is not None:
            yield "", self.evidence
        for (system, component), evidence in self.components.items():
            yield f"component/{system}.{component}/", evidence

    @classmethod
    def restore(cls, chunks: Mapping[str, Any]) -> "VehicleState":
        """A state from all its chunks. The evidence is read when the mission is at hand, with the next record."""
        state = cls()
        head = chunks.get("", {})
        state.seen, state.judged_until = dict(head.get("seen", {})), dict(head.get("judged_until", {}))
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
                kind, _, rest = name.partition("/")
                if kind != "component":
                    load(self.evidence, name, value)
                    continue
                source, _, rest = rest.partition("/")
                system, _, component = source.partition(".")
                of = int(system), int(component)
                if of not in self.components:
                    self.components[of] = Evidence(mission.vehicle(vehicle), mission)
                load(self.components[of], rest, value)
            # What was read stands in storage as it is.
            for _, evidence in self._evidences():
                evidence.changed.clear()
            self._stored.clear()
        return self.evidence

    def absorb(self, telemetry: Telemetry, mission: Mission) -> None:
        """Join what one record says."""
        for finished in self._finished.values():
            finished.learn(telemetry)
        evidence = self.evidence_for(telemetry.vehicle, mission)
        if not mission.is_mavlink(mission.vehicle(telemetry.vehicle)):
            evidence.absorb(telemetry)
            return
        of_components = _by_component(telemetry)
        for component in of_components.keys() - self.components.keys():
            known = self.components[component] = Evidence(mission.vehicle(telemetry.vehicle), mission)
            known.merge(evidence)
        of_link = structs.replace(telemetry, channels=(), samples=(), readings=())
        evidence.absorb(of_link)
        for component, known in self.components.items():
            known.absorb(of_components.get(component, of_link))

    def pictures(self, vehicle: str, mission: Mission) -> list[Picture]:
        """What is known of each vehicle of an entry of the mission, the entry's own first: of a MAVLink vehicle the
        autopilot's evidence alone. `vehicle`: the entry's name; `mission`: with its plan as people have changed it."""
        entry, evidence = mission.vehicle(vehicle), self.evidence_for(vehicle, mission)
        autopilots: dict[int, Evidence] = {}
        for (system, _), known in sorted(self.components.items(), key=lambda one: one[0]):
            if known.is_autopilot:
                autopilots.setdefault(system, known)
        if entry.scid != ANY_SYSTEM or not mission.is_mavlink(entry):
            return [self._picture(autopilots.get(entry.scid, evidence), entry, mission)]
        systems = [self._picture(known, mission.system(entry, system), mission) for system, known in autopilots.items()]
        return [self._picture(evidence, entry, mission), *systems]

    def _picture(self, evidence: Evidence, vehicle: Vehicle, mission: Mission) -> Picture:
        picture = Picture(evidence, vehicle, mission, self.judged_until.get(vehicle.name))
        if picture.given_up and picture.watermark is not None:
            self.judged_until[vehicle.name] = picture.watermark
        return picture

    def forget_finished(self) -> None:
        """Judge all flights again, the next time."""
        self._finished.clear()

    def finished_of(self, picture: Picture) -> Finished:
        finished = self._finished.setdefault(picture.vehicle.name, Finished())
        finished.look(picture)
        return finished

    def is_vehicle(self, system: int) -> bool:
        """MAVLink: whether one of the system's components is an autopilot."""
        return any(known.is_autopilot for (of, _), known in self.components.items() if of == system)

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
    """What one record changes of what is said. Nothing where the record has been seen before, and where it is none
    after which `flow` says that is judged."""
    if state.has_seen(telemetry.origin):
        return ()
    evidence, link = state.evidence_for(telemetry.vehicle, mission), telemetry.link
    before = evidence.clock_of(link)
    state.absorb(telemetry, mission)
    if evidence.clock_of(link) == before and not _is_heard_of_late(evidence, telemetry):
        return ()
    pictures = state.pictures(telemetry.vehicle, state.planned(mission))
    picture = pictures[0]
    if picture.watermark is None:
        return ()
    moment = Moment(
        picture.watermark, telemetry.earth_receive_time,
        picture.evidence.is_complete(telemetry.link, telemetry.session), _is_late(picture, telemetry),
        telemetry.origin, picture.final_before,
    )  # fmt: skip
    return _said(state, pictures, moment, run)


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
    mark = state.pictures(given.vehicle, state.planned(mission))[0].watermark
    known_at = -(1 << 63) if mark is None else mark
    if isinstance(command, IncidentCommand):
        published = state.published.get(command.incident_id)
        if published is None:
            return (_refused(given, f"there is no incident {command.incident_id!r} in {_named(run)}"),)
        known_at = max(known_at, published.known_at)
    full = state.people.has_no_room(command)
    if full is not None:
        return (_refused(given, full),) if given.vehicle == command.vehicle else ()
    state.take(given, known_at)
    refusals: tuple[Refusal, ...] = ()
    entry = mission.entry_of(command.vehicle)
    if isinstance(command, PlanCommand) and entry is not None and given.vehicle == entry.name:
        objection = state.people.plan(mission.plan)[1].get(command)
        refusals = () if objection is None else (_refused(given, objection),)
    pictures = state.pictures(given.vehicle, state.planned(mission))
    picture = pictures[0]
    if picture.watermark is None:
        return refusals
    earth = max((segment.last for _, segment in evidence.earth.items()), default=picture.watermark)
    moment = Moment(picture.watermark, earth, False, False, given.origin, picture.final_before)
    return (*refusals, *_said(state, pictures, moment, run))


def _refused(given: Given, objection: str) -> Refusal:
    command = given.command
    return Refusal(message=f"command {kind_of(command)} of {command.by} ({given.origin}): {objection}")


def _named(run: Run) -> str:
    return f"run {run.id}" if run.id else "live records"


def _by_component(telemetry: Telemetry) -> dict[Component, Telemetry]:
    """What a record says of each MAVLink component, with what it says of the link."""
    own: dict[Component, dict[str, tuple[Any, ...]]] = {}
    for channel in telemetry.channels:
        of = own.setdefault((channel.scid, channel.vcid), {"channels": (), "readings": ()})
        of["channels"] += (channel,)
    for readings in telemetry.readings:
        of = own.setdefault((readings.system, readings.component), {"channels": (), "readings": ()})
        of["readings"] += (readings,)
    return {component: structs.replace(telemetry, samples=(), **of) for component, of in own.items()}


def _said(state: VehicleState, pictures: Sequence[Picture], moment: Moment, run: Run) -> tuple[Output, ...]:
    """What is news in what is known of the vehicles of one entry of the mission."""
    mission = pictures[0].mission
    judged = [(picture, *verdict(picture, state.finished_of(picture))) for picture in pictures]
    changed, revisions = revise(
        state.published, [one for _, _, incidents in judged for one in incidents], moment, run, mission.name,
        state.people.asked, mission.plan,
    )  # fmt: skip
    state.published.update(changed)
    for name in changed:
        state.mark(f"incident/{name}")
    said = {(revision.vehicle, revision.flight) for revision in revisions}
    news: dict[str, tuple[Picture, Any]] = {}
    current: set[str] = set()
    for picture, flights, _ in judged:
        place = _ledger_place(picture)
        current |= {place, *(place + flight.name for flight in flights)}
        for flight in flights:
            before = state.ledger.get(place + flight.name)
            if before is not None and before[1].get("final"):
                continue
            if moment.session_over or before is None or (picture.vehicle.name, flight.name) in said:
                news[place + flight.name] = picture, facts_of(picture, flight)
        if moment.session_over:
            news[place] = (
                picture,
                _accounting(state, picture, is_judged=bool(flights) or (picture is pictures[0] and len(pictures) > 1)),
            )
    # A flight is named by its take-off: a frame that came late can show that it began earlier, under another name.
    places = {_ledger_place(picture): picture for picture in pictures}
    for name in sorted(state.ledger.keys() - current):
        of = places.get(name[: name.find("/") + 1], pictures[0])
        if not state.ledger[name][1].get("final"):
            news[name] = of, dict(SUPERSEDED)
    return (*revisions, *_ledger(state, news, moment, run))


def _ledger_place(picture: Picture) -> str:
    """What the names of its flights begin with in the ledger of a state."""
    return f"{picture.vehicle.name}/" if picture.vehicle.entry else ""


def _accounting(state: VehicleState, picture: Picture, *, is_judged: bool) -> dict[str, Any]:
    """Every frame: the entry of the mission speaks for its links, and for what is no vehicle on them. `is_judged`:
    whether a flight was found, or others speak for the vehicles."""
    account = accounting_of(picture)
    if not is_judged:
        account["no_flight"] = why_no_flight(picture)
    for (system, _), evidence in sorted(state.components.items(), key=lambda one: one[0]):
        if picture.vehicle.scid == (system if state.is_vehicle(system) else ANY_SYSTEM):
            account["channels"] |= channels_of_all(Picture(evidence, picture.vehicle, picture.mission))
    return account


def _is_heard_of_late(evidence: Evidence, telemetry: Telemetry) -> bool:
    """Whether a record is the last of its session, or comes after it; says that nothing was delivered; or brings what
    was there earlier."""
    mark, instant = evidence.mark_of(telemetry.link), earliest_instant(telemetry)
    return (
        telemetry.kind not in ("received", "listened")
        or (telemetry.link, telemetry.session) in evidence.views.over
        or (mark is not None and instant is not None and instant < mark)
    )


def _is_late(picture: Picture, telemetry: Telemetry) -> bool:
    """Whether the record brings frames of a time that a listening record before it has already covered."""
    if telemetry.kind != "received" or telemetry.relay_receive_time is None:
        return False
    return telemetry.relay_receive_time < (picture.marks.get(telemetry.link) or 0)


def _ledger(
    state: VehicleState, news: Mapping[str, tuple[Picture, Any]], moment: Moment, run: Run
) -> list[Flight]:  # fmt: skip
    """The flights whose facts are news: new ones, those an alert speaks of, and all that changed in a session."""
    out: list[Flight] = []
    for name, (picture, facts) in news.items():
        body = orjson.loads(orjson.dumps(facts))
        revision, before = state.ledger.get(name, (0, None))
        if body != before:
            state.ledger[name] = (revision + 1, body)
            state.mark(f"flight/{name}")
            out.append(
                Flight(
                    name=name.rpartition("/")[2], vehicle=picture.vehicle.name, run=run.id, origin=run.origin,
                    mission=picture.mission.name, revision=revision + 1, facts=body, known_at=moment.relay,
                    made_from=moment.made_from,
                )
            )  # fmt: skip
    return out
