"""Scenario files -> recordings. Knows files; what is written comes from the simulator."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import tomli_w

from pipeline.errors import RecordingError
from pipeline.mission.model import FrameFormat
from pipeline.records import Record, Run
from pipeline.shells.files.recording import RecordingWriter
from pipeline.shells.files.resources import mission_path, read_text, scenario_path
from pipeline.shells.files.whole_file import whole_file
from pipeline.simulate.load import load_scenario
from pipeline.simulate.scenario import Order, Scenario
from pipeline.simulate.simulation import simulate


def read_scenario(name_or_path: str | Path, *, frame_format: FrameFormat | None = None) -> Scenario:
    """A scenario by its name or its path, in the frame format of its mission or in another one.

    Raises RelayWatchError where there is none, or with every fault in it.
    """
    path = scenario_path(name_or_path)
    return load_scenario(
        read_text(path),
        where=path.name,
        mission_text=lambda name: read_text(mission_path(name)),
        frame_format=frame_format,
    )


def write_scenario(
    name_or_path: str | Path,
    output: Path,
    *,
    order: Order | None = None,
    frame_format: FrameFormat | None = None,
    seed: int | None = None,
) -> tuple[Scenario, int]:
    """Writes the recording of a scenario, in which its mission stands too; the scenario, and how many records it gave.
    The same scenario, order, format and seed give the same octets.

    Raises RelayWatchError where the scenario cannot be read or the file cannot be written.
    """
    scenario = read_scenario(name_or_path, frame_format=frame_format)
    if seed is not None:
        scenario = replace(scenario, seed=seed)
    records = simulate(scenario, order=order)
    write_records(records, output, mission_text=tomli_w.dumps(dict(scenario.mission_data)))
    return scenario, len(records)


def write_records(records: Sequence[Record], output: Path, *, mission_text: str | None = None) -> None:
    """Whole, or not at all. Raises RecordingError where the file cannot be written."""
    try:
        with whole_file(output) as place, RecordingWriter(output, place=place, mission_text=mission_text) as writer:
            for record in records:
                writer.write(record, run=Run(id="simulated", origin="test"))
    except OSError as fault:
        raise RecordingError(f"{output}: {fault.strerror}") from None
