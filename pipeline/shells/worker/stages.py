"""The stages as the worker runs them: one record in, its outputs and metrics out. Knows records and topics;
knows no Kafka client."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from pipeline import flow, metrics, topics
from pipeline.channels.sessions import MOST_SESSIONS, tells_no_more
from pipeline.clocks import ImplausibleTimeError, check_times
from pipeline.commands import REFUSED, Given, ResumeRun, decode_command, decode_given, kind_of
from pipeline.errors import RecordError
from pipeline.flow import Refusal
from pipeline.measures.links import LinkCounts, lateness
from pipeline.measures.vehicles import opened, vehicle_gauges
from pipeline.metrics import Sample, StageName, Subject
from pipeline.mission.model import Mission
from pipeline.outputs import Flight, Output
from pipeline.records import SECOND, Origin, OriginKind, Record, Run, decode_record
from pipeline.shells.worker.versions import Owner
from pipeline.telemetry import Telemetry, decode_telemetry
from pipeline.topics import Message, Rejected, Resumed, TopicName

_MADE_FROM: Final = re.compile(r"([^/]{1,249})/([0-9]{1,9})@([0-9]{1,19})/")


class State(Protocol):
    def take_changes(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Flow:
    """The pure functions and the states they carry: those of `pipeline.flow`, but for tests."""

    decode: Callable[[Any, Sequence[tuple[Origin, Record]], Mission], list[tuple[Telemetry, ...]]]
    watch: Callable[[Any, Telemetry, Mission, Run], tuple[Output, ...]]
    obey: Callable[[Any, Given, Mission, Run], tuple[Output | Refusal, ...]]
    new_link_state: Callable[[], State]
    restore_link_state: Callable[[Mapping[str, Any]], State]
    new_vehicle_state: Callable[[], State]
    restore_vehicle_state: Callable[[Mapping[str, Any]], State]


PURE_FLOW: Final = Flow(
    decode=flow.decode_together, watch=flow.watch, obey=flow.obey,
    new_link_state=flow.LinkState, restore_link_state=flow.LinkState.restore,
    new_vehicle_state=flow.VehicleState, restore_vehicle_state=flow.VehicleState.restore,
)  # fmt: skip


class Incoming(NamedTuple):
    """A record as Kafka gave it."""

    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp: int
    """Kafka's: processing time, nanoseconds."""

    @classmethod
    def of(cls, record: Any) -> "Incoming":
        """`record` is a client's: a ConsumerRecord."""
        origin = Origin(record.topic, record.partition, record.offset)
        return cls(origin, record.key, record.value, dict(record.headers), record.timestamp * 1_000_000)


class Outgoing(NamedTuple):
    message: Message
    partition: int
    published: tuple[OriginKind, int] | None = None
    """Of an alert: origin and Kafka's timestamp of the frames record that led to it, nanoseconds."""


@dataclass(slots=True)
class Live:
    """The state of one owner while records pass."""

    state: State
    counts: LinkCounts
    """Of a link; of all else there is none."""
    offset: int
    """Highest offset of the stage's own topic that it contains."""
    run: Run
    touched_at: int = 0
    """Kafka's timestamp of the newest record it contains, nanoseconds."""
    began_at: int = 0
    """That of the first."""
    used_at: float = 0.0
    """When it was last asked for, on this process's own clock."""


Partitions = Mapping[TopicName, int]
"""How many partitions each topic has, as the cluster says."""


class Parsed(NamedTuple):
    owner: Owner
    run: Run
    body: Any


class Taken(NamedTuple):
    """A record that is to be folded."""

    parsed: Parsed
    incoming: Incoming


Made = tuple[list[Outgoing], list[Sample]]
"""What one record came to."""


class Stage(Protocol):
    """What differs between the agents."""

    @property
    def name(self) -> StageName: ...

    @property
    def subject(self) -> Subject:
        """Whose states it has."""

    @property
    def source(self) -> TopicName: ...

    @property
    def table(self) -> str: ...

    @property
    def sets_aside(self) -> bool:
        """Whether a run of which nothing is good is set aside."""

    def knows(self, key: bytes | None) -> bool:
        """Whether a record's key names a link or vehicle of the mission."""

    def resumed(self, incoming: Incoming) -> Resumed | None:
        """That a person wants a run taken again, where the record says so."""

    def parse(self, incoming: Incoming) -> Parsed:
        """Raises RecordError where the record cannot be taken."""

    def rejected(self, incoming: Incoming, fault: RecordError) -> Iterable[Sample]:
        """What is counted of a record that could not be taken, beside the reason."""

    def fold(self, live: Live, taken: Sequence[Taken]) -> list[Made]:
        """What each of these records of one owner came to, one after the other."""

    def repeats(self, live: Live, parsed: Parsed) -> bool:
        """Whether the state contains it already, though it stands at a new offset. Raises RecordError where it could
        not be taken for what the state holds."""

    def goes_with(self, before: Parsed, parsed: Parsed) -> bool:
        """Whether a record of an owner may be folded together with the one before it: where that is taken, `repeats`
        need not be asked again."""

    def open(self, chunks: Mapping[str, Any] | None, counts: LinkCounts, offset: int, run: Run) -> Live: ...

    def names(self, partitions: Collection[int]) -> list[str]:
        """The links or vehicles of these partitions of the source."""

    def gauges(self, name: str, live: Live) -> Iterable[Sample]:
        """Metrics of one link or vehicle that are a function of its state, not of what passes."""


@dataclass(frozen=True, slots=True)
class DecodeStage:
    """frames → telemetry, state per (run, link)."""

    namespace: str
    mission: Mission
    partitions: Partitions
    flow: Flow
    name: StageName = "decode"
    subject: Subject = "link"
    source: TopicName = "frames"
    table: str = "links"
    sets_aside: bool = True

    def knows(self, key: bytes | None) -> bool:
        return any(one.name.encode() == key for one in self.mission.links)

    def resumed(self, incoming: Incoming) -> Resumed | None:
        return topics.read_resumed(incoming.headers, incoming.value)

    def parse(self, incoming: Incoming) -> Parsed:
        envelope = topics.read_headers(incoming.headers)
        link = _key(incoming, envelope, self.source)
        known = self.mission.link(link)
        if known is None:
            names = ", ".join(one.name for one in self.mission.links)
            raise RecordError("unknown_link", f"link is {link!r:.80}; mission {self.mission.name} has {names}")
        _check_partition(incoming, topics.link_partition(self.mission, link, self.partitions["frames"]), link)
        record = decode_record(link, incoming.value or b"")
        check_times(record, known.clock_tolerance, incoming.timestamp if envelope.run.origin == "live" else None)
        return Parsed(Owner(envelope.run.id, link), envelope.run, record)

    def rejected(self, incoming: Incoming, fault: RecordError) -> Iterator[Sample]:
        link = (incoming.key or b"").decode(errors="replace")
        if self.mission.link(link) is None:
            return
        origin = topics.run_of(incoming.headers).origin
        yield Sample(metrics.LINK_REJECTED, (link, fault.reason, origin), 1)
        if isinstance(fault, ImplausibleTimeError) and fault.ahead is not None:
            clock, ahead = fault.ahead
            yield Sample(metrics.CLOCK_AHEAD, (link, clock, origin), ahead / SECOND)

    def fold(self, live: Live, taken: Sequence[Taken]) -> list[Made]:
        told = self.flow.decode(live.state, [(one.incoming.origin, one.parsed.body) for one in taken], self.mission)
        return [self._made(live, one, of_record) for one, of_record in zip(taken, told, strict=True)]

    def _made(self, live: Live, taken: Taken, told: tuple[Telemetry, ...]) -> Made:
        parsed, incoming = taken
        outgoing: list[Outgoing] = []
        samples: list[Sample] = [*lateness(told, parsed.run.origin)]
        for telemetry in told:
            message = topics.telemetry_message(self.namespace, telemetry, parsed.run, incoming.timestamp)
            place = topics.vehicle_partition(self.mission, telemetry.vehicle, self.partitions["telemetry"])
            outgoing.append(Outgoing(message, place))
            samples += live.counts.take(telemetry, parsed.run.origin)
        return outgoing, samples

    def repeats(self, live: Live, parsed: Parsed) -> bool:
        if isinstance(live.state, flow.LinkState) and not flow.has_room(live.state, parsed.body, self.mission):
            raise RecordError(
                "too_many_sessions",
                f"session {parsed.body.session} would be one of more than {MOST_SESSIONS} of {parsed.owner.name} that "
                "tell of the same ten minutes",
            )
        return False

    def goes_with(self, before: Parsed, parsed: Parsed) -> bool:
        # Where there was room for the session of the one, there is for the other.
        return parsed.run == before.run and tells_no_more(parsed.body, before.body)

    def open(self, chunks: Mapping[str, Any] | None, counts: LinkCounts, offset: int, run: Run) -> Live:
        state = self.flow.new_link_state() if chunks is None else self.flow.restore_link_state(chunks)
        return Live(state, counts, offset, run)

    def names(self, partitions: Collection[int]) -> list[str]:
        names = [one.name for one in self.mission.links]
        return [
            one for one in names if topics.link_partition(self.mission, one, self.partitions["frames"]) in partitions
        ]

    def gauges(self, name: str, live: Live) -> Iterable[Sample]:
        return live.counts.gauges(name, live.run.origin)


class NoState:
    """Of a stage that remembers nothing but how far it is."""

    def take_changes(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class CommandStage:
    """commands → telemetry: what people ask for goes into the one order in which `watch` takes everything. A command
    that comes twice is passed on twice; `watch` knows it by its origin."""

    namespace: str
    mission: Mission
    partitions: Partitions
    name: StageName = "command"
    subject: Subject = "worker"
    source: TopicName = "commands"
    table: str = "commands"
    sets_aside: bool = False
    """A command is one person's: none is passed over for another."""

    def knows(self, key: bytes | None) -> bool:
        return _is_vehicle(self.mission, key)

    def resumed(self, incoming: Incoming) -> Resumed | None:
        return None

    def parse(self, incoming: Incoming) -> Parsed:
        envelope = topics.read_headers(incoming.headers)
        vehicle = _vehicle(incoming, envelope, self)
        command = decode_command(incoming.value or b"", envelope.id, self.mission)
        if (command.vehicle, kind_of(command)) != (vehicle, envelope.kind):
            raise RecordError(
                REFUSED, f"command {kind_of(command)} of vehicle {command.vehicle!r:.80} stands under key "
                f"{vehicle!r:.80} and kind {envelope.kind}"
            )  # fmt: skip
        if isinstance(command, ResumeRun) and not envelope.run.id:
            raise RecordError(REFUSED, "live records belong to no run and are never set aside: name the run to resume")
        return Parsed(Owner(envelope.run.id, vehicle), envelope.run, command)

    def rejected(self, incoming: Incoming, fault: RecordError) -> Iterable[Sample]:
        return ()

    def fold(self, live: Live, taken: Sequence[Taken]) -> list[Made]:
        return [(list(self._passed_on(one)), []) for one in taken]

    def _passed_on(self, taken: Taken) -> Iterator[Outgoing]:
        parsed, incoming = taken
        if isinstance(parsed.body, ResumeRun):
            # Into the log in which `decode` takes everything, each partition of it.
            for place in range(self.partitions["frames"]):
                yield Outgoing(topics.resumed_message(self.namespace, parsed.body, parsed.run, place), place)
            return
        for given in flow.pass_on(parsed.body, incoming.origin, self.mission):
            place = topics.vehicle_partition(self.mission, given.vehicle, self.partitions["telemetry"])
            yield Outgoing(topics.given_message(self.namespace, given, parsed.run), place)

    def repeats(self, live: Live, parsed: Parsed) -> bool:
        return False

    def goes_with(self, before: Parsed, parsed: Parsed) -> bool:
        return False

    def open(self, chunks: Mapping[str, Any] | None, counts: LinkCounts, offset: int, run: Run) -> Live:
        return Live(NoState(), counts, offset, run)

    def names(self, partitions: Collection[int]) -> list[str]:
        return []

    def gauges(self, name: str, live: Live) -> Iterable[Sample]:
        return ()


@dataclass(frozen=True, slots=True)
class WatchStage:
    """telemetry, and commands passed on, → alerts and flights, state per (run, vehicle)."""

    namespace: str
    mission: Mission
    partitions: Partitions
    flow: Flow
    ends: Mapping[tuple[str, int], int] | None = None
    """(topic, partition) of what telemetry is made from → the offset after its last record, as it was last asked; None:
    nobody knows."""
    name: StageName = "watch"
    subject: Subject = "vehicle"
    source: TopicName = "telemetry"
    table: str = "vehicles"
    sets_aside: bool = False
    """Of a run that is set aside nothing comes here."""

    def knows(self, key: bytes | None) -> bool:
        return _is_vehicle(self.mission, key)

    def resumed(self, incoming: Incoming) -> Resumed | None:
        return None

    def parse(self, incoming: Incoming) -> Parsed:
        envelope = topics.read_headers(incoming.headers)
        vehicle = _vehicle(incoming, envelope, self)
        value = incoming.value or b""
        body: Given | Telemetry
        try:
            body = decode_given(value) if envelope.kind == "command" else decode_telemetry(value)
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            raise RecordError("undecodable", f"command to {vehicle} cannot be read: {fault!r:.200}") from None
        if body.vehicle != vehicle:
            raise RecordError("undecodable", f"telemetry of {body.vehicle!r:.80} stands under key {vehicle}")
        self._check_origin(body.origin, envelope)
        if isinstance(body, Telemetry):
            known = self.mission.link(body.link)
            if known is None:
                raise RecordError("unknown_link", f"telemetry of link {body.link!r:.80}: the mission has no such link")
            check_times(body, known.clock_tolerance)
        return Parsed(Owner(envelope.run.id, vehicle), envelope.run, body)

    def _check_origin(self, origin: Origin, envelope: topics.Envelope) -> None:
        """What says that it comes from further on in a log than the log reaches would make all that is really there a
        repetition."""
        source: TopicName = "commands" if envelope.kind == "command" else "frames"
        name, partitions = topics.TOPICS[source].full_name(self.namespace), self.partitions[source]
        if origin.topic != name or origin.partition >= partitions:
            raise RecordError(
                "undecodable", f"origin is {origin!s:.80}; {envelope.kind} is made from {name}, partitions 0 to "
                f"{partitions - 1}"
            )  # fmt: skip
        if claimed_origin(envelope.id) != origin:
            raise RecordError("bad_headers", f"ce_id is {envelope.id!r:.120}, and the record is made from {origin}")
        end = None if self.ends is None else self.ends.get((name, origin.partition), 0)
        if end is not None and origin.offset >= end:
            raise RecordError("undecodable", f"origin is {origin}; that partition ends before offset {end}")

    def rejected(self, incoming: Incoming, fault: RecordError) -> Iterable[Sample]:
        return ()

    def repeats(self, live: Live, parsed: Parsed) -> bool:
        return isinstance(live.state, flow.VehicleState) and live.state.contains(parsed.body.origin)

    def goes_with(self, before: Parsed, parsed: Parsed) -> bool:
        return False

    def fold(self, live: Live, taken: Sequence[Taken]) -> list[Made]:
        return [self._made(live, one) for one in taken]

    def _made(self, live: Live, taken: Taken) -> Made:
        parsed, incoming = taken
        outgoing: list[Outgoing] = []
        samples: list[Sample] = []
        for output in self._outputs(live, parsed):
            if isinstance(output, Refusal):
                outgoing.append(Outgoing(_refusal(self.namespace, output, incoming, live.run), 0))
                samples.append(Sample(metrics.REJECTED, (REFUSED,), 1))
                continue
            message, vehicle = topics.output_message(self.namespace, output), topics.vehicle_of(output)
            if isinstance(output, Flight):
                place = topics.vehicle_partition(self.mission, vehicle, self.partitions["flights"])
                outgoing.append(Outgoing(message, place))
                continue
            place = topics.vehicle_partition(self.mission, vehicle, self.partitions["alerts"])
            published = topics.published_at(incoming.headers)
            outgoing.append(Outgoing(message, place, None if published is None else (output.origin, published)))
            samples += opened(output, output.vehicle or parsed.owner.name)
        return outgoing, samples

    def _outputs(self, live: Live, parsed: Parsed) -> tuple[Output | Refusal, ...]:
        if isinstance(parsed.body, Given):
            # Whoever gives a command names the run, and need not know where it came from.
            return self.flow.obey(live.state, parsed.body, self.mission, live.run)
        return self.flow.watch(live.state, parsed.body, self.mission, parsed.run)

    def open(self, chunks: Mapping[str, Any] | None, counts: LinkCounts, offset: int, run: Run) -> Live:
        state = self.flow.new_vehicle_state() if chunks is None else self.flow.restore_vehicle_state(chunks)
        return Live(state, counts, offset, run)

    def names(self, partitions: Collection[int]) -> list[str]:
        names = [one.name for one in self.mission.vehicles]
        return [
            one
            for one in names
            if topics.vehicle_partition(self.mission, one, self.partitions["telemetry"]) in partitions
        ]

    def gauges(self, name: str, live: Live) -> Iterable[Sample]:
        if not isinstance(live.state, flow.VehicleState):
            return ()
        return vehicle_gauges(name, live.run.origin, live.state, self.mission)


def claimed_origin(ce_id: str) -> Origin | None:
    """Where a record of the telemetry topic says, by its id, that it was made from; None where that says nothing."""
    found = _MADE_FROM.match(ce_id)
    return None if found is None else Origin(found[1], int(found[2]), int(found[3]))


def _is_vehicle(mission: Mission, key: bytes | None) -> bool:
    return any(one.name.encode() == key for one in mission.vehicles)


def _key(incoming: Incoming, envelope: topics.Envelope, topic: TopicName) -> str:
    if envelope.topic != topic:
        raise RecordError("bad_headers", f"record of topic {envelope.topic} stands in {incoming.origin.topic}")
    if not incoming.key:
        raise RecordError("no_key", f"record has no key; the key of {topic} is the {topics.TOPICS[topic].key}")
    try:
        return incoming.key.decode()
    except UnicodeDecodeError:
        raise RecordError("no_key", f"the record's key is not UTF-8: {incoming.key!r:.60}") from None


def _vehicle(incoming: Incoming, envelope: topics.Envelope, stage: CommandStage | WatchStage) -> str:
    """The vehicle in the key of a record that stands where it should."""
    vehicle, mission = _key(incoming, envelope, stage.source), stage.mission
    entry = mission.entry_of(vehicle)
    if entry is None:
        known = ", ".join(one.name for one in mission.vehicles)
        raise RecordError("unknown_vehicle", f"vehicle is {vehicle!r:.80}; mission {mission.name} has {known}")
    _check_partition(
        incoming, topics.vehicle_partition(mission, vehicle, stage.partitions[stage.source]), vehicle
    )  # fmt: skip
    return vehicle


def _refusal(namespace: str, refusal: Refusal, incoming: Incoming, run: Run) -> Message:
    """The command as it was passed on; the message says where it came from."""
    rejected = Rejected(
        reason=REFUSED, message=refusal.message, origin=incoming.origin, key=incoming.key, headers=incoming.headers,
        value=incoming.value,
    )  # fmt: skip
    return topics.rejected_message(namespace, rejected, run, incoming.timestamp)


def _check_partition(incoming: Incoming, expected: int, name: str) -> None:
    """State lives where its records come in: in two partitions there would be two halves of it."""
    if incoming.origin.partition != expected:
        raise RecordError(
            "wrong_partition", f"{name} belongs to partition {expected} of {incoming.origin.topic}, "
            f"the record stands in {incoming.origin.partition}"
        )  # fmt: skip
