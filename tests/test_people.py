"""What people asked for, folded: into the life of an incident, and into the plan. Times are seconds."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands import (
    Acknowledge,
    Close,
    Given,
    IncidentCommand,
    PlanCommand,
    RemoveEntry,
    SetExpectedLoss,
    SetWindow,
    Shelve,
    Unshelve,
)
from pipeline.lifecycle import OLDER, PASSED
from pipeline.mission.model import ExpectedLoss, Plan, Window
from pipeline.people import Asked, People, facts_of, live
from pipeline.records import SECOND, Origin

CLASSES: dict[str, type[IncidentCommand]] = {"ack": Acknowledge, "shelve": Shelve, "unshelve": Unshelve, "close": Close}
FOREVER = 10**9


def ask(what: str, at: float, known: float | None = None, until: float = FOREVER, name: str = "") -> Asked:
    """`what` was given at `at`, when `known` was known of the relay's clock."""
    more: dict[str, Any] = {"until": round(until * SECOND)} if what == "shelve" else {}
    command = CLASSES[what](
        id=name or f"{what}{at}",
        vehicle="v",
        by="m.ortiz",
        why="because",
        at=round(at * SECOND),
        incident_id="i",
        **more,
    )
    return Asked(command, round((at if known is None else known) * SECOND))


def story(*episodes: tuple[float, float | None], watermark: float = 1000, asked: tuple[Asked, ...] = ()) -> list[str]:
    """Each step of people and the shelf, with what came of it; then where the incident stands."""
    facts = facts_of([(round(a * SECOND), None if b is None else round(b * SECOND)) for a, b in episodes])
    life, history = live(facts, asked, round(watermark * SECOND))
    return [f"{one.event}: {one.refused or one.state}" for one in history] + [life.state]


def test_an_incident_that_nobody_speaks_of_is_unacknowledged_until_it_ends_and_after() -> None:
    assert story((33, None)) == ["unacknowledged"]
    assert story((33, 90)) == ["closed_unacknowledged"]
    assert story((33, 90), (200, None)) == ["unacknowledged"]


def test_what_was_acknowledged_closes_for_good_when_it_ends() -> None:
    assert story((33, None), asked=(ask("ack", 40),)) == ["acknowledge: acknowledged", "acknowledged"]
    assert story((33, 90), asked=(ask("ack", 40),)) == ["acknowledge: acknowledged", "closed"]
    assert story((33, 90), asked=(ask("ack", 100),)) == ["acknowledge: closed", "closed"]


def test_a_new_episode_has_to_be_acknowledged_anew() -> None:
    assert story((33, 90), (200, None), asked=(ask("ack", 40),))[-1] == "unacknowledged"


def test_a_shelf_ends_by_the_relays_clock_and_not_by_that_of_a_person() -> None:
    shelf = ask("shelve", 40, until=300)
    assert story((33, None), watermark=299.9, asked=(shelf,)) == ["shelve: shelved", "shelved"]
    over = ["shelve: shelved", "shelf_over: unacknowledged", "unacknowledged"]
    assert story((33, None), watermark=300, asked=(shelf,)) == over
    # Replayed years later: the clock of whoever shelves it says nothing.
    years = ask("shelve", 10**8, known=40, until=300)
    assert story((33, None), watermark=299.9, asked=(years,))[-1] == "shelved"
    assert story((33, None), watermark=300, asked=(years,)) == over


def test_a_shelf_that_is_over_can_be_followed_by_any_step() -> None:
    asked = (ask("shelve", 40, until=60), ask("ack", 70))
    assert story((33, None), asked=asked) == [
        "shelve: shelved", "shelf_over: unacknowledged", "acknowledge: acknowledged", "acknowledged",
    ]  # fmt: skip


def test_what_is_shelved_is_unshelved_before_it_is_acknowledged() -> None:
    asked = (ask("shelve", 40), ask("ack", 50), ask("unshelve", 60), ask("ack", 70))
    assert story((33, None), asked=asked)[1:] == [
        "acknowledge: it is shelved: un-shelve it first", "unshelve: unacknowledged", "acknowledge: acknowledged",
        "acknowledged",
    ]  # fmt: skip


def test_a_shelf_until_a_time_that_has_passed_is_refused() -> None:
    assert story((33, None), asked=(ask("shelve", 40, until=39),)) == [f"shelve: {PASSED.why}", "unacknowledged"]


def test_closed_by_a_person_stays_closed_when_the_evidence_ends_it_too() -> None:
    assert story((33, None), asked=(ask("close", 40),))[-1] == "closed_by_operator"
    assert story((33, 90), asked=(ask("close", 40),))[-1] == "closed_by_operator"


def test_closed_by_a_person_opens_again_with_a_new_episode_only() -> None:
    assert story((33, 90), (200, None), asked=(ask("close", 40),))[-1] == "unacknowledged"
    assert story((33, 90), (200, 210), asked=(ask("close", 40),))[-1] == "closed_unacknowledged"
    # An episode whose times late data moves is the same one.
    assert story((36, None), asked=(ask("close", 40),))[-1] == "closed_by_operator"


def test_what_the_evidence_has_closed_is_not_closed_again_by_a_person() -> None:
    assert story((33, 38), asked=(ask("close", 40),)) == [
        "close: the evidence has closed it already", "closed_unacknowledged",
    ]  # fmt: skip


def test_a_command_speaks_of_no_episode_that_came_after_what_was_known() -> None:
    """Given later than another, but by someone who knew less."""
    asked = (ask("ack", 1, known=250), ask("close", 2, known=100))
    assert story((33, 90), (200, None), asked=asked) == [
        "acknowledge: acknowledged", f"close: {OLDER.why}", "acknowledged",
    ]  # fmt: skip


def test_where_late_data_leave_no_episode_before_a_command_it_is_refused() -> None:
    assert story((50, None), asked=(ask("close", 40),)) == [
        "close: the evidence now has it raised after this command", "unacknowledged",
    ]  # fmt: skip


def test_what_the_plan_predicts_is_suppressed_by_design_until_it_outlasts_the_plan() -> None:
    episode = [(33 * SECOND, None)]

    def stands(overrun_at: int | None, *asked: Asked) -> str:
        return live(facts_of(episode, expected=True, overrun_at=overrun_at), asked, 1000 * SECOND)[0].state

    assert stands(None) == "suppressed_by_design"
    assert stands(None, ask("ack", 40)) == "acknowledged"
    assert stands(120 * SECOND) == "unacknowledged"
    assert stands(120 * SECOND, ask("ack", 40)) == "unacknowledged"
    assert stands(120 * SECOND, ask("ack", 130)) == "acknowledged"
    assert stands(120 * SECOND, ask("close", 40)) == "closed_by_operator"
    # The plan's time was over before the silence was long enough to be said.
    assert stands(32 * SECOND) == "unacknowledged"


def test_an_outage_that_ends_on_another_clock_than_it_began_is_told_in_order() -> None:
    facts = facts_of([(100, 40), (60, None)])
    assert [(one.kind, one.at) for one in facts] == [("raised", 100), ("ended", 100), ("raised", 100)]


_COMMANDS = st.lists(
    st.builds(
        ask, st.sampled_from(sorted(CLASSES)), st.integers(34, 300), st.integers(34, 300), st.integers(60, 400),
        st.sampled_from(["", "same"]),
    ),
    max_size=9,
)  # fmt: skip
_EPISODES = st.sampled_from([
    ((33, None),), ((33, 90),), ((33, 90), (120, None)), ((33, 90), (120, 130)), ((33, 90), (120, 130), (250, None)),
])  # fmt: skip


@given(asked=_COMMANDS, episodes=_EPISODES, seed=st.integers(0, 99), watermark=st.integers(300, 500))
def test_the_order_in_which_commands_come_changes_nothing(
    asked: list[Asked], episodes: Any, seed: int, watermark: int
) -> None:
    shuffled = random.Random(seed).sample(asked, len(asked))
    assert story(*episodes, watermark=watermark, asked=tuple(shuffled)) == story(
        *episodes, watermark=watermark, asked=tuple(asked)
    )


def people(asked: list[Any]) -> People:
    kept = People()
    for place, command in enumerate(asked):
        kept.take(Given(vehicle="v", origin=Origin("relay.commands", 0, place), command=command), 7)
    return kept


@given(asked=_COMMANDS, again=st.lists(st.integers(0, 8), max_size=6))
def test_a_command_that_comes_again_is_one_command(asked: list[Asked], again: list[int]) -> None:
    commands = [one.command for one in asked]
    repeated = commands + [commands[place] for place in again if place < len(commands)]
    assert people(repeated).asked == people(list(dict.fromkeys(commands))).asked


# -- the plan ------------------------------------------------------------------------------------------------------


def window(name: str, starts_at: int, ends_at: int, *, at: int = 0, link: str = "l", vehicle: str = "v") -> SetWindow:
    one = Window(name=name, vehicle=vehicle, link=link, starts_at=starts_at, ends_at=ends_at)
    return SetWindow(id=f"{name}{at}", vehicle=vehicle, by="m.ortiz", why="because", at=at, name=name, window=one)


def loss(name: str, *, at: int = 0, below_m: float | None = None) -> SetExpectedLoss:
    one = ExpectedLoss(name=name, vehicle="v", starts_at=0, ends_at=SECOND, reason="a hill", below_m=below_m)
    return SetExpectedLoss(
        id=f"{name}{at}", vehicle="v", by="m.ortiz", why="because", at=at, name=name, expected_loss=one
    )


def remove(name: str, *, at: int = 0, entry: Any = "window") -> RemoveEntry:
    return RemoveEntry(id=f"-{name}{at}", vehicle="v", by="m.ortiz", why="because", at=at, name=name, entry=entry)


BASE = Plan(windows=(window("noon", 100, 200).window,), sleeps=(("v", 1, 2),))


def planned(*commands: PlanCommand) -> tuple[dict[str, tuple[int, int]], list[str], list[str]]:
    """(windows, expected losses, refusals) of the plan after these commands."""
    plan, refused = people(list(commands)).plan(BASE)
    assert plan.sleeps == BASE.sleeps
    return (
        {one.name: (one.starts_at, one.ends_at) for one in plan.windows},
        [one.name for one in plan.expected_losses],
        list(refused.values()),
    )


def test_an_entry_is_added_replaced_and_removed_by_its_name() -> None:
    assert planned(window("dusk", 300, 400))[0] == {"noon": (100, 200), "dusk": (300, 400)}
    assert planned(window("noon", 300, 400))[0] == {"noon": (300, 400)}
    assert planned(remove("noon"))[0] == {}
    assert planned(loss("hill"))[1:] == (["hill"], [])
    assert planned(loss("hill"), remove("hill", at=1, entry="expected_loss"))[1:] == ([], [])


def test_of_two_changes_of_one_entry_the_later_given_counts_in_whatever_order_they_come() -> None:
    first, second = window("noon", 300, 400, at=1), window("noon", 500, 600, at=2)
    assert planned(first, second) == planned(second, first) == ({"noon": (500, 600)}, [], [])


@pytest.mark.parametrize(
    ("commands", "line"),
    [
        ([window("late", 150, 250)], "window 'late' overlaps window 'noon' of the same vehicle and link"),
        ([remove("dusk")], "the plan has no window 'dusk'"),
        ([remove("noon", entry="expected_loss")], "the plan has no expected loss 'noon'"),
        ([window("noon", 1, 2, vehicle="w")], "window 'noon' is one of vehicle 'v'"),
    ],
)
def test_a_change_that_the_plan_cannot_take_is_refused_and_changes_nothing(
    commands: list[PlanCommand], line: str
) -> None:
    assert planned(*commands) == ({"noon": (100, 200)}, [], [line])


def test_windows_of_another_link_may_overlap() -> None:
    assert planned(window("late", 150, 250, link="m"))[2] == []


def test_a_refused_change_counts_once_an_earlier_one_that_comes_late_makes_room_for_it() -> None:
    late = window("late", 150, 250, at=5)
    assert planned(late, remove("noon", at=3)) == ({"late": (150, 250)}, [], [])


@given(st.lists(st.builds(
    lambda kind, name, at, start: (
        remove(name, at=at) if kind == "remove" else window(name, start, start + 90, at=at) if kind == "set"
        else loss(name, at=at)
    ),
    st.sampled_from(["set", "remove", "loss"]), st.sampled_from(["noon", "dusk", "dawn"]), st.integers(0, 9),
    st.integers(0, 300),
), max_size=8), st.integers(0, 99))  # fmt: skip
def test_the_plan_does_not_depend_on_the_order_in_which_changes_come(commands: list[PlanCommand], seed: int) -> None:
    shuffled = random.Random(seed).sample(commands, len(commands))
    assert planned(*commands) == planned(*shuffled, *shuffled[:3])
    windows = sorted(planned(*commands)[0].values())
    assert all(before[1] <= after[0] for before, after in zip(windows, windows[1:]))


def test_what_was_asked_for_is_stored_and_comes_back_each_chunk_small() -> None:
    commands = [
        ask("ack", 1).command,
        ask("shelve", 2).command,
        window("dusk", 3 * SECOND, 4 * SECOND),
        loss("hill", below_m=8.0),
    ]
    kept, again = people(commands), People()
    for place in range(len(commands)):
        name = f"command/relay.commands/0@{place}"
        octets = orjson.dumps(kept.dump(name))
        assert len(octets) < 4096
        again.load(name, orjson.loads(octets))
    assert (again.asked, again.plan(BASE)) == (kept.asked, kept.plan(BASE))
    assert again.take(Given(vehicle="v", origin=Origin("relay.commands", 0, 99), command=commands[0]), 8) is None
