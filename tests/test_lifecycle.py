"""The life of an incident: the table whole, each step as a person would tell it, the diagram that is drawn from it."""

import re
from dataclasses import replace

import pytest

from pipeline.commands import Acknowledge, Shelve
from pipeline.lifecycle import (
    CANNOT_HAPPEN,
    EVENTS,
    OLDER,
    STATES,
    TABLE,
    UNRAISED,
    Change,
    Event,
    Life,
    LifeEvent,
    LifeState,
    Refused,
    diagram,
    step,
)
from pipeline.outputs import rfc3339
from tests.build import root

GIVEN = Acknowledge(id="c1", vehicle="v", by="m.ortiz", why="on it", at=5, incident_id="i")
PEOPLE: tuple[LifeEvent, ...] = ("acknowledge", "shelve", "unshelve", "close")


def test_the_table_lists_every_pair_of_state_and_event() -> None:
    assert list(TABLE) == list(STATES)
    for state in STATES:
        assert set(TABLE[state]) == set(EVENTS), state


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_a_step_is_made_refused_with_its_reason_or_cannot_happen(state: LifeState, event: LifeEvent) -> None:
    after = TABLE[state][event]
    life = Life(state=state, shelved_until=9 if state == "shelved" else None)
    if after is CANNOT_HAPPEN:
        assert event not in PEOPLE, "people may ask for anything"
        with pytest.raises(AssertionError, match=f"{state} cannot be {event}"):
            step(life, Event(kind=event, at=7))
        return
    stands, changes = step(life, Event(kind=event, at=7, command=GIVEN if event in PEOPLE else None))
    if isinstance(after, Refused):
        assert stands == life
        assert [change.refused for change in changes] == [after.why]
    else:
        assert stands.state == after
    assert len(changes) == (event in PEOPLE or event == "shelf_over")
    assert (stands.closed_at is None) == (event != "close" or isinstance(after, Refused))


def test_every_state_can_be_reached() -> None:
    reached, new = set(), {"not_raised"}
    while new:
        reached |= new
        new = {after for state in new for after in TABLE[state].values() if isinstance(after, str)} - reached  # type: ignore[index]
    assert reached == set(STATES)


def test_nothing_but_a_new_episode_opens_what_a_person_closed() -> None:
    opens = {"unacknowledged", "acknowledged", "shelved", "suppressed_by_design"}
    ways = {event for event, after in TABLE["closed_by_operator"].items() if after in opens}
    assert ways == {"raised", "raised_as_expected"}


def test_a_shelf_has_an_end_and_only_while_it_lasts() -> None:
    shelf = Shelve(id="c2", vehicle="v", by="m.ortiz", why="drive first", at=6, incident_id="i", until=90)
    raised, _ = step(UNRAISED, Event(kind="raised", at=3))
    shelved, (change,) = step(raised, Event(kind="shelve", at=7, command=shelf))
    assert (shelved.state, shelved.shelved_until) == ("shelved", 90)
    assert change.body()["until"] == rfc3339(90)
    longer, _ = step(shelved, Event(kind="shelve", at=8, command=replace(shelf, until=120)))
    assert longer.shelved_until == 120
    back, (change,) = step(longer, Event(kind="shelf_over", at=120))
    assert (back.state, back.shelved_until) == ("unacknowledged", None)
    assert (change.body()["by"], change.body()["what"], change.body()["at"]) == ("", "shelf_over", rfc3339(120))


def test_what_is_kept_of_a_step_says_who_when_and_why() -> None:
    raised, _ = step(UNRAISED, Event(kind="raised", at=3))
    _, (change,) = step(raised, Event(kind="acknowledge", at=7, command=GIVEN))
    assert change == Change(event="acknowledge", at=7, state="acknowledged", command=GIVEN)
    assert change.body() == {
        "what": "acknowledge", "id": "c1", "by": "m.ortiz", "why": "on it", "at": rfc3339(5), "state": "acknowledged",
        "refused": None,
    }  # fmt: skip


def test_an_objection_refuses_a_step_that_the_table_would_make() -> None:
    raised, _ = step(UNRAISED, Event(kind="raised", at=3))
    stands, (change,) = step(raised, Event(kind="close", at=7, command=GIVEN, objection=OLDER))
    assert (stands, change.refused) == (raised, OLDER.why)


def test_the_diagram_in_architecture_is_drawn_from_the_table() -> None:
    (drawn,) = re.findall(
        r"^```mermaid\n(.*?)^```$", (root() / "ARCHITECTURE.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert drawn == diagram()


def test_the_diagram_has_an_arrow_for_every_step_that_leads_elsewhere() -> None:
    arrows = {
        (one, other, event)
        for one, other, events in re.findall(r"^    (\w+) --> (\w+): (.+)$", diagram(), re.MULTILINE)
        for event in events.split(", ")
    }
    assert arrows == {
        (state, after, event)
        for state, row in TABLE.items()
        for event, after in row.items()
        if isinstance(after, str) and after != state
    }
