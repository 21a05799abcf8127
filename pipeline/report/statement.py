"""An alert in plain words: what a person reads of a revision, and the whole statement on an incident. Knows words and
the width of a page; knows neither terminal nor clock. The sentences themselves come from the rules."""

import datetime as dt
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pipeline.records import SECOND
from pipeline.report.alert import Alert
from pipeline.verdicts.words import instant

WIDEST: Final = 110
NARROWEST: Final = 40
_LABEL: Final = 12
_LABELLED_FROM: Final = 64
"""On a page narrower than this a label stands above its text, not beside it."""


def news(alert: Alert, before: Alert | None = None, *, width: int = WIDEST) -> list[str]:
    """What this revision says, for someone who has read `before` (None: nothing yet): the lines of one block.

    The first says what happened to the incident; sentences that were read before are not said again.
    """
    page = _Page(width)
    page.write(_happened(alert, before), _subject(alert))
    if before is None or before.statement != alert.statement:
        page.write("", alert.statement)
    page.write("", _times(alert))
    page.write("", _weighed(alert, before))
    for label, said, earlier in (
        ("known", alert.known, before.known if before else ()),
        ("inferred", alert.inferred, before.inferred if before else ()),
        ("not known", alert.not_known, before.not_known if before else ()),
        ("what next", alert.what_next, before.what_next if before else ()),
    ):
        page.write_all(label, [sentence for sentence in said if sentence not in earlier])
    page.write_all("people", _steps(alert, before))
    if before is not None:
        still = {*alert.known, *alert.inferred, *alert.not_known}
        page.write_all("withdrawn", [one for one in _sentences(before) if one not in still])
    run = f"{alert.origin}, run {alert.run}" if alert.run else alert.origin
    page.write("", f"revision {alert.revision}; {run}")
    return page.lines


def statement(alert: Alert, *, width: int = WIDEST) -> list[str]:
    """All that is to be said of an incident: how it stands, known, inferred, not known, and what comes next."""
    page = _Page(width)
    page.write("statement", alert.statement)
    page.write("", _times(alert))
    page.write_all("known", alert.known)
    page.write_all("inferred", alert.inferred)
    page.write_all("not known", alert.not_known)
    page.write_all("what next", alert.what_next)
    page.write_all("people", _steps(alert, None))
    return page.lines


def _happened(alert: Alert, before: Alert | None) -> str:
    if alert.state == "retracted":
        return "RETRACTED"
    if alert.revision == 1:
        return "RAISED"
    was = before.state if before is not None else None
    if was == alert.state or (was is None and "state" not in alert.changed):
        return "AMENDED"
    return "CLOSED" if alert.state == "closed" else "RE-OPENED"


def _subject(alert: Alert) -> str:
    flight = f", flight {alert.flight}" if alert.flight else ""
    return f"{alert.severity}: {alert.type}, {alert.subject}{flight}"


def _times(alert: Alert) -> str:
    raised = f"Raised at {utc(alert.raised_at)}"
    if len(alert.episodes) > 1:
        raised += f", {len(alert.episodes)} episodes"
    if alert.state == "open":
        return f"{raised}; open."
    at = f" at {utc(alert.ended_at)}" if alert.ended_at else ""
    return f"{raised}; {alert.state}{at}{f': {alert.close_reason}' if alert.close_reason else ''}."


def _weighed(alert: Alert, before: Alert | None) -> str:
    parts = []
    if before is not None and before.severity != alert.severity:
        parts.append(f"Severity was {before.severity}.")
    if alert.confirmed and not (before is not None and before.confirmed):
        parts.append("Confirmed by further listening.")
    return " ".join(parts)


_DONE: Final = {"acknowledge": "Acknowledged", "shelve": "Shelved", "unshelve": "Un-shelved", "close": "Closed"}


def _steps(alert: Alert, before: Alert | None) -> list[str]:
    """What people did since `before`, a sentence each."""
    known = [] if before is None else before.people.get("history", [])
    return [_step(one) for one in alert.people.get("history", []) if one not in known]


def _step(step: Mapping[str, Any]) -> str:
    what, at = step["what"], utc(step["at"])
    if what == "shelf_over":
        return f"The shelf was over at {at}."
    done = _DONE.get(what, what) + (f" until {utc(step['until'])}" if step.get("until") else "")
    by = f"by {step['by']} at {at}: {step['why']}"
    if step["refused"]:
        return f"Not {done[0].lower()}{done[1:]}, asked for {by} (refused: {step['refused']})."
    return f"{done} {by}."


def _sentences(alert: Alert) -> Iterator[str]:
    yield from alert.known
    yield from alert.inferred
    yield from alert.not_known


def utc(text: str) -> str:
    """2024-01-18T12:00:33.000000000Z as the rules write instants: 2024-01-18 12:00:33.0 UTC."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    seconds = int((dt.datetime.fromisoformat(whole) - dt.datetime(1970, 1, 1)).total_seconds())
    return instant(seconds * SECOND + int(rest.ljust(9, "0")[:9] or 0))


class _Page:
    """Lines of text, each with its label beside it or, on a narrow page, above it."""

    def __init__(self, width: int) -> None:
        self.width = max(NARROWEST, min(width, WIDEST))
        self.lines: list[str] = []

    def write(self, label: str, text: str) -> None:
        if text:
            self.write_all(label, [text])

    def write_all(self, label: str, texts: Iterable[str]) -> None:
        is_beside = self.width >= _LABELLED_FROM
        indent = " " * (_LABEL if is_beside else 2)
        for text in texts:
            if label and not is_beside:
                self.lines.append(label)
            first = label.ljust(_LABEL) if is_beside else indent
            self.lines += textwrap.wrap(
                text, self.width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
            )
            label = ""
