"""The name by which the group knows a worker."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from pipeline.shells.settings import Settings
from pipeline.shells.worker.instance import named

HOST = socket.gethostname()
ELSEWHERE = """\
import sys, pathlib
from pipeline.shells.worker.instance import named
from pipeline.shells.settings import Settings
print(named(Settings(metrics_port=0, namespace=sys.argv[2]), pathlib.Path(sys.argv[1])).instance, flush=True)
sys.stdin.read()
"""


def elsewhere(folder: Path, namespace: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE, str(folder), namespace], text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip


def name_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_name_that_is_given_or_made_of_a_port_is_taken_as_it_is(tmp_path: Path) -> None:
    assert named(Settings(instance="w1", metrics_port=0), tmp_path).instance == "w1"
    assert named(Settings(metrics_port=9465), tmp_path).instance == f"{HOST}-9465"


def test_with_port_0_the_name_is_the_same_at_each_start_and_no_other_workers(tmp_path: Path) -> None:
    with elsewhere(tmp_path, "relay") as first, elsewhere(tmp_path, "other") as apart:
        name = name_of(first)
        with elsewhere(tmp_path, "relay") as second:
            assert name_of(second) != name
            second.communicate()
        # Another namespace is another group.
        assert name_of(apart) == name
        for one in (first, apart):
            one.communicate()
    with elsewhere(tmp_path, "relay") as again:
        assert name_of(again) == name
        again.communicate()


def test_where_no_lock_file_can_be_had_it_goes_without_a_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with elsewhere(tmp_path / "file", "relay") as process:
        assert name_of(process) == ""
        process.communicate()


def test_a_second_worker_of_one_name_is_refused_at_its_start(tmp_path: Path) -> None:
    """Each would end the other again and again."""
    given = Settings(instance="one", namespace="twice")
    holds = ELSEWHERE.replace("metrics_port=0,", "instance='one',")
    command = [sys.executable, "-c", holds, str(tmp_path), "twice"]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert name_of(first) == "one"
        environment = {**os.environ, "RELAYWATCH_STATE": str(tmp_path)}
        for words in ([], ["--no-supervisor"]):
            second = subprocess.run(
                [sys.executable, "-m", "pipeline.shells.cli", "worker", "--instance", "one", "--namespace", "twice",
                 *words],
                env=environment, text=True, capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            assert second.returncode == 2
            assert second.stderr == (
                "relaywatch: worker one of namespace twice runs already on this machine: give this one another "
                "--instance, or end the other\n"
            )
        first.communicate()
    assert named(given, tmp_path).instance == "one"
