"""tools/venv.sh, with a Python that only writes down what it is asked to do."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.build import root

# `-c` is the question whether it is new enough, or which version it is.
PYTHON: Final = """#!/bin/sh
case "$1 $2" in
    "--version "*) echo "Python @VERSION@" ;;
    "-c "*) case "$2" in *exit*) exit @TOO_OLD@ ;; *) echo "@VERSION@" ;; esac ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo made >> calls ;;
    "-m pip") case "$*" in *--editable*) echo project >> calls ;; *) echo "installed $*" >> calls ;; esac ;;
esac
"""


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tools").mkdir()
        shutil.copy(root() / "tools/venv.sh", folder / "tools/venv.sh")
        for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
            (folder / name).write_text("first\n")

    def python(self, name: str, version: str, *, too_old: bool = False) -> str:
        path = self.folder / name
        path.write_text(PYTHON.replace("@VERSION@", version).replace("@TOO_OLD@", str(int(too_old))))
        path.chmod(0o755)
        return str(path)

    def make(self, lock: str, python: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "tools/venv.sh", lock], cwd=self.folder, env={"PATH": "/usr/bin:/bin", "PYTHON": python},
            capture_output=True, text=True,
        )  # fmt: skip

    def calls(self) -> list[str]:
        """What was done since the last call."""
        path = self.folder / "calls"
        done = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line.split("/")[-1] for line in done]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_call_makes_it_and_the_second_has_nothing_to_do(checkout: Checkout) -> None:
    python = checkout.python("python", "3.11.7")
    assert checkout.make("requirements.lock", python).returncode == 0
    first = checkout.calls()
    assert [first[0], first[-1]] == ["made", "project"]
    assert first[1].endswith("requirements.lock")
    assert checkout.make("requirements.lock", python).returncode == 0
    assert checkout.calls() == []


def test_the_tests_add_to_what_the_demo_made_and_the_demo_needs_nothing_after_the_tests(checkout: Checkout) -> None:
    python = checkout.python("python", "3.11.7")
    checkout.make("requirements.lock", python)
    checkout.calls()
    checkout.make("requirements-dev.lock", python)
    (added,) = checkout.calls()
    assert added.endswith("requirements-dev.lock")
    checkout.make("requirements.lock", python)
    assert checkout.calls() == []


def test_a_lock_that_changed_makes_it_anew_and_one_that_was_only_touched_does_not(checkout: Checkout) -> None:
    python = checkout.python("python", "3.11.7")
    checkout.make("requirements.lock", python)
    checkout.calls()
    (checkout.folder / "requirements.lock").touch()
    checkout.make("requirements.lock", python)
    assert checkout.calls() == []
    (checkout.folder / "requirements.lock").write_text("second\n")
    assert "anew" in checkout.make("requirements.lock", python).stderr
    assert checkout.calls()[0] == "made"


def test_a_change_of_the_project_file_installs_only_the_project_again(checkout: Checkout) -> None:
    python = checkout.python("python", "3.11.7")
    checkout.make("requirements.lock", python)
    checkout.calls()
    (checkout.folder / "pyproject.toml").write_text("second\n")
    checkout.make("requirements.lock", python)
    assert checkout.calls() == ["project"]


def test_another_python_that_is_asked_for_makes_it_anew(checkout: Checkout) -> None:
    checkout.make("requirements.lock", checkout.python("python311", "3.11.7"))
    checkout.calls()
    checkout.make("requirements.lock", checkout.python("python312", "3.12.1"))
    assert checkout.calls()[0] == "made"


def test_a_python_that_is_too_old_is_named_and_takes_nothing_away(checkout: Checkout) -> None:
    checkout.make("requirements.lock", checkout.python("python", "3.11.7"))
    checkout.calls()
    old = checkout.python("old", "3.10.2", too_old=True)
    refused = checkout.make("requirements.lock", old)
    assert refused.returncode == 1
    assert f"relaywatch needs Python 3.11 or newer; {old} is Python 3.10.2" in refused.stderr
    assert (checkout.folder / ".venv/bin/python").exists()
    assert checkout.calls() == []


def test_a_python_that_is_not_there_is_said_so(checkout: Checkout) -> None:
    refused = checkout.make("requirements.lock", "python9")
    assert refused.returncode == 1
    assert "python9 is not there" in refused.stderr
