from dataclasses import replace

import pytest

from pipeline.report.alert import Alert, Episode, alert_of
from pipeline.report.statement import news, statement, utc
from tests.report.test_alert import example


def raised() -> Alert:
    return replace(
        alert_of(example()), statement="Flight 72: communications ended early, before landing.",
        known=("Take-off at noon.",), inferred=("Touchdown about then.",), not_known=("Why.",),
        what_next=("A window tomorrow.",),
    )  # fmt: skip


def closed() -> Alert:
    end = "2024-01-20T12:00:06.000000000Z"
    return replace(
        raised(), revision=2, kind="update", state="closed", ended_at=end, close_reason="contact_restored",
        known=("Take-off at noon.", "Heard again two days later."), changed=("state", "known"),
        episodes=(Episode(raised_at=raised().raised_at, ended_at=end),),
    )  # fmt: skip


def test_a_raised_alert_says_all_it_knows():
    assert news(raised()) == [
        "RAISED      critical: ended_before_landing, ingenuity, flight 72",
        "            Flight 72: communications ended early, before landing.",
        "            Raised at 2024-01-18 12:00:33.0 UTC; open.",
        "known       Take-off at noon.",
        "inferred    Touchdown about then.",
        "not known   Why.",
        "what next   A window tomorrow.",
        "            revision 1; live",
    ]


def test_a_revision_says_only_what_is_new_to_its_reader():
    assert news(closed(), raised()) == [
        "CLOSED      critical: ended_before_landing, ingenuity, flight 72",
        "            Raised at 2024-01-18 12:00:33.0 UTC; closed at 2024-01-20 12:00:06.0 UTC: contact_restored.",
        "known       Heard again two days later.",
        "            revision 2; live",
    ]


def test_a_revision_whose_forerunner_was_not_read_says_everything():
    lines = news(closed())
    assert lines[0].startswith("CLOSED")
    assert "known       Take-off at noon." in lines


def test_what_is_no_longer_said_is_withdrawn():
    assert "withdrawn   Touchdown about then." in news(replace(closed(), inferred=()), raised())


@pytest.mark.parametrize(
    "alert,before,word",
    [
        (replace(closed(), changed=("known",)), closed(), "AMENDED"),
        (replace(closed(), changed=("known",)), None, "AMENDED"),
        (replace(raised(), revision=3), closed(), "RE-OPENED"),
        (replace(closed(), state="retracted", close_reason="frames_were_late"), raised(), "RETRACTED"),
    ],
)
def test_the_first_word_says_what_happened_to_the_incident(alert, before, word):
    assert news(alert, before)[0].startswith(f"{word} ")


def test_a_change_of_severity_and_a_confirmation_are_said():
    lines = news(replace(raised(), revision=2, confirmed=True), replace(raised(), severity="notice"))
    assert "            Severity was notice. Confirmed by further listening." in lines


def test_the_statement_says_how_the_incident_stands_and_what_is_not_known():
    assert statement(closed()) == [
        "statement   Flight 72: communications ended early, before landing.",
        "            Raised at 2024-01-18 12:00:33.0 UTC; closed at 2024-01-20 12:00:06.0 UTC: contact_restored.",
        "known       Take-off at noon.",
        "            Heard again two days later.",
        "inferred    Touchdown about then.",
        "not known   Why.",
        "what next   A window tomorrow.",
    ]


@pytest.mark.parametrize("width", [1, 40, 63, 64, 80, 300])
def test_no_line_is_wider_than_the_page(width):
    lines = [*news(closed()), *statement(closed())]
    narrow = [*news(closed(), width=width), *statement(closed(), width=width)]
    assert max(map(len, narrow)) <= max(40, min(width, 110))
    assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    "text,words",
    [
        ("2024-01-18T12:00:33.000000000Z", "2024-01-18 12:00:33.0 UTC"),
        ("2024-01-18T12:00:33.960000000Z", "2024-01-18 12:00:34.0 UTC"),
        ("1969-12-31T23:59:59Z", "1969-12-31 23:59:59.0 UTC"),
    ],
)
def test_an_instant_is_written_as_the_rules_write_it(text, words):
    assert utc(text) == words


def step(what: str, refused: str | None = None, **more: str) -> dict[str, object]:
    return {
        "what": what, "id": what, "by": "m.ortiz", "why": "the rover drives", "at": "2024-01-18T12:10:00.000000000Z",
        "state": "acknowledged", "refused": refused, **more,
    }  # fmt: skip


def test_what_people_did_is_told_once_each_with_who_when_and_why():
    acknowledged = replace(raised(), revision=2, changed=("people",), people={"history": [step("acknowledge")]})
    assert news(acknowledged, raised())[:-1] == [
        "AMENDED     critical: ended_before_landing, ingenuity, flight 72",
        "            Raised at 2024-01-18 12:00:33.0 UTC; open.",
        "people      Acknowledged by m.ortiz at 2024-01-18 12:10:00.0 UTC: the rover drives.",
    ]
    later = [
        step("shelve", until="2024-01-18T13:00:00.000000000Z"), step("close", refused="it is late"),
        step("shelf_over", by="", why=""),
    ]  # fmt: skip
    both = replace(acknowledged, revision=3, people={"history": [step("acknowledge"), *later]})
    told = news(both, acknowledged, width=200)[2:-1]
    assert " ".join(" ".join(told).split()) == (
        "people Shelved until 2024-01-18 13:00:00.0 UTC by m.ortiz at 2024-01-18 12:10:00.0 UTC: the rover drives. "
        "Not closed, asked for by m.ortiz at 2024-01-18 12:10:00.0 UTC: the rover drives (refused: it is late). "
        "The shelf was over at 2024-01-18 12:10:00.0 UTC."
    )
    assert "people      Acknowledged" in "\n".join(statement(both))
