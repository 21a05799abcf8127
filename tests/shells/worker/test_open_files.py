"""A limit of open files with which a worker would stand still is said at its start."""

import subprocess
import sys

import pytest


def limited(files: int, more: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"ulimit {more} -n {files}; exec {sys.executable} -m pipeline.shells.cli worker --metrics-port 0"],
        capture_output=True, text=True, timeout=60,
        env={"RELAYWATCH_KAFKA": "127.0.0.1:1", "RELAYWATCH_KAFKA_TIMEOUT": "0.3", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def test_too_few_files_are_one_clear_line_and_an_end() -> None:
    done = limited(24)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "relaywatch: this process may have 24 files and connections open, and a worker needs 128: raise the limit "
        "(ulimit -n 128; LimitNOFILE= of a systemd unit)"
    )


@pytest.mark.parametrize("files", [24, 127])
def test_a_limit_that_a_process_may_raise_is_raised(files: int) -> None:
    assert "no Kafka answers" in limited(files, "-S").stderr
