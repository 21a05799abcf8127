"""What travels with the program: missions, scenarios, schemas. In a checkout they are read where they stand; in an
installed wheel from `pipeline/_data`. Knows files, and nothing of what is in them."""

from pathlib import Path
from typing import Final

from pipeline.errors import MissionError, RelayWatchError
from pipeline.mission.load import load_mission
from pipeline.mission.model import Mission

_PACKAGE: Final = Path(__file__).resolve().parents[2]


def schemas_dir() -> Path:
    return _data_dir("schemas")


def scenarios_dir() -> Path:
    return _data_dir("scenarios")


def mission_names() -> list[str]:
    return sorted(path.stem for path in (schemas_dir() / "missions").glob("*.toml"))


def scenario_names() -> list[str]:
    return sorted(path.stem for path in scenarios_dir().glob("*.toml"))


def sight_names() -> list[str]:
    return sorted(path.stem for path in (schemas_dir() / "terrain").glob("*.toml"))


def mission_path(name_or_path: str | Path) -> Path:
    """The file of a mission: one of ours by its name ("ingenuity"), or any by its path.

    Raises MissionError where there is neither.
    """
    return _find("mission", name_or_path, schemas_dir() / "missions", mission_names())


def scenario_path(name_or_path: str | Path) -> Path:
    """The file of a scenario, by its name ("flight-72") or its path. Raises RelayWatchError where there is neither."""
    return _find("scenario", name_or_path, scenarios_dir(), scenario_names())


def sight_path(name_or_path: str | Path) -> Path:
    """The file of a request for line of sight, by its name ("hill") or its path. Raises RelayWatchError where there is
    neither."""
    return _find("request", name_or_path, schemas_dir() / "terrain", sight_names())


def read_mission(name_or_path: str | Path) -> Mission:
    """The mission in a file, checked. Raises MissionError with every fault."""
    path = mission_path(name_or_path)
    return load_mission(read_text(path), where=path.name)


def read_text(path: Path) -> str:
    """Raises MissionError where the file cannot be read or is not UTF-8."""
    try:
        # Windows puts a mark before UTF-8, which is no part of the text.
        return path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise MissionError(f"{path}: {fault.strerror}") from None
    except UnicodeDecodeError as fault:
        raise MissionError(f"{path}: octet {fault.start} is not UTF-8, which TOML is written in") from None


def _data_dir(name: str) -> Path:
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def _find(what: str, name_or_path: str | Path, directory: Path, names: list[str]) -> Path:
    path = Path(name_or_path)
    if path.is_file():
        return path
    if str(name_or_path) in names:
        return directory / f"{name_or_path}.toml"
    kind = MissionError if what == "mission" else RelayWatchError
    found = "it is no file" if path.exists() else "no such file"
    raise kind(
        f"{name_or_path or repr('')}: {found}, and no {what} of this name; there are {', '.join(names) or 'none'}"
    )
