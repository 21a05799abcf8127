"""The shipped scenarios as a corpus: each through the whole flow against its truth, or written with it for others to
use. Knows files; what is true stands in the scenario."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import RelayWatchError
from pipeline.mission.model import FrameFormat
from pipeline.outputs import rfc3339
from pipeline.records import SECOND, Run
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.simulate import read_scenario, write_scenario
from pipeline.shells.files.whole_file import whole_file
from pipeline.simulate.scenario import Expected, Scenario
from pipeline.simulate.simulation import simulate
from pipeline.simulate.truth import differences, noise

FORMATS: Final[tuple[FrameFormat, ...]] = ("tm", "aos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One scenario in one format: what must be said, what was said, and every difference, a line each."""

    name: str
    row: str
    format: FrameFormat
    expected: tuple[str, ...]
    got: tuple[str, ...]
    differences: tuple[str, ...]


def judge(names: Sequence[str], formats: Sequence[FrameFormat] = FORMATS) -> Iterator[Judged]:
    """In the order given, one after the other. Raises RelayWatchError where a scenario cannot be read."""
    for name in names:
        for frame_format in formats:
            scenario = read_scenario(name, frame_format=frame_format)
            found = analyze(simulate(scenario), scenario.mission, Run(id="scenarios", origin="test"))
            yield Judged(
                name=scenario.name, row=scenario.row, format=frame_format,
                expected=tuple(_wanted(one) for one in scenario.expect),
                got=tuple(
                    _told(one.type, one.severity, (one.raised_at - scenario.starts_at) / SECOND, one.state)
                    for one in found.incidents
                ),
                differences=(
                    *differences(scenario, found.revisions, found.flights.values()),
                    *noise(scenario, found.revisions),
                ),
            )  # fmt: skip


def _wanted(expected: Expected) -> str:
    return _told(expected.type, expected.severity, expected.raised_s, expected.state)


def _told(kind: str, severity: str, raised_s: float, state: str) -> str:
    return f"{kind} {severity} {raised_s:g} s {state}"


_README: Final = """\
# Recordings of relayed frames with their truth

Written by `relaywatch scenarios --write`. Each scenario is there in TM and in AOS frames:

- `NAME.FORMAT.mcap`: the recording, with its mission inside (MCAP; one channel per topic and key)
- `NAME.FORMAT.truth.json`: what must be said of it. Times are seconds from `starts_at` on the relay's receive clock;
  `expect` lists the incidents, `expect_flights` the flights, `expect_missing` the frames missing by virtual channel,
  `expect_dispositions` the frames by disposition, `twins` the orders of arrival that must end in the same result.

`relaywatch analyze NAME.FORMAT.mcap` says what this version makes of one.

"""


def write(names: Sequence[str], folder: Path) -> int:
    """Recordings, truths and a README into a folder that is made where it is missing; how many recordings.

    Raises RelayWatchError where a scenario cannot be read or the folder cannot be written.
    """
    lines = [_README, "| scenario | what happens |\n|---|---|\n"]
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            for frame_format in FORMATS:
                stem = f"{read_scenario(name).name}.{frame_format}"
                scenario, _ = write_scenario(name, folder / f"{stem}.mcap", frame_format=frame_format)
                truth = orjson.dumps(_truth(scenario), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
                with whole_file(folder / f"{stem}.truth.json") as place:
                    place.write_bytes(truth)
                written += 1
            lines.append(f"| {scenario.name} | {scenario.title} |\n")
        with whole_file(folder / "README.md") as place:
            place.write_text("".join(lines), encoding="utf-8")
    except OSError as fault:
        raise RelayWatchError(
            f"{fault.filename or folder}: {fault.strerror}; give a folder that can be written"
        ) from None
    return written


def _truth(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name, "title": scenario.title, "row": scenario.row, "seed": scenario.seed,
        "starts_at": rfc3339(scenario.starts_at), "twins": scenario.twins, "tolerate": scenario.tolerate,
        "expect": [asdict(one) for one in scenario.expect],
        "expect_flights": [asdict(one) for one in scenario.expect_flights],
        "expect_missing": [asdict(one) for one in scenario.expect_missing],
        "expect_dispositions": dict(scenario.expect_dispositions),
    }  # fmt: skip
