"""watch: telemetry of one vehicle → evidence → verdict → what is news. Knows no frame, no topic and no clock."""

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.evidence.summary import Evidence
from pipeline.incidents import Moment, Published, restore, revise, store
from pipeline.mission.model import Mission
from pipeline.outputs import Flight, Output
from pipeline.records import Run
from pipeline.telemetry import Telemetry
from pipeline.verdicts import verdict
from pipeline.verdicts.ledger import accounting_of, facts_of
from pipeline.verdicts.picture import Picture


class VehicleState:
    """All that `watch` keeps of one vehicle in one run: the evidence, and what was last said of it."""

    def __init__(self) -> None:
        self.evidence: Evidence | None = None
        """None until the first telemetry says which vehicle this is."""
        self.published: dict[str, Published] = {}
        self.ledger: dict[str, tuple[int, Any]] = {}
        """Flight name → (revision, facts) last published; "" is the accounting."""
        self.seen: dict[str, int] = {}
        """Origin partition ("topic/partition") → offset of the last record contained here."""
        self._stored: dict[str, Any] = {}
        self._changed: set[str] = set()

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
        if self.evidence is not None:
            chunks |= {name: self.evidence.dump(name) for name in sorted(self.evidence.changed)}
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
            elif name:
                state._stored[name] = value
        return state

    def evidence_for(self, vehicle: str, mission: Mission) -> Evidence:
        if self.evidence is None:
            self.evidence = Evidence(mission.vehicle(vehicle), mission)
            for name, value in self._stored.items():
                self.evidence.load(name, value)
            self.evidence.changed.clear()
            self._stored.clear()
        return self.evidence

    def mark(self, name: str) -> None:
        self._changed.add(name)


def watch(state: VehicleState, telemetry: Telemetry, mission: Mission, run: Run) -> tuple[Output, ...]:
    """What one record changes of what is said. Nothing where the record has been seen before."""
    origin = telemetry.origin
    partition = f"{origin.topic}/{origin.partition}"
    if origin.offset <= state.seen.get(partition, -1):
        return ()
    state.seen[partition] = origin.offset
    state.mark("")
    evidence = state.evidence_for(telemetry.vehicle, mission)
    evidence.absorb(telemetry)
    picture = Picture(evidence, mission.vehicle(telemetry.vehicle), mission)
    if picture.watermark is None:
        return ()
    flights, incidents = verdict(picture)
    moment = Moment(
        picture.watermark, telemetry.earth_receive_time,
        evidence.is_complete(telemetry.link, telemetry.session), _is_late(picture, telemetry), telemetry.origin,
    )  # fmt: skip
    changed, revisions = revise(state.published, incidents, moment, run, mission.name)
    state.published.update(changed)
    for name in changed:
        state.mark(f"incident/{name}")
    said = {revision.flight for revision in revisions}
    ledger: dict[str, Any] = {}
    for flight in flights:
        before = state.ledger.get(flight.name)
        if moment.session_over or before is None or flight.name in said:
            ledger[flight.name] = facts_of(picture, flight)
    if moment.session_over:
        ledger[""] = accounting_of(picture)
    return (*revisions, *_ledger(state, telemetry, ledger, moment, mission, run))


def _is_late(picture: Picture, telemetry: Telemetry) -> bool:
    """Whether the record brings frames of a time that a listening record before it has already covered."""
    if telemetry.kind != "received" or telemetry.relay_receive_time is None:
        return False
    return telemetry.relay_receive_time < (picture.watermark_of(telemetry.link) or 0)


def _ledger(
    state: VehicleState, telemetry: Telemetry, facts: Mapping[str, Any], moment: Moment, mission: Mission, run: Run
) -> list[Flight]:
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
                    name=name, vehicle=telemetry.vehicle, run=run.id, origin=run.origin, mission=mission.name,
                    revision=revision + 1, facts=body, known_at=moment.relay, made_from=moment.made_from,
                )
            )  # fmt: skip
    return out
