"""The jars of Apache Kafka: exactly those of the lock file, from Maven's central repository by jgo, kept in the
cache. Knows the network and the cache folder; starts nothing."""

import hashlib
import importlib.resources
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import RelayWatchError
from pipeline.shells.settings import cache_folder

KAFKA: Final = "org.apache.kafka:kafka_2.13:4.1.1"
LOG_BINDING: Final = "org.slf4j:slf4j-simple:1.7.36"
"""Kafka brings no SLF4J binding: without one it logs nothing, not even why it stopped."""
LOCK_FILE: Final = "kafka.lock.json"
_DOWNLOADS_AT_ONCE: Final = 4


class DownloadError(RelayWatchError):
    """A jar that could not be fetched, or is not the one that was locked."""


@dataclass(frozen=True, slots=True)
class Jar:
    coordinate: str
    """group:artifact:version"""
    sha256: str
    octets: int

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


Progress = Callable[[int, int], None]
"""Octets fetched so far, octets in all."""


def locked_jars() -> tuple[Jar, ...]:
    """The jars as locked, Kafka's own first."""
    text = importlib.resources.files("pipeline.shells.kafka").joinpath(LOCK_FILE).read_bytes()
    return tuple(Jar(**jar) for jar in orjson.loads(text)["jars"])


def fetch_jars(progress: Progress | None = None, folder: Path | None = None) -> list[Path]:
    """The paths of all locked jars; those not in the cache are fetched and checked first.

    Raises DownloadError where a jar cannot be had or kept, or its SHA-256 is not the locked one.
    """
    folder = folder or cache_folder() / "kafka"
    jars = locked_jars()
    missing = [jar for jar in jars if not _is_cached(jar, folder)]
    if missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _fetch(missing, folder, progress or (lambda done, total: None))
        except OSError as fault:
            raise DownloadError(
                f"Kafka cannot be kept in {folder}: {fault.strerror or fault}. Name a folder that can be written: "
                "RELAYWATCH_CACHE"
            ) from None
    return [folder / jar.file_name for jar in jars]


def _is_cached(jar: Jar, folder: Path) -> bool:
    """By its length: it was put there whole, after its SHA-256 was checked."""
    path = folder / jar.file_name
    return path.is_file() and path.stat().st_size == jar.octets


def _fetch(jars: list[Jar], folder: Path, progress: Progress) -> None:
    done, total = 0, sum(jar.octets for jar in jars)
    progress(done, total)
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as scratch,
        ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool,
    ):
        fetched = {pool.submit(_fetch_one, jar, folder, Path(scratch)): jar for jar in jars}
        try:
            for one in as_completed(fetched):
                one.result()
                done += fetched[one].octets
                progress(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch_one(jar: Jar, folder: Path, scratch: Path) -> None:
    # jgo leaves a part of a file behind when it is cut off: so it gets a scratch folder, and only a jar whose
    # octets were checked moves to the cache, in one step.
    from jgo.maven import MavenContext  # imports requests: only where something is fetched

    context = MavenContext(repo_cache=scratch / jar.file_name, remote_repos=_repositories())
    group, artifact, version = jar.coordinate.split(":")
    try:
        fetched = Path(context.project(group, artifact).at_version(version).artifact().resolve())
    except Exception as fault:
        raise DownloadError(
            f"cannot fetch {jar.coordinate} from {', '.join(context.remote_repos.values())}: {_short(fault)}. "
            "Check the network, or use a Kafka of your own (--kafka host:port). `relaywatch analyze` needs no broker."
        ) from fault
    found = hashlib.sha256(fetched.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise DownloadError(f"{jar.coordinate}: SHA-256 is {found}, the lock file says {jar.sha256}; not used")
    shutil.move(fetched, folder / f"{jar.file_name}.part")
    (folder / f"{jar.file_name}.part").replace(folder / jar.file_name)


def _repositories() -> dict[str, str]:
    """Maven's central repository, then those of the user's own jgo.conf."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL

    return {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}


def _short(fault: Exception) -> str:
    return f"{type(fault).__name__}: {str(fault).splitlines()[0]:.160}" if str(fault) else type(fault).__name__


@contextmanager
def progress_line(stream: Any = None) -> Iterator[Progress]:
    """A line on stderr that says how far the download is; nothing where nothing is fetched."""
    stream = stream or sys.stderr
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(total, 1)
        if stream.isatty():
            stream.write(f"\rfetching Apache Kafka {done / 1e6:5.1f} of {total / 1e6:.1f} MB")
        elif shown < 0 or percent >= shown + 25 or done == total:
            stream.write(f"fetching Apache Kafka {done / 1e6:.1f} of {total / 1e6:.1f} MB\n")
        else:
            return
        shown = percent
        stream.flush()

    try:
        yield show
    finally:
        if shown >= 0 and stream.isatty():
            stream.write("\n")


def make_lock() -> bytes:
    """The lock file's octets as Maven resolves KAFKA and LOG_BINDING today: run this module to renew the file."""
    import jgo

    jars = {}
    for coordinate in (KAFKA, LOG_BINDING):
        for artifact in jgo.resolve(coordinate):
            name = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            octets = Path(artifact.resolve()).read_bytes()
            jars[name] = asdict(Jar(name, hashlib.sha256(octets).hexdigest(), len(octets)))
    lock = {"made_from": [KAFKA, LOG_BINDING], "jars": list(jars.values())}
    return orjson.dumps(lock, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    Path(__file__).with_name(LOCK_FILE).write_bytes(make_lock())
