"""A wheel works like a checkout: built and installed beside it, without a network, and used from another folder."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.build import root

ROOT: Final = root()


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RELAYWATCH_", "PYTHON"))}
    return subprocess.run([str(word) for word in words], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    done = run(*pip, "wheel", ROOT, "--no-deps", "--no-index", "--no-build-isolation", "-w", folder, cwd=folder)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("relaywatch-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a virtual environment that holds the wheel, and sees the dependencies of this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    done = run(
        sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check",
        "install", "--no-deps", "--no-index", wheel, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "bin"


def test_a_wheel_carries_every_schema_mission_and_scenario(wheel: Path) -> None:
    kept = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("pipeline/_data/")}
    here = [path for folder in ("schemas", "scenarios") for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert kept == {f"pipeline/_data/{path.relative_to(ROOT)}" for path in here}


def test_a_wheel_carries_every_module_and_no_test(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pipeline").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert "pipeline/shells/kafka/kafka.lock.json" in names


def test_an_installed_wheel_reads_its_own_files_and_not_those_of_a_checkout(installed: Path, tmp_path: Path) -> None:
    program = "from pipeline.shells.files import resources as r; print(r.schemas_dir()); print(r.scenarios_dir())"
    done = run(installed / "python", "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [Path(line).is_relative_to(installed.parent) for line in done.stdout.splitlines()] == [True, True]


def test_an_installed_wheel_checks_simulates_and_analyzes_from_any_folder(installed: Path, tmp_path: Path) -> None:
    checked = run(installed / "relaywatch", "check", "ingenuity", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "ingenuity" in checked.stdout

    simulated = run(installed / "relaywatch", "simulate", "flight-72", "-o", "x.mcap", cwd=tmp_path)
    assert simulated.returncode == 0, simulated.stderr
    assert (tmp_path / "x.mcap").stat().st_size > 0

    analyzed = run(installed / "relaywatch", "analyze", "x.mcap", cwd=tmp_path)
    assert analyzed.returncode == 0, analyzed.stderr
    assert "ended before landing" in analyzed.stdout.lower().replace("_", " ")
    assert "contact_restored" in analyzed.stdout.replace(" ", "_")


def test_the_version_of_the_command_is_that_of_the_distribution(installed: Path, wheel: Path, tmp_path: Path) -> None:
    done = run(installed / "relaywatch", "--version", cwd=tmp_path)
    assert done.stdout == f"relaywatch {wheel.name.split('-')[1]}\n"
