"""The one Kafka of a user: found again, started once, and never left behind where nobody could find it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from pipeline.shells.cli import main
from pipeline.shells.kafka import noted
from pipeline.shells.kafka.jars import DownloadError, fetch_jars
from pipeline.shells.kafka.local import FOLDER_PREFIX, MARK, Broker, LocalKafkaError
from pipeline.shells.kafka.noted import kafka_status, start_kafka, stop_kafka

Started = list[subprocess.Popen[bytes]]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Brokers that were started: processes that only have the folder in their words, as Kafka's has."""
    processes: Started = []

    def start_broker(progress: object) -> Broker:
        folder = tmp_path / f"relaywatch-kafka-{len(processes)}"
        folder.mkdir()
        (folder / MARK).write_text(folder.name)
        processes.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", str(folder)]))
        broker = Broker(processes[-1].pid, "127.0.0.1:1", str(folder))
        while not broker.is_running():  # its words can be read a moment after it began
            time.sleep(0.01)
        return broker

    monkeypatch.setattr(noted, "start_broker", start_broker)
    monkeypatch.setenv("RELAYWATCH_STATE", str(tmp_path / "state"))
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_a_broker_is_found_again_until_it_is_stopped(started: Started) -> None:
    broker = start_kafka()
    assert (start_kafka(), kafka_status(), len(started)) == (broker, broker, 1)
    assert stop_kafka() == broker
    assert (kafka_status(), stop_kafka()) == (None, None)
    assert not Path(broker.folder).exists()


@pytest.mark.parametrize("act", [stop_kafka, start_kafka])
def test_what_a_broker_that_was_killed_has_left_goes_with_the_next_start_or_stop(
    act: Callable[[], Broker | None], started: Started
) -> None:
    broker = start_kafka()
    started[0].kill()
    started[0].wait()
    assert kafka_status() is None
    assert act() != broker
    assert not Path(broker.folder).exists()


def test_two_starts_at_once_give_one_broker(started: Started) -> None:
    found: list[Broker] = []
    starts = [threading.Thread(target=lambda: found.append(start_kafka())) for _ in range(4)]
    for one in starts:
        one.start()
    for one in starts:
        one.join()
    assert len(started) == 1
    assert len(found) == 4
    assert len({broker.pid for broker in found}) == 1


def test_where_no_note_can_be_kept_no_broker_is_started(
    started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELAYWATCH_STATE", "/dev/null/state")
    assert main(["kafka", "start"]) == 2
    line = capsys.readouterr().err
    assert "cannot be noted in /dev/null/state: Not a directory. Name a folder that can be written" in line
    assert started == []
    assert kafka_status() is None


def test_a_broker_whose_note_could_not_be_written_is_stopped(started: Started, tmp_path: Path) -> None:
    (tmp_path / "state" / "kafka.json").mkdir(parents=True)
    with pytest.raises(LocalKafkaError, match="cannot be noted"):
        start_kafka()
    (process,) = started
    assert not Broker(process.pid, "127.0.0.1:1", str(tmp_path / "relaywatch-kafka-0")).is_running()
    assert not (tmp_path / "relaywatch-kafka-0").exists()


@pytest.mark.parametrize("mark", [None, "another", "itself"])
@pytest.mark.parametrize("name", ["photos", FOLDER_PREFIX + "photos"])
@pytest.mark.parametrize("act", [stop_kafka, start_kafka, kafka_status])
def test_a_note_never_leads_to_a_folder_being_removed_that_no_broker_was_started_in(
    act: Callable[[], Broker | None], name: str, mark: str | None, started: Started, tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "kept.jpg").write_bytes(b"kept")
    if mark is not None:
        (folder / MARK).write_text(name if mark == "itself" and name == "photos" else "another")
    (tmp_path / "state").mkdir()
    note = {"pid": 2**22 + 1, "bootstrap": "127.0.0.1:1", "folder": str(folder)}
    (tmp_path / "state" / "kafka.json").write_bytes(orjson.dumps(note))
    act()
    assert (folder / "kept.jpg").read_bytes() == b"kept"


def test_a_link_in_the_place_of_the_folder_is_not_followed(started: Started, tmp_path: Path) -> None:
    broker = start_kafka()
    folder, elsewhere = Path(broker.folder), tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    stop_kafka()
    assert (elsewhere / MARK).exists()


@pytest.mark.parametrize("field", [{"pid": "1"}, {"pid": -1}, {"folder": 3}, {"folder": "a\0b"}, {"folder": "../x"}])
def test_a_note_of_wrong_values_is_no_note(field: dict[str, object], started: Started, tmp_path: Path) -> None:
    broker = start_kafka()
    note = {"pid": broker.pid, "bootstrap": "127.0.0.1:1", "folder": broker.folder, **field}
    (tmp_path / "state" / "kafka.json").write_bytes(orjson.dumps(note))
    assert kafka_status() is None
    assert stop_kafka() is None
    assert broker.is_running()


def test_a_cache_that_cannot_be_written_is_named_with_the_variable_for_another() -> None:
    with pytest.raises(DownloadError, match=r"kept in /dev/null/kafka: Not a directory.*RELAYWATCH_CACHE"):
        fetch_jars(folder=Path("/dev/null/kafka"))


def test_a_note_that_may_not_be_read_is_not_taken_for_no_kafka(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert main(["kafka", "status"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "kafka.json: Permission denied; it says which Kafka runs: ask as the user who started it" in line
