"""Files of line of sight: the request, its terrain, the mission that gets expected losses. Knows files; what is
reckoned stands in `pipeline.sight`."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import SightError
from pipeline.mission.load import load_mission
from pipeline.shells.files.resources import mission_path, read_text, sight_path
from pipeline.shells.files.whole_file import whole_file
from pipeline.sight.ascii_grid import LONGEST_LINE, read_ascii_grid
from pipeline.sight.plan import Entry, as_toml
from pipeline.sight.request import Request, load_request
from pipeline.sight.terrain import Terrain


def read_request(name_or_path: str | Path) -> tuple[Request, Terrain]:
    """A request by the name of a shipped one or by its path, and the terrain that it names, beside it.

    Raises RelayWatchError where either cannot be read or has a fault.
    """
    path = sight_path(name_or_path)
    request = load_request(read_text(path), where=path.name)
    return request, read_terrain(path.parent / request.terrain)


def read_terrain(path: Path) -> Terrain:
    """Line by line. Raises SightError where it cannot be read or is no ESRI ASCII grid."""
    try:
        return read_ascii_grid(_lines(path), name=path.name)
    except OSError as fault:
        raise SightError(f"{path}: {fault.strerror}") from None


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="ascii", errors="replace") as file:
        while line := file.readline(LONGEST_LINE + 1):
            yield line


def write_mission(name_or_path: str, entries: Sequence[Entry], output: Path, *, made_from: str) -> None:
    """The mission's text as it is, with the entries at its end, once it has been checked as a whole. Nothing is written
    where it has a fault.

    Raises RelayWatchError: with every fault of the new text, or where the file cannot be written.
    """
    source = mission_path(name_or_path)
    if output.exists() and output.samefile(source):
        raise SightError(f"{output} is the mission itself: give another file to -o, and look at it before it is used")
    text = read_text(source)
    load_mission(text, where=source.name)
    if entries:
        text = f"{text.rstrip()}\n\n# Reckoned by `relaywatch visibility` from {made_from}.\n{as_toml(entries)}"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise SightError(
            f"{source.name}: its plan stands in one line or array, and nothing can be added at the end of the file; "
            "write it as [[plan.windows]] and [[plan.expected_losses]]"
        ) from None
    load_mission(text, where=output.name)
    write_text(output, text)


def write_text(path: Path, text: str) -> None:
    """Whole, or not at all. Raises SightError where the file cannot be written."""
    try:
        with whole_file(path) as place:
            place.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise SightError(f"{path}: {fault.strerror}") from None
