"""What is news: at once, later, or never. Read each test as a timeline; times are seconds on the relay's clock."""

from dataclasses import replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.incidents import Moment, Published, restore, revise, store
from pipeline.outputs import Revision
from pipeline.records import SECOND, Origin, Run
from pipeline.verdicts.incident import Incident

RUN = Run(id="r", origin="test")


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

    def at(self, seconds: float, *verdict: Incident, over: bool = False, late: bool = False) -> list[Revision]:
        at = round(seconds * SECOND)
        moment = Moment(at, at, over, late, Origin("t", 0, len(self.out)))
        changed, revisions = revise(self.published, verdict, moment, RUN, "m")
        self.published.update(changed)
        self.out += revisions
        return revisions


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
