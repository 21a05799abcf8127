"""The demo as a person runs it: a process with its own Kafka, ended in every way there is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.jars import fetch_jars
from pipeline.shells.settings import PREFIX, cache_folder

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module", autouse=True)
def jars() -> None:
    """Fetched before anything is timed or killed."""
    fetch_jars()


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the demo and all that it starts keep their files; its path is also how they are found."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def start(temporary: Path, *words: str, **settings: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {"TMPDIR": str(temporary), f"{PREFIX}CACHE": str(cache_folder()), "COLUMNS": "200"}
    environment |= {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.shells.cli", "demo", *words], env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def processes(temporary: Path) -> Iterator[str]:
    """The command lines of all that were started with this folder in their environment."""
    marker = f"TMPDIR={temporary}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "environ").read_bytes():
                yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue


def left(temporary: Path) -> list[str]:
    return [*processes(temporary), *(str(path) for path in temporary.iterdir())]


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_the_demo_shows_flight_72_as_a_subscriber_sees_it_and_puts_everything_away(temporary):
    process = start(temporary, "--speed", "40")
    try:
        out, err = process.communicate(timeout=120)
    finally:
        end(process)
    assert process.returncode == 0, err
    assert left(temporary) == []
    raised, closed = (
        out.index("\nRAISED      critical: ended_before_landing, ingenuity, flight 72\n"),
        out.index("\nCLOSED "),
    )
    statement = out.index("What relaywatch says of flight 72, from its frames alone")
    assert raised < closed < statement
    assert "Raised at 2024-01-18 12:00:33.0 UTC; open." in out[raised:closed]
    words = out[statement:]
    assert (
        "Flight 72: reached its assigned maximum altitude of 12 m, 40 ft; during the planned landing communications "
        "ended early, before landing."
    ) in " ".join(words.split())
    assert "Raised at 2024-01-18 12:00:33.0 UTC; closed at 2024-01-20 12:00:06.0 UTC: contact_restored." in words
    assert all(f"\n{label}" in words for label in ("known ", "inferred ", "not known ", "Metrics", "What to try next"))
    assert 'relay_incidents_opened_total{origin="replay",type="ended_before_landing",vehicle="ingenuity"} 1.0' in words
    assert "jumped 2.0 days in which no frame came" in err
    assert "\r" not in out + err
    assert "\x1b" not in out + err


@pytest.mark.parametrize(
    "sent,status,after", [(signal.SIGINT, 130, "goes to demo-"), (signal.SIGKILL, -9, "Apache Kafka 4")]
)
def test_a_demo_that_is_ended_in_the_middle_leaves_no_process_and_no_file(sent, status, after, temporary):
    process = start(temporary)
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if after in line:
                break
        assert after in said, said
        assert any("kafka.Kafka" in words for words in processes(temporary))
        process.send_signal(sent)
        assert process.wait(60) == status
        assert "Traceback" not in process.stderr.read()
    finally:
        end(process)
    # After SIGKILL it is another process that puts things away.
    deadline = time.monotonic() + (20 if sent == signal.SIGKILL else 0)
    while left(temporary) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left(temporary) == []


@pytest.mark.asyncio
async def test_on_a_kafka_that_is_there_the_demo_removes_its_topics(kafka, temporary):
    async with Cluster(kafka, 20).admin() as client:
        before = set(await client.list_topics())
    process = start(temporary, "--speed", "max", "--kafka", kafka)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        end(process)
    assert process.returncode == 0, err
    assert "\nRAISED " in out
    assert left(temporary) == []
    async with Cluster(kafka, 20).admin() as client:
        found = set(await client.list_topics()) - before
    assert not [name for name in found if name.startswith("demo-")]


def test_a_demo_that_cannot_run_says_so_in_one_line(temporary):
    process = start(temporary, "--kafka", "127.0.0.1:1", "--namespace", "nothing", kafka_timeout="0.5")
    try:
        out, err = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 2
    assert out == ""
    assert err.splitlines()[-1].startswith("relaywatch: no Kafka answers at 127.0.0.1:1 within 0.5 s.")
    assert left(temporary) == []
