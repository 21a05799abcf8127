"""People's commands in the stream of flight 72: what each changes of what is said, at once, once, and for good."""

import random
from functools import cache
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.commands import (
    Acknowledge,
    Close,
    Command,
    Given,
    RemoveEntry,
    SetExpectedLoss,
    SetWindow,
    Shelve,
    Unshelve,
)
from pipeline.mission.model import ExpectedLoss, Window
from pipeline.outputs import Flight, Revision, rfc3339
from pipeline.records import SECOND, Origin
from pipeline.shells.files.resources import schemas_dir
from pipeline.telemetry import Telemetry
from pipeline.watch import Refusal, VehicleState, obey, watch
from tests.build import scenario
from tests.evidence.test_whole import STREAMS
from tests.link import START
from tests.test_watch import RUN, restored

INCIDENT = "test:ingenuity:72:ended_before_landing"
ABOUT: dict[str, Any] = {"vehicle": "ingenuity", "by": "m.ortiz", "why": "the rover drives"}
ALERTS = jsonschema_rs.validator_for(orjson.loads((schemas_dir() / "alerts.json").read_bytes()))
STREAM = STREAMS["flight-72"]
RAISED = 1 + next(
    place for place, one in enumerate(STREAM) if one.listened and one.listened.ends_at >= START + 33 * SECOND
)
"""So many records and the incident is there."""
LATER = STREAM[RAISED::12]
"""A part of what follows: enough for the relay's clock, for an end and a new contact."""
Step = Telemetry | Given


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def ack(name: str = "c1", given_at: float = 100) -> Acknowledge:
    return Acknowledge(id=name, at=at(given_at), incident_id=INCIDENT, **ABOUT)


def shelve(until: float, name: str = "c2", given_at: float = 101) -> Shelve:
    return Shelve(id=name, at=at(given_at), incident_id=INCIDENT, until=at(until), **ABOUT)


def close(name: str = "c3", given_at: float = 102) -> Close:
    return Close(id=name, at=at(given_at), incident_id=INCIDENT, **ABOUT)


def passed_on(*commands: Command) -> list[Step]:
    return [
        Given(vehicle="ingenuity", origin=Origin("relay.commands", 0, place), command=command)
        for place, command in enumerate(commands)
    ]


def take(state: VehicleState, one: Step, name: str = "flight-72") -> list[Revision | Flight | Refusal]:
    mission = scenario(name).mission
    return list(obey(state, one, mission, RUN) if isinstance(one, Given) else watch(state, one, mission, RUN))


def after(
    *steps: Step, name: str = "flight-72", state: VehicleState | None = None
) -> list[Revision | Flight | Refusal]:
    state = state or VehicleState()
    return [output for one in steps for output in take(state, one, name)]


def revisions(found: list[Any], incident: str = INCIDENT) -> list[Revision]:
    own = [one for one in found if isinstance(one, Revision) and one.incident_id == incident]
    assert [one.revision for one in own] == list(range(1, len(own) + 1))
    for one in own:
        ALERTS.validate(orjson.loads(one.encode()))
    return own


def test_to_acknowledge_is_a_revision_at_once_that_says_who_and_why() -> None:
    raised, told = revisions(after(*STREAM[:RAISED], *passed_on(ack())))
    assert (raised.people["state"], raised.people["history"]) == ("unacknowledged", [])
    assert (told.kind, told.state, told.changed) == ("update", "open", ("people",))
    assert str(told.made_from) == "relay.commands/0@0"
    assert told.people == {
        "state": "acknowledged", "shelved_until": None, "earlier": 0,
        "history": [{
            "what": "acknowledge", "id": "c1", "by": "m.ortiz", "why": "the rover drives", "at": rfc3339(at(100)),
            "state": "acknowledged", "refused": None,
        }],
    }  # fmt: skip


def test_a_step_that_cannot_be_made_stands_in_the_history_with_the_reason() -> None:
    *_, told = revisions(after(*STREAM[:RAISED], *passed_on(ack(), ack("c9", 101))))
    assert [one["refused"] for one in told.people["history"]] == [None, "it is acknowledged already"]
    assert told.people["state"] == "acknowledged"


def test_a_command_about_an_incident_that_was_never_published_is_refused_and_forgotten() -> None:
    state = VehicleState()
    for one in STREAM[: RAISED - 1]:
        take(state, one)
    state.take_changes()
    (early,) = passed_on(close())
    (refusal,) = take(state, early)
    assert isinstance(refusal, Refusal)
    assert refusal.message == (
        f"command close of m.ortiz (relay.commands/0@0): there is no incident '{INCIDENT}' in run test"
    )
    assert set(state.take_changes()) == {""}
    (raised,) = revisions([output for one in STREAM[RAISED - 1 : RAISED] for output in take(state, one)])
    assert (raised.state, raised.people["state"]) == ("open", "unacknowledged")


def test_closed_by_a_person_stays_so_whatever_the_evidence_says_afterwards() -> None:
    _, closed, *_, last = revisions(after(*STREAM[:RAISED], *passed_on(close()), *STREAM[RAISED:]))
    assert (closed.state, closed.close_reason, closed.ended_at) == ("closed", "operator", at(33))
    assert closed.changed == ("state", "close_reason", "people")
    assert (last.state, last.close_reason, last.ended_at) == ("closed", "operator", at(33))
    assert any("Next good frame" in sentence for sentence in last.known)
    assert last.episodes[0][1] is not None


def test_a_shelf_ends_with_the_record_by_which_the_relays_clock_passes_it() -> None:
    found = after(*STREAM[:RAISED], *passed_on(shelve(200)), *STREAM[RAISED:])
    shelved, back = (
        next(one for one in revisions(found) if one.people["history"] and one.people["history"][-1]["what"] == what)
        for what in ("shelve", "shelf_over")
    )
    assert (shelved.people["state"], shelved.people["shelved_until"]) == ("shelved", rfc3339(at(200)))
    assert (back.people["state"], back.people["shelved_until"], back.known_at) == ("unacknowledged", None, at(200))


def test_commands_leave_the_other_revisions_as_they_are() -> None:
    def told(found: list[Any]) -> list[tuple[Any, ...]]:
        return [(one.state, one.severity, one.known) for one in revisions(found) if one.changed != ("people",)]

    assert told(after(*STREAM[:RAISED], *passed_on(ack(), shelve(200)), *STREAM[RAISED:])) == told(after(*STREAM))


COMMANDS = (
    ack(), ack("c8", 105), shelve(150), shelve(300, "c7", 110), close(),
    Unshelve(id="c4", at=at(103), incident_id=INCIDENT, **ABOUT),
)  # fmt: skip


@cache
def stored() -> dict[str, Any]:
    state = VehicleState()
    for one in STREAM[:RAISED]:
        take(state, one)
    return state.take_changes()


def raised() -> VehicleState:
    """The state in which the incident has just been raised."""
    return restored(stored())


def final(found: list[Any]) -> tuple[Any, ...]:
    last = [one for one in found if isinstance(one, Revision) and one.incident_id == INCIDENT][-1]
    return last.state, last.close_reason, last.ended_at, last.severity, last.people


@settings(max_examples=20)
@given(
    chosen=st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=6, unique=True),
    again=st.lists(st.integers(0, 5), max_size=4), seed=st.integers(0, 99),
)  # fmt: skip
def test_neither_order_nor_repetition_of_commands_changes_what_comes_of_them(
    chosen: list[Command], again: list[int], seed: int
) -> None:
    shuffled = random.Random(seed).sample(chosen, len(chosen))
    repeated = [shuffled[place % len(shuffled)] for place in again]
    repeatedly = after(*passed_on(*shuffled, *repeated), *LATER, state=raised())
    assert final(repeatedly) == final(after(*passed_on(*chosen), *LATER, state=raised()))


@settings(max_examples=10)
@given(cuts=st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_a_state_saved_and_restored_between_commands_goes_on_octet_for_octet(cuts: list[float]) -> None:
    entry = ExpectedLoss(name="hill", vehicle="ingenuity", starts_at=at(0), ends_at=at(120), reason="a hill")
    plan = SetExpectedLoss(id="p1", at=at(1), name="hill", expected_loss=entry, **ABOUT)
    first, *others = passed_on(plan, ack(), shelve(150), close())
    stream: list[Step] = [first, *others[:2], *LATER[:30], *others[2:], *LATER[30:]]
    whole, found, chunks, state = after(*stream, state=raised()), [], dict(stored()), raised()
    marks = {round(cut * len(stream)) for cut in cuts}
    for place, one in enumerate(stream):
        if place in marks:
            chunks |= state.take_changes()
            assert all(len(orjson.dumps(value)) < 64 << 10 for value in chunks.values())
            state = restored(chunks)
        found += take(state, one)
    assert [repr(one) for one in found] == [repr(one) for one in whole]


def test_a_command_that_was_taken_is_not_taken_again() -> None:
    state = VehicleState()
    for one in (*STREAM[:RAISED], *passed_on(ack(), shelve(200))):
        take(state, one)
    state.take_changes()
    assert [take(state, one) for one in passed_on(ack(), shelve(200))] == [[], []]
    assert state.take_changes() == {}


# -- the plan ------------------------------------------------------------------------------------------------------


def hill(name: str = "hill", until: float = 120, **more: Any) -> SetExpectedLoss:
    entry = ExpectedLoss(
        name=name, vehicle="ingenuity", starts_at=at(20), ends_at=at(until), reason="a hill", below_m=8.0
    )
    return SetExpectedLoss(id=f"{name}{until}", at=at(more.get("given_at", 1)), name=name, expected_loss=entry, **ABOUT)


def test_a_loss_that_people_expect_shapes_the_severity_and_is_named_by_the_alert() -> None:
    first, *_, last = revisions(after(*passed_on(hill()), *STREAM[: RAISED + 200]))
    assert (first.severity, first.evidence["expected_by_plan"]) == ("notice", "hill")
    assert first.people["state"] == "suppressed_by_design"
    assert any("a hill (entry 'hill'" in sentence for sentence in first.known)
    # It outlasts what was expected.
    assert (last.severity, last.people["state"]) == ("warning", "unacknowledged")


def test_a_change_of_the_plan_changes_what_was_said_already() -> None:
    remove = RemoveEntry(id="r", at=at(200), name="hill", entry="expected_loss", **ABOUT)
    told = revisions(after(*STREAM[: RAISED + 4], *passed_on(hill(until=400), remove)))
    assert [one.severity for one in told] == ["critical", "notice", "critical"]
    assert str(told[1].made_from) == "relay.commands/0@0"


def test_a_change_that_the_plan_cannot_take_is_refused_to_the_vehicle_that_it_names() -> None:
    remove = RemoveEntry(id="r", at=at(200), name="hill", entry="window", **ABOUT)
    (refusal,) = after(*passed_on(remove))
    assert isinstance(refusal, Refusal)
    assert refusal.message == "command remove_entry of m.ortiz (relay.commands/0@0): the plan has no window 'hill'"
    other = Given(vehicle="ingenuity", origin=Origin("relay.commands", 0, 0), command=remove)
    assert isinstance(other.command, RemoveEntry)
    two = scenario("two-vehicles").mission
    elsewhere = next(one.name for one in two.vehicles if one.name != "ingenuity")
    assert obey(VehicleState(), Given(vehicle=elsewhere, origin=other.origin, command=remove), two, RUN) == ()


@pytest.mark.parametrize(("starts_at", "expected"), [(-120, 1), (3600, 0)])
def test_an_outage_counts_in_the_windows_that_people_set(starts_at: float, expected: int) -> None:
    stream = STREAMS["relay-outage"]
    start = min(one.relay_receive_time or 1 << 62 for one in stream)
    since = start + round((starts_at + 120) * SECOND)
    one = Window(name="w", vehicle="ingenuity", link="rover-a", starts_at=since, ends_at=since + 3600 * SECOND)
    command = SetWindow(id="w", at=at(1), name="w", window=one, **ABOUT)
    found = after(*passed_on(command), *stream, name="relay-outage")
    assert (
        len({one.incident_id for one in found if isinstance(one, Revision) and one.type == "relay_outage"}) == expected
    )
