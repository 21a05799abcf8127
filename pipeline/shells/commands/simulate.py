"""`relaywatch simulate`: a scenario file to a recording."""

import argparse
from pathlib import Path
from typing import Final, get_args

from pipeline.errors import RecordingError
from pipeline.shells.files.resources import scenario_names
from pipeline.shells.files.simulate import write_scenario
from pipeline.shells.terminal import say
from pipeline.simulate.load import MAX_SEED
from pipeline.simulate.scenario import Order

_SEED_DIGITS: Final = len(str(MAX_SEED))

EXAMPLE: Final = """\
  $ relaywatch simulate flight-72 -o flight-72.mcap
  flight-72.mcap: 1,415 records of scenario flight-72, 613,795 octets"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenario", metavar="SCENARIO", help=f"a path, or one of {', '.join(scenario_names())}".replace("%", "%%")
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the recording to write (.mcap)"
    )
    parser.add_argument("--format", choices=("tm", "aos"), help="frame format in place of the mission's")
    parser.add_argument("--order", choices=get_args(Order), help="order of arrival in place of the scenario's")
    parser.add_argument("--seed", type=_seed, metavar="N", help="seed in place of the scenario's: another noise")


def _seed(text: str) -> int:
    """For argparse: within the bounds that a scenario file has."""
    if not text.isdecimal() or len(text) > _SEED_DIGITS or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r:.60}: give a whole number from 0 to {MAX_SEED}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    output: Path = arguments.output
    if output.is_dir():
        raise RecordingError(f"{output}: Is a directory; give the file to write, for example {output / 'flight.mcap'}")
    scenario, records = write_scenario(
        arguments.scenario, output, order=arguments.order, frame_format=arguments.format, seed=arguments.seed
    )
    say(f"{output}: {records:,} records of scenario {scenario.name}, {output.stat().st_size:,} octets")
    return 0
