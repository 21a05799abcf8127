"""What the files around the code say of each other: Makefile, locks, .ci/run, changelog."""

import re
import subprocess
import tomllib
from importlib.metadata import version
from typing import Final

from tests.build import root

ROOT: Final = root()
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_lock_of_the_tests_has_the_same_versions_as_the_lock_of_the_program() -> None:
    program, tests = pins("requirements.lock"), pins("requirements-dev.lock")
    assert program
    assert {name: tests.get(name) for name in program} == program


def test_every_dependency_is_locked_and_every_locked_file_has_its_hash() -> None:
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    names = {re.split(r"[=<>]", one)[0] for one in wanted}
    assert names <= set(pins("requirements-dev.lock"))
    for lock in ("requirements.lock", "requirements-dev.lock"):
        entries = re.split(r"\n(?=\w)", (ROOT / lock).read_text())
        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_a_lock_names_no_place_to_download_from() -> None:
    assert [lock for lock in ROOT.glob("*.lock") if "://" in lock.read_text()] == []


def test_ci_finds_the_test_command_in_the_readme() -> None:
    """.ci/run takes the first `$ ` line under "## Tests"; this runs the very line of it that does."""
    (line,) = re.findall(r"^test_command=\$\((.+)\)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "make test\n"


def test_make_help_names_every_target_that_a_person_calls() -> None:
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    explained = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    assert set(phony.split()) - explained == {"runtime", "dev", "form", "style", "types", "imports"}
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert {line.split()[1] for line in done.stdout.splitlines()} == explained


def test_the_changelog_has_an_entry_for_this_version() -> None:
    (first, *_) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == version("relaywatch") == PROJECT["project"]["version"]


def test_a_wheel_is_built_by_the_backend_that_the_project_names() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(PROJECT["dependency-groups"]["dev"])
