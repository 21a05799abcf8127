"""What people ask for: acknowledge, shelve, un-shelve or close an incident, change the contact plan. Knows who asks,
when and why, and what is wrong with a command in itself; does not know whether its incident exists, or whether its
step is one that can be made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import orjson
from msgspec import ValidationError, convert

from pipeline.errors import RecordError
from pipeline.mission.model import ExpectedLoss, Mission, Window
from pipeline.mission.plan import check_vehicle, check_window, read_expected_loss, read_window
from pipeline.mission.table import Faults, Table
from pipeline.outputs import rfc3339
from pipeline.records import Origin, read_fields
from pipeline.texts import first_control

MAX_SHORT_TEXT: Final = 100
"""Characters of who gives a command, of its id, and of the name of an entry of the plan."""
MAX_TEXT: Final = 500
MAX_INCIDENT_ID: Final = 400
MAX_COMMAND_OCTETS: Final = 16 << 10
LAST_MOMENT: Final = (1 << 63) - 1
"""Nanoseconds: 2262."""

REFUSED: Final = "refused_command"
"""Reason under which a command that cannot be followed is rejected."""

EntryKind = Literal["window", "expected_loss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    id: str
    """The record's `ce_id`. A command that comes again is known by it."""
    vehicle: str
    by: str
    why: str
    at: int
    """When it was given, nanoseconds since 1970-01-01T00:00:00Z on the clock of whoever gave it. Orders people's
    commands among each other; says nothing of the relay's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentCommand(Command):
    incident_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(IncidentCommand):
    """Somebody has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelve(IncidentCommand):
    """Put aside for a time."""

    until: int
    """On the relay's receive clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshelve(IncidentCommand):
    """No longer put aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(IncidentCommand):
    """Closed by a person, whatever the evidence shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCommand(Command):
    name: str
    """Of the plan's entry: windows have names of their own, expected losses too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWindow(PlanCommand):
    """Add a window, or put it in the place of the one with its name."""

    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class SetExpectedLoss(PlanCommand):
    """Add an expected loss, or put it in the place of the one with its name."""

    expected_loss: ExpectedLoss


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveEntry(PlanCommand):
    entry: EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRun(Command):
    """Take a run again that is set aside: the one of the record itself."""


KINDS: Final[dict[type[Command], str]] = {
    Acknowledge: "acknowledge",
    Shelve: "shelve",
    Unshelve: "unshelve",
    Close: "close",
    SetWindow: "set_window",
    SetExpectedLoss: "set_expected_loss",
    RemoveEntry: "remove_entry",
    ResumeRun: "resume_run",
}
"""Class → the word on the topic."""
_CLASSES: Final = {kind: command for command, kind in KINDS.items()}


def kind_of(command: Command) -> str:
    return KINDS[type(command)]


def order_of(command: Command) -> tuple[int, str, bytes]:
    """Commands are followed in this order, in whatever order they come."""
    return command.at, command.id, encode_command(command)


def encode_command(command: Command) -> bytes:
    """The value of a record of the commands topic: everything but the id, which is the record's own."""
    return orjson.dumps(body_of(command), option=orjson.OPT_SORT_KEYS)


def body_of(command: Command) -> dict[str, Any]:
    """The same as JSON; the inverse of `read_command`."""
    body: dict[str, Any] = {
        "command": kind_of(command), "vehicle": command.vehicle, "by": command.by, "why": command.why,
        "at": rfc3339(command.at),
    }  # fmt: skip
    if isinstance(command, IncidentCommand):
        body["incident_id"] = command.incident_id
    if isinstance(command, Shelve):
        body["until"] = rfc3339(command.until)
    if isinstance(command, PlanCommand):
        body["name"] = command.name
    if isinstance(command, SetWindow):
        entry = command.window
        body |= {"link": entry.link, "from": rfc3339(entry.starts_at), "until": rfc3339(entry.ends_at)}
    if isinstance(command, SetExpectedLoss):
        loss = command.expected_loss
        body |= {"reason": loss.reason, "from": rfc3339(loss.starts_at), "until": rfc3339(loss.ends_at)}
        if loss.below_m is not None:
            body["below_m"] = loss.below_m
    if isinstance(command, RemoveEntry):
        body["entry"] = command.entry
    return body


def decode_command(value: bytes, command_id: str, mission: Mission) -> Command:
    """The command in a record of the commands topic, `command_id` its `ce_id`. Raises RecordError with every fault
    found."""
    if len(command_id) > MAX_SHORT_TEXT or first_control(command_id) is not None:
        raise RecordError(
            "bad_headers", f"ce_id of a command is {command_id!r:.120}: at most {MAX_SHORT_TEXT} characters and no "
            "control characters are taken"
        )  # fmt: skip
    if len(value) > MAX_COMMAND_OCTETS:
        raise RecordError("too_large", f"command of {len(value)} octets; at most {MAX_COMMAND_OCTETS} are taken")
    body = read_fields(value, "command")
    if str(body.get("command")) not in _CLASSES:
        raise RecordError("undecodable", f"command is not one of {', '.join(_CLASSES)}")
    return read_command(body, command_id, mission)


def read_command(body: Mapping[str, Any], command_id: str, mission: Mission | None = None) -> Command:
    """The command in a JSON object of ours; with a mission, also whether it has what the command speaks of.

    Raises RecordError with every fault found.
    """
    faults = Faults(f"command {body['command']}", None)
    table = Table(body, (), faults)
    command = _read(table, command_id)
    if mission is not None:
        if isinstance(command, SetWindow):
            check_window(table, command.window, mission)
        else:
            check_vehicle(table, command.vehicle, mission)
    if faults.found:
        raise RecordError(REFUSED, str(faults).replace("\n", "; "))
    return command


def _read(table: Table, command_id: str) -> Command:
    command = _CLASSES[table.text("command")]
    about: dict[str, Any] = {
        "id": command_id, "vehicle": table.text("vehicle"), "by": _text(table, "by", MAX_SHORT_TEXT),
        "why": _text(table, "why", MAX_TEXT), "at": _moment(table, "at"),
    }  # fmt: skip
    if issubclass(command, IncidentCommand):
        about["incident_id"] = _text(table, "incident_id", MAX_INCIDENT_ID)
    if issubclass(command, PlanCommand):
        about["name"] = _text(table, "name", MAX_SHORT_TEXT)
    if command is SetExpectedLoss:
        _text(table, "reason", MAX_TEXT)
    for key in ("from", "until") if issubclass(command, SetWindow | SetExpectedLoss) else ():
        _moment(table, key)
    if command is Shelve:
        about["until"] = _moment(table, "until")
    elif command is SetWindow:
        about["window"] = read_window(table)
    elif command is SetExpectedLoss:
        about["expected_loss"] = read_expected_loss(table)
    elif command is RemoveEntry:
        about["entry"] = table.text("entry", choices=get_args(EntryKind))
    table.close()
    return command(**about)


def _text(table: Table, key: str, most: int) -> str:
    value = table.text(key)
    if isinstance(table.data.get(key), str) and (not value.strip() or len(value) > most):
        table.fault(key, f"{value!r:.60} is not a text of 1 to {most} characters")
    return value


def _moment(table: Table, key: str) -> int:
    value = table.moment(key)
    if abs(value) > LAST_MOMENT:
        table.fault(key, f"{table.data[key]!s:.60} is too far away: give a moment before 2262")
        return 0
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A command as `watch` gets it: by the telemetry topic, so that all it acts on comes in one order."""

    vehicle: str
    """The mission's entry whose state it goes to. A change of the plan goes to every one: the plan is the mission's."""
    origin: Origin
    """Of its record on the commands topic."""
    command: Command


def pass_on(command: Command, origin: Origin, mission: Mission) -> tuple[Given, ...]:
    """What `watch` is told of one command, one for each vehicle that it concerns."""
    entry = mission.entry_of(command.vehicle)
    own = [command.vehicle if entry is None else entry.name]
    vehicles = [one.name for one in mission.vehicles] if isinstance(command, PlanCommand) else own
    return tuple(Given(vehicle=vehicle, origin=origin, command=command) for vehicle in vehicles)


def encode_given(given: Given) -> bytes:
    body = {"vehicle": given.vehicle, "origin": list(given.origin), "id": given.command.id}
    return orjson.dumps({**body, "command": body_of(given.command)})


def decode_given(value: bytes) -> Given:
    """The inverse of `encode_given`. Raises ValueError, TypeError, KeyError or RecordError where it is not that."""
    body: dict[str, Any] = orjson.loads(value)
    command = read_command(body["command"], body["id"])
    if isinstance(command, ResumeRun):
        raise ValueError("to take a run again is nothing that a vehicle's state could follow")
    if type(body["id"]) is not str or type(body["vehicle"]) is not str:
        raise ValueError(f"command {body['id']!r:.60} is not of a vehicle: {body['vehicle']!r:.60}")
    try:
        origin = convert(body["origin"], Origin)
    except ValidationError as fault:
        raise ValueError(f"origin is {body['origin']!r:.80}, not topic, partition and offset: {fault}") from None
    return Given(vehicle=body["vehicle"], origin=origin, command=command)
