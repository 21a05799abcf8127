"""`relaywatch alerts`: alerts as a subscriber reads them from the topic."""

import argparse
import shutil
import sys
from contextlib import aclosing
from dataclasses import asdict
from typing import Final

from pipeline.metrics import ORIGINS
from pipeline.report.alert import Alert
from pipeline.report.statement import news
from pipeline.shells.ending import run_until_signal
from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.kafka.clients import log_for_people
from pipeline.shells.kafka.subscribe import Tally, alerts
from pipeline.shells.settings import Settings, load_settings
from pipeline.shells.terminal import note, say, say_json
from pipeline.topics import TOPICS

EXAMPLE: Final = """\
$ relaywatch alerts --origin replay
relaywatch: relay.alerts at 127.0.0.1:9092, origin replay
RAISED      critical: ended_before_landing, ingenuity, flight 72
            Flight 72: reached its assigned maximum altitude of 12 m, 40 ft; during the planned landing communications
            ended early, before landing."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--follow", action="store_true", help="go on with alerts as they come, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="one alert a line, as it stands on the topic")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--origin", action="append", choices=ORIGINS, help="whose alerts are shown; may be given again (default: live)"
    )
    shown.add_argument("--all-origins", action="store_true", help="show live, replay and test")
    parser.add_argument("--run", metavar="ID", help="only this run, whatever its origin")
    kafka_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    log_for_people()
    run_until_signal(_print(arguments, settings))
    return 0


async def _print(arguments: argparse.Namespace, settings: Settings) -> None:
    origins = ORIGINS if arguments.all_origins else arguments.origin
    shown = ", ".join(origins or ("live",)) if origins or arguments.run is None else "any"
    which = f"origin {shown}" + (f", run {arguments.run}" if arguments.run else "")
    note(f"{TOPICS['alerts'].full_name(settings.namespace)} at {settings.kafka}, {which}")
    tally, read = Tally(), dict[str, Alert]()
    found = alerts(
        settings.kafka, namespace=settings.namespace, origins=origins, run=arguments.run, follow=arguments.follow,
        wait_seconds=settings.kafka_timeout, security=settings.security, tally=tally,
    )  # fmt: skip
    async with aclosing(found):
        async for alert in found:
            if arguments.json:
                say_json(asdict(alert))
            else:
                say(news(alert, read.get(alert.incident_id), width=shutil.get_terminal_size().columns))
                say()
            read[alert.incident_id] = alert
            sys.stdout.flush()
    if tally.unreadable:
        records = "1 record" if tally.unreadable == 1 else f"{tally.unreadable} records"
        note(f"{records} of {TOPICS['alerts'].full_name(settings.namespace)} passed over: no alert of relaywatch")
    if not read:
        note("no alert" + ("" if origins == ORIGINS else f" of {which}"))
