"""How the worker is set up, without a broker."""

import asyncio
import os
import signal
from importlib.metadata import version

import pytest

from pipeline.shells.exits import EXIT_FAILED
from pipeline.shells.kafka.topics_needed import changelog_topic
from pipeline.shells.settings import Settings
from pipeline.shells.worker import app as module
from pipeline.shells.worker.app import PINNED, VersionError, _serve, build_app, check_versions
from pipeline.shells.worker.exporter import Exporter
from pipeline.shells.worker.transport import Consumer, Producer
from pipeline.topics import TOPICS
from tests.build import root, scenario
from tests.shells.worker.leaving import Left, leaving

PARTITIONS = {name: topic.partitions for name, topic in TOPICS.items()}


def test_another_version_of_faust_than_the_proven_one_is_refused() -> None:
    check_versions()
    with pytest.raises(VersionError, match=r"found mode-streaming 0\.7\.1 \(needed: 9\.9\)\. Install those of"):
        check_versions({**PINNED, "mode-streaming": "9.9"})


def test_the_proven_versions_are_those_of_the_lock() -> None:
    lock = (root() / "requirements.lock").read_text()
    for name, pinned in PINNED.items():
        assert f"{name}=={pinned}" in lock
        assert version(name) == pinned


@pytest.mark.asyncio
async def test_two_workers_can_be_built_in_one_process_and_share_nothing() -> None:
    mission = scenario("flight-72").mission
    first, second = (build_app(Settings(namespace=name), mission, PARTITIONS, Exporter()) for name in ("one", "two"))
    assert first.app.conf.id == "one.worker"
    assert second.app.conf.id == "two.worker"
    assert [guard.table.changelog_topic_name for guard in second.guards] == [
        changelog_topic("two", "links"), changelog_topic("two", "commands"), changelog_topic("two", "vehicles"),
    ]  # fmt: skip
    assert set(first.app.inboxes) == {"one.frames", "one.commands", "one.telemetry"}
    assert first.app.inboxes["one.frames"] is first.guards[0].inbox
    assert first.guards[0].lock is not second.guards[0].lock
    assert len(first.app.agents) == 3
    await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_the_producer_is_idempotent_and_the_consumer_goes_by_the_state() -> None:
    worker = build_app(Settings(), scenario("flight-72").mission, PARTITIONS, Exporter())
    producer = worker.app.transport.create_producer()
    assert isinstance(producer, Producer)
    assert producer._settings_extra() == {"acks": "all", "enable_idempotence": True}
    assert worker.app.transport.Consumer is Consumer
    assert worker.not_ready() == "not ready: state of links is being read back"


@pytest.mark.asyncio
async def test_a_worker_one_of_whose_clients_has_given_up_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = build_app(Settings(), scenario("flight-72").mission, PARTITIONS, Exporter())
    said = leaving(module, monkeypatch)

    async def start() -> None:
        pass

    monkeypatch.setattr(worker.app, "start", start)
    monkeypatch.setattr(worker.app, "given_up", lambda: "fetching (KeyError(1))")
    async with asyncio.timeout(10):
        with pytest.raises(Left):
            await _serve(worker, Exporter(), None)
    assert said == [
        (EXIT_FAILED, "Kafka's client has given up fetching (KeyError(1)); starting again from the state")
    ]  # fmt: skip


@pytest.mark.asyncio
@pytest.mark.parametrize("starts", [False, True], ids=["while it starts", "while it stops"])
async def test_a_worker_ends_as_asked_also_where_kafka_hangs(starts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker whose machine stands still keeps its connections and answers nothing."""
    worker = build_app(Settings(), scenario("flight-72").mission, PARTITIONS, Exporter())
    said = leaving(module, monkeypatch)

    async def hang() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(3600)

    async def start() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(worker.app, "start", start if starts else hang)
    monkeypatch.setattr(worker.app, "stop", hang)
    monkeypatch.setattr(worker.app, "given_up", lambda: "")
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.1)
    async with asyncio.timeout(10):
        with pytest.raises(Left):
            await _serve(worker, Exporter(), None)
    [(status, why)] = said
    assert status == 0
    assert why == ("Kafka has not answered for 0 s; ending without it" if starts else
                   "ending as asked, before Kafka has answered")  # fmt: skip


@pytest.mark.asyncio
async def test_the_start_waits_for_no_tables_that_are_still_to_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = build_app(Settings(), scenario("flight-72").mission, PARTITIONS, Exporter()).app.tables
    done: list[str] = []

    async def channels() -> None:
        done.append("channels")

    async def recovery() -> None:
        done.append("recovery")

    async def sleep(_: float) -> None:
        done.append("slept")

    monkeypatch.setattr(tables, "_update_channels", channels)
    monkeypatch.setattr(tables.recovery, "start", recovery)
    monkeypatch.setattr(tables, "sleep", sleep)
    await tables.on_start()
    assert done == ["channels", "recovery"]


@pytest.mark.asyncio
async def test_a_fetch_for_which_there_is_nothing_does_not_keep_others_waiting_for_long() -> None:
    app = build_app(Settings(), scenario("flight-72").mission, PARTITIONS, Exporter()).app
    consumer = app.consumer._thread._create_worker_consumer(app.transport)
    try:
        assert 0 < consumer._fetch_max_wait_ms <= 250
    finally:
        await consumer.stop()
