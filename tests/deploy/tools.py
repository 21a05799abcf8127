"""Programs of Debian's: Prometheus and Alertmanager as processes of a test, on free ports of 127.0.0.1, and their
tools; docker-compose, which here reads its file and starts nothing."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "docker-compose": "docker-compose",
}
"""Program → Debian package."""


def tool(name: str) -> str:
    """Its path. Skips the test where it is absent; fails it with CI=true."""
    path = shutil.which(name)
    if path is None:
        absent = f"{name} is not there: apt-get install {PACKAGES[name]}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{absent}, and CI needs it")
        pytest.skip(absent)
    return path


def run(name: str, *words: str) -> str:
    """What the tool prints; fails where it does."""
    done = subprocess.run([tool(name), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def free_ports(count: int) -> list[int]:
    """Free at this moment; all are held until all are known, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def prometheus(config: Path, port: int, folder: Path, *more: str) -> Iterator["Service"]:
    """Reads its configuration again at `reload`; its data are in `folder / "prometheus"`."""
    words = [
        tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle", *more,
    ]  # fmt: skip
    with _process(words, port, folder / "prometheus.log") as service:
        yield service


@contextmanager
def alertmanager(config: Path, port: int, folder: Path) -> Iterator["Service"]:
    words = [
        tool("prometheus-alertmanager"), f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with _process(words, port, folder / "alertmanager.log") as service:
        yield service


class Service:
    """Its HTTP interface."""

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return orjson.loads(answer.read())

    def post(self, path: str, body: object = None) -> None:
        headers: Mapping[str, str] = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", orjson.dumps(body), headers, method="POST")  # type: ignore[arg-type]
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


@contextmanager
def _process(words: list[str], port: int, log: Path) -> Iterator[Service]:
    service = Service(port, log)
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, cwd=log.parent)
    try:
        deadline = time.monotonic() + 60
        while not _is_ready(service):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield service
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _is_ready(service: Service) -> bool:
    try:
        with urllib.request.urlopen(f"{service.url}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
