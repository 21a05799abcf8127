"""The broker of `relaywatch kafka start | stop | status`: one for each user of a machine, noted in the state folder.
Knows the note; how a broker is started and stopped is `local`'s."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import orjson

from pipeline.shells.kafka.jars import progress_line
from pipeline.shells.kafka.local import Broker, LocalKafkaError, start_broker
from pipeline.shells.settings import state_folder


def start_kafka() -> Broker:
    """The broker that already runs for this user, or a new one that outlives this process.

    Raises LocalKafkaError, with nothing left running, where there is none in the end.
    """
    # Before anything runs: a broker that cannot be noted could be found by nobody.
    with _alone():
        noted = _noted()
        if noted is not None and noted.is_running():
            return noted
        _put_away(noted)
        with progress_line() as progress:
            broker = start_broker(progress)
        try:
            _note().with_suffix(".new").write_bytes(orjson.dumps(asdict(broker)))
            _note().with_suffix(".new").replace(_note())
        except BaseException:
            broker.stop()
            raise
        return broker


def stop_kafka() -> Broker | None:
    """Stop the noted broker and say which it was; None where none runs. Its data goes with it."""
    broker = kafka_status()
    _put_away(_noted())
    return broker


def kafka_status() -> Broker | None:
    """The noted broker if it runs."""
    broker = _noted()
    return broker if broker is not None and broker.is_running() else None


def _put_away(broker: Broker | None) -> None:
    """Also what one that was killed has left: only its note says where."""
    if broker is not None:
        broker.stop()
        # A note of what does not run says nothing.
        with suppress(OSError):
            _note().unlink()


def _noted() -> Broker | None:
    """The broker that was started last, whether or not it still runs. Raises LocalKafkaError where that cannot be
    known."""
    try:
        broker = Broker(**orjson.loads(_note().read_bytes()))
        is_note = type(broker.pid) is int and broker.pid > 1 and isinstance(broker.folder, str) and broker.is_ours()
        return broker if is_note else None
    except PermissionError as fault:
        raise LocalKafkaError(
            f"{_note()}: {fault.strerror}; it says which Kafka runs: ask as the user who started it, or name another "
            "folder: RELAYWATCH_STATE"
        ) from None
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None


@contextmanager
def _alone() -> Iterator[None]:
    """Two starts at once make one broker: the second waits, and finds it. The lock goes with its process."""
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "kafka.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as fault:
        raise LocalKafkaError(
            f"the running Kafka cannot be noted in {folder}: {fault.strerror}. Name a folder that can be written: "
            "RELAYWATCH_STATE"
        ) from None


def _note() -> Path:
    return state_folder() / "kafka.json"
