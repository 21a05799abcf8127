"""`relaywatch scenarios`: the shipped scenarios against their truth, or written as a corpus."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Final

from pipeline.shells.files.corpus import FORMATS, judge, write
from pipeline.shells.files.resources import scenario_names
from pipeline.shells.terminal import Progress, note, say, say_json, table

EXAMPLE: Final = """\
  $ relaywatch scenarios short-fade relay-outage --format tm
  scenario      row  frames  expected                          got                               verdict
  ------------  ---  ------  --------------------------------  --------------------------------  -------
  short-fade    5b   tm      nothing                           nothing                           right
  relay-outage  7    tm      relay_outage warning 13 s closed  relay_outage warning 13 s closed  right"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="names or paths; all shipped ones by default")
    parser.add_argument("--format", choices=FORMATS, help="one frame format only; both by default")
    parser.add_argument(
        "--write", type=Path, metavar="DIR", help="write recordings and truths there, and judge nothing"
    )
    parser.add_argument("--json", action="store_true", help="JSON Lines, one object per scenario and format")


def run(arguments: argparse.Namespace) -> int:
    names = arguments.scenario or scenario_names()
    if arguments.write is not None:
        written = write(names, arguments.write)
        say(f"{arguments.write}: {written} recordings, each with its truth, and a README.md")
        return 0
    rows, faults = [], []
    formats = FORMATS if arguments.format is None else (arguments.format,)
    progress = Progress("scenarios", len(names) * len(formats))
    progress.show(0)
    for done, one in enumerate(judge(names, formats), 1):
        progress.show(done, f"{one.name}, {one.format}")
        if arguments.json:
            progress.clear()
            say_json(asdict(one))
        verdict = "wrong" if one.differences else "right"
        lines = max(1, len(one.expected), len(one.got))
        expected, got = (
            [*texts, *[""] * lines] if texts else ["nothing", *[""] * lines] for texts in (one.expected, one.got)
        )
        head = (one.name, one.row, one.format)
        for place in range(lines):
            shown = head if place == 0 else ("", "", "")
            rows.append((*shown, expected[place], got[place], verdict if place == 0 else ""))
        faults += [f"{one.name} ({one.format}): {text}" for text in one.differences]
    progress.clear()
    if not arguments.json:
        say(table(("scenario", "row", "frames", "expected", "got", "verdict"), rows))
    for fault in faults:
        note(fault)
    return 1 if faults else 0
