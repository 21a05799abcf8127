"""What a scenario says must come out, against what came out. Knows outputs and scenarios; runs nothing."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pipeline.mission.model import SECOND
from pipeline.outputs import Flight, Revision, rfc3339
from pipeline.simulate.scenario import Expected, ExpectedFlight, ExpectedMissing, Scenario

MOST_REVISIONS: Final = 6
"""Of one incident, where the records come in the order in which they were received."""


def differences(scenario: Scenario, revisions: Iterable[Revision], flights: Iterable[Flight]) -> list[str]:
    """Every difference between the final result and the scenario's truth, a line each; none where it is as it must
    be. Does not judge the way to it: see `noise`."""
    last: dict[str, Revision] = {}
    first: dict[str, Revision] = {}
    for revision in revisions:
        first.setdefault(revision.incident_id, revision)
        last[revision.incident_id] = revision
    ledger = {(flight.vehicle, flight.name): flight.facts for flight in flights}
    found: list[str] = []
    unmatched = dict(last)
    for expected in scenario.expect:
        matching = [name for name, one in unmatched.items() if _is(scenario, expected, one)]
        if not matching:
            found.append(
                f"no {expected.type} of {_subject(scenario, expected)}; expected one at {expected.raised_s:g} s"
            )
            continue
        incident = unmatched.pop(matching[0])
        found += [f"{expected.type}: {one}" for one in _incident(scenario, expected, first[matching[0]], incident)]
    found += [
        f"{one.type} of {one.subject} at {_seconds(scenario, one.raised_at):g} s was not expected: {one.statement}"
        for one in unmatched.values()
        if one.state != "retracted" and one.close_reason != "superseded" and one.type not in scenario.tolerate
    ]
    for flight in scenario.expect_flights:
        found += _flight(scenario, flight, ledger)
    for missing in scenario.expect_missing:
        found += _missing(scenario, missing, ledger)
    return found + list(_dispositions(scenario, ledger))


def noise(scenario: Scenario, revisions: Iterable[Revision]) -> list[str]:
    """What was said too often, or taken back without need, on the way to the final result."""
    made: dict[str, list[Revision]] = {}
    for revision in revisions:
        made.setdefault(revision.incident_id, []).append(revision)
    expected = {one.type for one in scenario.expect if one.state == "retracted"}
    found = [f"{name}: {len(row)} revisions" for name, row in made.items() if len(row) > MOST_REVISIONS]
    return found + [
        f"{name}: raised and retracted"
        for name, row in made.items()
        if row[0].type not in expected and any(one.state == "retracted" for one in row)
    ]


def _subject(scenario: Scenario, expected: Expected) -> str:
    return expected.link or expected.vehicle or scenario.mission.vehicles[0].name


def _is(scenario: Scenario, expected: Expected, incident: Revision) -> bool:
    return (
        incident.type == expected.type
        and incident.subject == _subject(scenario, expected)
        and (not expected.flight or incident.flight == expected.flight)
    )


def _seconds(scenario: Scenario, at: int) -> float:
    return (at - scenario.starts_at) / SECOND


def _incident(scenario: Scenario, expected: Expected, first: Revision, last: Revision) -> Iterator[str]:
    for name, wanted, got in (
        ("severity", expected.severity, last.severity),
        ("first severity", expected.first_severity or first.severity, first.severity),
        ("highest severity", expected.highest_severity or last.highest_severity, last.highest_severity),
        ("state", expected.state, last.state),
        ("close reason", expected.close_reason or None, last.close_reason),
        ("episodes", expected.episodes, len(last.episodes)),
    ):
        if wanted != got:
            yield f"{name} is {got}; expected {wanted}"
    raised = _seconds(scenario, last.raised_at)
    if abs(raised - expected.raised_s) > expected.tolerance_s + 1e-9:
        yield f"raised at {raised:g} s; expected {expected.raised_s:g} ± {expected.tolerance_s:g} s"
    if expected.ended_s is not None:
        ended = None if last.ended_at is None else _seconds(scenario, last.ended_at)
        if ended is None or abs(ended - expected.ended_s) > expected.ended_tolerance_s + 1e-9:
            yield f"ended at {ended} s; expected {expected.ended_s:g} ± {expected.ended_tolerance_s:g} s"


Ledger = dict[tuple[str, str], dict[str, Any]]


def _flight(scenario: Scenario, expected: ExpectedFlight, ledger: Ledger) -> Iterator[str]:
    vehicle = expected.vehicle or scenario.mission.vehicles[0].name
    name = f"flight {expected.number} of {vehicle}"
    number = None if expected.number < 0 else expected.number
    own = [one for (of, flight), one in ledger.items() if flight and of == vehicle and one.get("number") == number]
    if number is None:
        name = f"the flight of {vehicle} that takes off at {expected.take_off_s} s"
        own.sort(key=lambda one: one["takeoff_at"] != _instant(scenario, expected.take_off_s or 0.0))
    facts = next(iter(own), None)
    if facts is None:
        yield f"{name} is not in the ledger"
        return
    if expected.take_off_s is not None and facts["takeoff_at"] != _instant(scenario, expected.take_off_s):
        yield f"{name}: take-off at {facts['takeoff_at']}; expected {_instant(scenario, expected.take_off_s)}"
    landed = facts["landing_confirmed_at"] is not None
    if landed is (expected.landing == "not_seen"):
        yield f"{name}: landing confirmed at {facts['landing_confirmed_at']}; expected {expected.landing}"
    if (facts["state"] == "landed") is (expected.landing == "not_seen"):
        yield f"{name}: state {facts['state']}; expected landing {expected.landing}"


def _instant(scenario: Scenario, seconds: float) -> str:
    return rfc3339(scenario.at(seconds)) or ""


def _missing(scenario: Scenario, expected: ExpectedMissing, ledger: Ledger) -> Iterator[str]:
    vehicle = next(
        one for one in scenario.mission.vehicles if one.name == (expected.vehicle or scenario.mission.vehicles[0].name)
    )
    link = expected.link or scenario.mission.links_of(vehicle.name)[0].name
    if expected.format and any(one.name == link and one.format != expected.format for one in scenario.mission.links):
        return
    channel = ledger.get((vehicle.name, ""), {}).get("channels", {}).get(f"{link}/{vehicle.scid}/{expected.vcid}")
    where = f"VC {expected.vcid} of {vehicle.name} on {link}"
    if channel is None:
        yield f"{where} is not accounted for"
        return
    at_least = expected.missing if expected.at_least < 0 else expected.at_least
    got = (channel["missing"], channel["missing_at_least"], channel["ambiguous"])
    wanted = (expected.missing, at_least, expected.ambiguous)
    if got != wanted:
        yield f"{where}: (missing, at least, ambiguous) is {got}; expected {wanted}"


def _dispositions(scenario: Scenario, ledger: Ledger) -> Iterator[str]:
    totals: dict[str, int] = {}
    for (_, name), facts in ledger.items():
        if not name:
            for words in (*facts["links"].values(), *facts["arrival"].values()):
                for word, total in words.items():
                    kind = word.partition(":")[0]
                    totals[kind] = totals.get(kind, 0) + total
    for word, expected in scenario.expect_dispositions.items():
        if totals.get(word, 0) != expected:
            yield f"frames {word}: {totals.get(word, 0)}; expected {expected}"
