"""A recording's blocks in Prometheus's folder: made by promtool beside it, then moved in and noted, so that the same
recording is not put there twice. Knows files and promtool; what is in the blocks is `pipeline.backfill`'s."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from pipeline.errors import RelayWatchError
from pipeline.shells.files.whole_file import whole_file

NOTES: Final = "relaywatch-backfill"
"""Folder of the notes, one a recording; Prometheus looks at nothing in its own folder that has no name of a block."""
BLOCK: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_OWN: Final = {"wal", "chunks_head", "lock", "queries.active", NOTES}
_LONGEST_BLOCK: Final = "24h"
"""promtool's own are of two hours each, however few samples they have."""


class BackfillError(RelayWatchError):
    """Blocks that were not made, or not put where they belong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What was put into a Prometheus of one recording."""

    name: str
    recording: str
    sha256: str
    """Of the OpenMetrics text."""
    blocks: tuple[str, ...]
    """As they were called at first: Prometheus joins blocks, and gives the new one another name."""


def find_promtool() -> str:
    """Raises BackfillError, which says where to get it."""
    path = shutil.which("promtool")
    if path is None:
        raise BackfillError(
            "promtool is not on the path: it comes with Prometheus (on Debian: apt-get install prometheus). Or write "
            "the text here with --openmetrics FILE, and make the blocks where Prometheus runs: promtool tsdb "
            "create-blocks-from openmetrics FILE DIR"
        )
    return path


def check_data_folder(folder: Path) -> None:
    """Raises BackfillError where this is not, and cannot become, what Prometheus has as --storage.tsdb.path."""
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as fault:
        raise BackfillError(
            f"{folder}: {fault.strerror}; give the folder that Prometheus has as --storage.tsdb.path"
        ) from None
    if names and not names & _OWN and not any(BLOCK.fullmatch(name) for name in names):
        raise BackfillError(
            f"{folder} holds {', '.join(sorted(names)[:3])} and nothing of Prometheus: give the folder that Prometheus "
            "has as --storage.tsdb.path, or an empty one"
        )


def add_blocks(text: Iterable[str], folder: Path, *, name: str, recording: str, promtool: str) -> Note | None:
    """Blocks of an OpenMetrics text, in Prometheus's folder; None where just these are there already.

    Raises BackfillError where another recording is there under this name, or the blocks cannot be made.
    """
    notes = folder / NOTES
    try:
        notes.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=notes) as making:
            file = Path(making) / "openmetrics"
            sha256 = _write(text, file)
            if _is_there(notes / f"{name}.json", name, sha256):
                return None
            made = Path(making) / "blocks"
            _make_blocks(promtool, file, made)
            blocks = sorted(made.iterdir())
            for block in blocks:
                block.rename(folder / block.name)
            done = Note(name=name, recording=recording, sha256=sha256, blocks=tuple(block.name for block in blocks))
            # Last: a note of blocks that are not there would keep them away for ever. Blocks without a note may come
            # twice, and Prometheus drops the second of two equal samples.
            _replace(notes / f"{name}.json", orjson.dumps(asdict(done), option=orjson.OPT_INDENT_2))
            return done
    except OSError as fault:
        raise BackfillError(f"{fault.filename or folder}: {fault.strerror}") from None


def write_text(text: Iterable[str], file: Path) -> None:
    """Whole, or not at all, but for what is no file, as /dev/stdout or a pipe: that is written to, and never replaced.

    Raises BackfillError."""
    try:
        with whole_file(file) as place:
            _write(text, place)
    except OSError as fault:
        raise BackfillError(f"{file}: {fault.strerror}") from None


def _write(text: Iterable[str], file: Path) -> str:
    """SHA-256 of what was written."""
    sum_ = hashlib.sha256()
    with file.open("wb") as output:
        for piece in text:
            octets = piece.encode()
            sum_.update(octets)
            output.write(octets)
    return sum_.hexdigest()


def _is_there(note: Path, name: str, sha256: str) -> bool:
    try:
        body = orjson.loads(note.read_bytes())
        before = Note(**body | {"blocks": tuple(body["blocks"])})
    except FileNotFoundError:
        return False
    except (ValueError, TypeError, KeyError):
        raise BackfillError(f"{note} is no note of a backfill: remove it, and the blocks are made again") from None
    if before.sha256 != sha256:
        raise BackfillError(
            f"{note.parent.parent} holds other values as {name!r}, of {before.recording}: give this recording a name "
            f"of its own with --name, or remove the blocks that {note} lists, then that file"
        )
    return True


def _make_blocks(promtool: str, text: Path, folder: Path) -> None:
    folder.mkdir()
    words = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    done = subprocess.run(
        [*words, f"--max-block-duration={_LONGEST_BLOCK}", str(text), str(folder)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise BackfillError(f"promtool made no blocks (exit status {done.returncode}): {' | '.join(said)}")


def _replace(file: Path, octets: bytes) -> None:
    partial = file.with_suffix(".partial")
    partial.write_bytes(octets)
    partial.replace(file)
