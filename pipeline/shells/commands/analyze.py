"""`relaywatch analyze`: a recording to incidents, flights and the digest, in one process with no broker."""

import argparse
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pipeline.mission.model import Mission
from pipeline.outputs import Flight
from pipeline.report.alert import Alert, alert_of
from pipeline.report.channel_heads import channel_heads
from pipeline.report.statement import statement, utc
from pipeline.shells.files.analyze import Analysis, analyze
from pipeline.shells.files.any_file import open_recording
from pipeline.shells.files.intake import shown
from pipeline.shells.terminal import say, say_json, table

EXAMPLE: Final = """\
  $ relaywatch simulate flight-72 -o flight-72.mcap
  $ relaywatch analyze flight-72.mcap
  severity  type                  of         flight  state   raised                     ended
  --------  --------------------  ---------  ------  ------  -------------------------  -------------------------
  critical  ended_before_landing  ingenuity  72      closed  2024-01-18 12:00:33.0 UTC  2024-01-20 12:00:06.0 UTC

  ended_before_landing, ingenuity, flight 72
  statement   Flight 72: reached its assigned maximum altitude of 12 m, 40 ft; during the planned landing
              communications ended early, before landing.
  ..."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording (.mcap) or a tlog")
    parser.add_argument(
        "--mission", metavar="M", help="a shipped mission's name, or a path (default: the one inside the recording)"
    )
    parser.add_argument(
        "--json", action="store_true", help="an object a line: incidents, flights, vehicles, the digest"
    )
    parser.add_argument("--exit-code", action="store_true", help="exit status 1 when an incident is open")


def run(arguments: argparse.Namespace) -> int:
    opened = open_recording(arguments.file, mission=arguments.mission)
    analysis = analyze(shown(opened.source, "analyze"), opened.mission)
    if arguments.json:
        for revision in analysis.incidents:
            say_json(revision.body())
        for flight in _named(analysis):
            say_json({"record": "flight", **flight.body()})
        for account in _accounted(analysis):
            say_json(
                {"record": "vehicle", "vehicle": account.vehicle,
                 "flights": [one.name for one in _named(analysis) if one.vehicle == account.vehicle], **account.facts}
            )  # fmt: skip
        say_json({"digest": analysis.digest})
    else:
        say("\n\n".join(_parts(analysis, opened.mission)))
    analysis.intake.close(opened.source)
    return int(arguments.exit_code and analysis.any_open)


def _parts(analysis: Analysis, mission: Mission) -> Iterator[str]:
    alerts = [alert_of(revision.body()) for revision in analysis.incidents]
    yield _incidents(alerts) if alerts else "No incident."
    width = shutil.get_terminal_size().columns
    for alert in alerts:
        yield "\n".join([_title(alert), *statement(alert, width=width)])
    if named := _named(analysis):
        yield "\n".join(_flight(one) for one in named)
    accounts = _accounted(analysis)
    unjudged = [f"{one.vehicle}: no flight. {one.facts['no_flight']}" for one in accounts if "no_flight" in one.facts]
    if unjudged:
        yield "\n".join(unjudged)
    yield from _accounts(analysis, mission)
    yield f"{analysis.intake.records:,} records; digest {analysis.digest}"


def _named(analysis: Analysis) -> list[Flight]:
    """The flights of all vehicles."""
    named = (one for one in analysis.flights.values() if one.name and one.facts["state"] != "superseded")
    return sorted(named, key=lambda one: (one.vehicle, one.name))


def _accounted(analysis: Analysis) -> list[Flight]:
    """The account of each vehicle's frames."""
    return sorted((one for one in analysis.flights.values() if not one.name), key=lambda one: one.vehicle)


def _incidents(alerts: list[Alert]) -> str:
    heads = ("severity", "type", "of", "flight", "state", "raised", "ended", "why")
    return table(
        heads,
        [
            (one.severity, one.type, one.subject, one.flight or None, one.state, utc(one.raised_at),
             None if one.ended_at is None else utc(one.ended_at), one.close_reason)
            for one in alerts
        ],
    )  # fmt: skip


def _title(alert: Alert) -> str:
    of = [alert.subject] + ([f"flight {alert.flight}"] if alert.flight else [])
    return f"{alert.type}, {', '.join(of)}"


def _flight(flight: Flight) -> str:
    """One line of the ledger."""
    facts = flight.facts
    begun = "take-off" if facts.get("takeoff_seen", True) else "take-off not seen, in flight from"
    parts = [f"{begun} {utc(facts['takeoff_at'])}"] if facts.get("takeoff_at") else []
    if facts.get("landing_confirmed_at"):
        parts.append(f"landing confirmed {utc(facts['landing_confirmed_at'])}")
    if (highest := facts.get("highest_altitude_m")) is not None:
        parts.append(f"highest altitude {highest:.1f} m")
    if facts.get("incomplete"):
        parts.append(facts["incomplete"])
    missing = sum(channel["missing"] for channel in facts.get("channels", {}).values())
    parts.append(f"frames missing in flight {missing:,}")
    return f"{flight.vehicle}, flight {flight.name}: {facts.get('state', 'unknown')}; {', '.join(parts)}"


def _accounts(analysis: Analysis, mission: Mission) -> Iterator[str]:
    """What became of every frame, and what is missing of every channel."""
    accounts: list[Mapping[str, Any]] = [one.facts for one in _accounted(analysis)]
    dispositions = [
        (link, word, frames)
        for facts in accounts
        for link, words in sorted(facts.get("links", {}).items())
        for word, frames in sorted(words.items(), key=lambda row: -row[1])
    ]
    if dispositions:
        yield table(("link", "disposition", "frames"), dispositions)
    channels = [
        (*name.split("/"), channel["received"], channel["gaps"], channel["missing"], channel["discontinuities"])
        for facts in accounts
        for name, channel in sorted(facts.get("channels", {}).items())
    ]
    if channels:
        yield table(("link", *channel_heads(mission), "received", "gaps", "missing", "discontinuities"), channels)
