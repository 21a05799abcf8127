"""What is news: at once, later, or never. Read each test as a timeline; times are seconds on the relay's clock."""

from dataclasses import replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands import Acknowledge, Close, IncidentCommand, Shelve
from pipeline.incidents import HISTORY_SHOWN, Moment, Published, restore, revise, store
from pipeline.mission.model import ExpectedLoss, Plan
from pipeline.outputs import Revision
from pipeline.people import Asked
from pipeline.records import SECOND, Origin, Run
from pipeline.verdicts.incident import Incident

RUN = Run(id="r", origin="test")
DAY = 86_400 * SECOND


def incident(raised: float = 33.0, ended: float | None = None, **changes: object) -> Incident:
    made = Incident(
        type="ended_before_landing", subject="v", vehicle="v", link="l", flight="72", severity="critical",
        highest_severity="critical", starts_at=round((raised - 3) * SECOND),
        episodes=((round(raised * SECOND), None if ended is None else round(ended * SECOND)),),
        close_reason=None if ended is None else "contact_restored", statement="s",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


class Timeline:
    """What goes out when the verdict says this at that moment."""

    def __init__(self) -> None:
        self.published: dict[str, Published] = {}
        self.out: list[Revision] = []
        self.asked: dict[str, list[Asked]] = {}
        self.plan = Plan()

    def at(self, seconds: float, *verdict: Incident, over: bool = False, late: bool = False) -> list[Revision]:
        at = round(seconds * SECOND)
        moment = Moment(at, at, over, late, Origin("t", 0, len(self.out)), at - 90 * DAY)
        changed, revisions = revise(self.published, verdict, moment, RUN, "m", self.asked, self.plan)
        self.published.update(changed)
        self.out += revisions
        return revisions

    def ask(self, command: type[IncidentCommand], seconds: float, name: str = "", **more: object) -> None:
        """Somebody asks for something, knowing all that was published."""
        (incident_id,) = {one.incident_id for one in self.out}
        known_at = max(round(seconds * SECOND), self.published[incident_id].known_at)
        given = command(
            id=name or f"c{seconds}", vehicle="v", by="m.ortiz", why="because", at=round(seconds * SECOND),
            incident_id=incident_id, **more,
        )  # fmt: skip
        self.asked.setdefault(incident_id, []).append(Asked(given, known_at))


def test_a_new_incident_is_news_at_once() -> None:
    line = Timeline()
    (one,) = line.at(33, incident())
    assert (one.kind, one.revision, one.state) == ("initial", 1, "open")


def test_nothing_changed_is_no_news() -> None:
    line = Timeline()
    line.at(33, incident())
    assert line.at(34, incident()) == line.at(80, incident()) == []


def test_a_change_of_severity_is_news_at_once() -> None:
    line = Timeline()
    line.at(33, incident(severity="notice"))
    (one,) = line.at(40, incident(severity="warning"))
    assert (one.kind, one.severity, one.changed) == ("update", "warning", ("severity",))


def test_another_text_waits_ten_seconds_at_most() -> None:
    line = Timeline()
    line.at(33, incident())
    assert line.at(40, incident(known=("a",))) == []
    assert line.at(49, incident(known=("a", "b"))) == []
    (one,) = line.at(50, incident(known=("a", "b", "c")))
    assert one.known == ("a", "b", "c")


def test_what_waits_goes_out_when_every_record_of_the_session_is_here() -> None:
    line = Timeline()
    line.at(33, incident())
    assert line.at(40, incident(known=("a",))) == []
    (one,) = line.at(41, incident(known=("a",)), over=True)
    assert one.known == ("a",)


def test_a_text_that_changes_back_before_it_was_told_is_no_news() -> None:
    line = Timeline()
    line.at(33, incident())
    line.at(40, incident(known=("a",)))
    assert line.at(41, incident()) == line.at(60, incident(), over=True) == []


def test_an_incident_closes_at_once_and_opens_again_at_once_with_the_same_id() -> None:
    line = Timeline()
    line.at(25, incident(25))
    (closed,) = line.at(28.4, incident(25, 28.4))
    again = incident(25, episodes=((25 * SECOND, 28 * SECOND), (35 * SECOND, None)))
    (opened,) = line.at(35, again)
    assert (closed.state, opened.state, opened.incident_id) == ("closed", "open", closed.incident_id)
    assert opened.revision == 3


def test_a_loss_that_never_was_is_retracted() -> None:
    line = Timeline()
    line.at(13, incident(13))
    (one,) = line.at(129)
    assert (one.kind, one.state, one.close_reason) == ("retraction", "retracted", "frames_were_late")
    assert one.ended_at == 129 * SECOND
    assert line.at(140) == []


def test_late_frames_that_come_in_pieces_change_no_severity_on_the_way() -> None:
    line = Timeline()
    line.at(13, incident(13))
    assert line.at(129, incident(34, severity="warning"), late=True) == []
    (one,) = line.at(129.1)
    assert (one.state, one.raised_at, one.severity) == ("retracted", 13 * SECOND, "critical")


def test_a_thousand_flaps_in_a_minute_are_two_notices_and_a_count() -> None:
    line = Timeline()
    for flap in range(1000):
        past = tuple((10 * SECOND + n, 10 * SECOND + n + 1) for n in range(flap))
        line.at(10 + flap * 0.06, incident(episodes=(*past, (11 * SECOND, None))))
        closed = incident(episodes=(*past, (11 * SECOND, 12 * SECOND)), close_reason="relay_restored")
        line.at(10.03 + flap * 0.06, closed)
    line.at(80, closed)
    assert len(line.out) == 2
    assert (line.out[-1].state, len(line.out[-1].episodes)) == ("closed", 1000)


def test_an_incident_told_under_another_flights_name_closes_as_superseded() -> None:
    line = Timeline()
    line.at(33, incident(flight="2024-01-18T12:00:10Z"))
    renamed, other = sorted(line.at(200, incident(flight="72")), key=lambda one: one.kind)
    assert (renamed.kind, renamed.flight) == ("initial", "72")
    assert (other.state, other.close_reason) == ("closed", "superseded")


@given(ended=st.none() | st.floats(34, 90), known=st.lists(st.text(max_size=5), max_size=3), late=st.booleans())
def test_what_is_stored_of_an_incident_comes_back_as_it_was(ended: float | None, known: list[str], late: bool) -> None:
    line = Timeline()
    line.at(33, incident())
    line.at(40, incident(33, ended, known=tuple(known)), late=late)
    for published in line.published.values():
        assert restore(orjson.loads(orjson.dumps(store(published)))) == published


def test_what_people_ask_for_is_news_at_once_also_while_the_incident_flaps() -> None:
    line = Timeline()
    line.at(33, incident())
    line.ask(Acknowledge, 33.1)
    (one,) = line.at(33.1, incident())
    assert (one.kind, one.changed, one.people["state"]) == ("update", ("people",), "acknowledged")
    assert line.at(33.2, incident()) == line.at(90, incident()) == []


def test_closed_by_a_person_is_latched_until_a_new_episode() -> None:
    line = Timeline()
    line.at(25, incident(25))
    line.ask(Close, 30)
    (closed,) = line.at(30, incident(25))
    assert (closed.state, closed.close_reason, closed.ended_at) == ("closed", "operator", 30 * SECOND)
    # The verdict has it open, then closed, and changes its words: it stays what the person made of it.
    for seconds, verdict in ((40, incident(25)), (60, incident(25, known=("a",))), (80, incident(25, 75.0))):
        assert all((one.state, one.close_reason) == ("closed", "operator") for one in line.at(seconds, verdict))
    again = incident(25, episodes=((25 * SECOND, 75 * SECOND), (95 * SECOND, None)), close_reason=None)
    (opened,) = line.at(95, again)
    assert (opened.state, opened.close_reason, opened.ended_at) == ("open", None, None)
    assert opened.people["state"] == "unacknowledged"
    assert opened.incident_id == closed.incident_id


def test_a_shelf_that_is_over_is_news_at_once() -> None:
    line = Timeline()
    line.at(33, incident())
    line.ask(Shelve, 40, until=50 * SECOND)
    (shelved,) = line.at(40, incident())
    assert (shelved.state, shelved.people["state"]) == ("open", "shelved")
    assert line.at(49.9, incident()) == []
    (back,) = line.at(50, incident())
    assert (back.people["state"], back.changed) == ("unacknowledged", ("people",))


def test_what_was_asked_of_an_incident_before_its_retraction_stands_and_later_it_is_refused() -> None:
    line = Timeline()
    line.at(13, incident(13))
    line.ask(Acknowledge, 100)
    line.at(100, incident(13))
    (gone,) = line.at(100)
    assert (gone.kind, gone.people["state"]) == ("retraction", "retracted")
    line.ask(Close, 100, name="late")
    (told,) = line.at(100)
    assert (told.state, told.revision) == ("retracted", 4)
    assert [(one["what"], one["refused"]) for one in told.people["history"]] == [
        ("acknowledge", None), ("close", "it is retracted: what it said never was"),
    ]  # fmt: skip
    # What the evidence has again is another episode: nobody has seen it yet.
    (again,) = line.at(500, incident(480))
    assert (again.state, again.people["state"]) == ("open", "unacknowledged")


def test_what_was_closed_by_a_person_and_goes_on_under_another_name_is_superseded() -> None:
    line = Timeline()
    line.at(33, incident(flight="2024-01-18T12:00:10Z"))
    line.ask(Close, 40)
    line.at(40, incident(flight="2024-01-18T12:00:10Z"))
    other = next(one for one in line.at(200, incident(flight="72")) if one.flight != "72")
    assert (other.state, other.close_reason, other.people["state"]) == ("closed", "superseded", "closed")


def test_what_outlasts_the_plan_has_to_be_acknowledged_anew() -> None:
    line = Timeline()
    line.plan = Plan(
        expected_losses=(ExpectedLoss(name="hill", vehicle="v", starts_at=0, ends_at=90 * SECOND, reason="a hill"),)
    )
    expected = incident(severity="notice", evidence={"expected_by_plan": "hill"})
    assert line.at(33, expected)[0].people["state"] == "suppressed_by_design"
    line.ask(Acknowledge, 40)
    assert line.at(40, expected)[0].people["state"] == "acknowledged"
    (late,) = line.at(90, incident(severity="warning", evidence={"expected_by_plan": "hill"}))
    assert (late.severity, late.people["state"]) == ("warning", "unacknowledged")


def test_a_revision_carries_the_newest_steps_and_how_many_came_before() -> None:
    line = Timeline()
    line.at(33, incident())
    for count in range(HISTORY_SHOWN + 5):
        line.ask(Acknowledge, 40 + count)
    (one,) = line.at(99, incident())
    assert (len(one.people["history"]), one.people["earlier"]) == (HISTORY_SHOWN, 5)
    assert one.people["history"][-1]["id"] == f"c{40 + HISTORY_SHOWN + 4}"


def test_what_is_stored_of_peoples_part_comes_back_as_it_was() -> None:
    line = Timeline()
    line.at(13, incident(13))
    line.ask(Close, 20)
    line.at(20, incident(13))
    line.at(40)
    (published,) = line.published.values()
    assert published.withdrawn_at is not None
    assert restore(orjson.loads(orjson.dumps(store(published)))) == published


def test_late_data_amend_a_closed_incident_for_ninety_days_and_no_longer() -> None:
    line = Timeline()
    line.at(33, incident())
    line.at(60, incident(33, 50))
    (one,) = line.at(89 * 86_400, incident(33, 50, known=("the log",)), over=True)
    assert one.known == ("the log",)
    assert line.at(91 * 86_400, incident(33, 50, known=("another log",)), over=True) == []
    assert line.at(92 * 86_400, over=True) == []


def test_an_incident_that_is_still_open_closes_whenever_contact_comes_back() -> None:
    line = Timeline()
    line.at(33, incident())
    (one,) = line.at(200 * 86_400, incident(33, 200 * 86_400))
    assert one.state == "closed"
