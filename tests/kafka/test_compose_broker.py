"""The broker of docker-compose.yml, started by its own script with its own file: only hosts, ports and folders are
others, and Kafka's start scripts, which are not among its jars, are stood in for."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.jars import fetch_jars
from pipeline.shells.kafka.local import find_java
from pipeline.shells.kafka.topics_admin import create_topics, partitions_of
from tests.build import root
from tests.deploy.tools import free_ports
from tests.kafka.cluster import wait_for

pytestmark = pytest.mark.kafka

FILES: Final = root() / "deploy/kafka"
SERVICE: Final[dict[str, Any]] = yaml.safe_load((root() / "docker-compose.yml").read_text())["services"]["kafka"]


@pytest.fixture
def addresses(tmp_path: Path) -> dict[str, str]:
    """Address in the containers → address here."""
    inside, outside, controller = (f"127.0.0.1:{port}" for port in free_ports(3))
    return {"kafka:19092": inside, "127.0.0.1:9092": outside, "kafka:9093": controller}


@pytest.fixture
def script(tmp_path: Path, addresses: dict[str, str]) -> Path:
    """start.sh and what it needs, as they are in the container but for the places."""
    text = (FILES / "server.properties").read_text()
    for there, here in addresses.items():
        text = text.replace(f"//:{there.rpartition(':')[2]}", f"//{here}").replace(there, here)
    properties, data = tmp_path / "server.properties", SERVICE["volumes"][1].partition(":")[2]
    assert f"log.dirs={data}/" in text
    properties.write_text(text.replace(data, str(tmp_path / "data")))
    tools = tmp_path / "bin"
    tools.mkdir()
    jars = os.pathsep.join(map(str, fetch_jars()))
    java = f"exec {find_java()} -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp {jars}"
    for name, program in (("kafka-storage.sh", "kafka.tools.StorageTool"), ("kafka-server-start.sh", "kafka.Kafka")):
        (tools / name).write_text(f'#!/bin/sh\n{java} {program} "$@"\n')
        (tools / name).chmod(0o755)
    start = (FILES / "start.sh").read_text()
    for there, here in (("/opt/kafka/bin", tools), ("/etc/relaywatch/server.properties", properties)):
        assert there in start
        start = start.replace(there, str(here))
    (tmp_path / "start.sh").write_text(start)
    return tmp_path / "start.sh"


@contextmanager
def started(script: Path) -> Iterator[Path]:
    """Gives its log."""
    environment = {"PATH": os.defpath, "CLUSTER_ID": SERVICE["environment"]["CLUSTER_ID"]}
    log = script.with_name("kafka.log")
    with log.open("wb") as output:
        process = subprocess.Popen(["sh", str(script)], env=environment, stdout=output, stderr=output)
    try:
        wait_for(
            lambda: process.poll() is not None or "Kafka Server started" in log.read_text(errors="replace"),
            log.read_text,
        )
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        process.terminate()
        process.wait(30)


def test_it_starts_is_reached_by_containers_and_by_this_machine_and_starts_again(script, addresses):
    with started(script):
        asyncio.run(create_topics(Cluster(addresses["kafka:19092"]), "relay"))
        made = asyncio.run(partitions_of(Cluster(addresses["127.0.0.1:9092"]), "relay"))
        assert "frames" in made
    again = script.with_name("bin") / "kafka-server-start.sh"
    again.write_text('#!/bin/sh\necho "starts with $1"\n')
    environment = {"PATH": os.defpath, "CLUSTER_ID": SERVICE["environment"]["CLUSTER_ID"]}
    done = subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"starts with {script.with_name('server.properties')}" in done.stdout
