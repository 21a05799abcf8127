"""Opens whatever file somebody has: a recording (`.mcap`), a tlog of a drone's ground station, or raw frames one after
the other. Knows how to tell them apart and which mission goes with them; does not know what is done with them.

A recording and a tlog say when each frame was received. A raw frame file does not, and so says nothing of silence:
its frames can be counted and no more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from pipeline.errors import RecordingError
from pipeline.frames import check
from pipeline.frames.frame import split
from pipeline.frames.mavlink import starts_whole_message
from pipeline.mission.load import load_mission
from pipeline.mission.model import Mission
from pipeline.records import Record
from pipeline.shells.files.other_kinds import other_kind
from pipeline.shells.files.recording import MAGIC
from pipeline.shells.files.recording_reader import read_recording
from pipeline.shells.files.resources import read_mission
from pipeline.shells.files.tlog import read_tlog

FileKind = Literal["recording", "tlog", "frames"]

TLOG_MISSION: Final = "mavlink"
"""The mission of a tlog where none is given: any vehicle that speaks MAVLink."""

SHORTEST_FRAME: Final = 8
LONGEST_FRAME: Final = 65_536

_HEAD_OCTETS: Final = 512
_READ_OCTETS: Final = 256 * 1024
_TRIED_FRAMES: Final = 256
_YEAR_1990: Final = 631_152_000_000_000
_YEAR_2100: Final = 4_102_444_800_000_000


class Source(Protocol):
    """Records of a file in order of arrival. It can be iterated once, in memory that does not grow with the file;
    what was found stands in the attributes after it."""

    path: Path
    size: int
    octets_read: int
    cut_off: str | None
    """Where and how the file stops short, in one line; None where it is whole."""
    notes: list[str]

    def __iter__(self) -> Iterator[Record]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    source: Source
    mission: Mission


def kind_of(path: Path) -> FileKind:
    """What a file is, by its first octets; by its name only where they do not say.

    Raises RecordingError where it cannot be read or is empty.
    """
    try:
        if path.is_fifo() or path.is_char_device():
            raise RecordingError(f"{path} is a pipe or a device, and a recording is read more than once: give a file")
        with path.open("rb") as file:
            head = file.read(_HEAD_OCTETS)
    except OSError as fault:
        raise RecordingError(f"{path}: {fault.strerror}") from None
    if not head:
        raise RecordingError(f"{path} is empty: expected a recording (.mcap), a tlog, or transfer frames")
    if head.startswith(MAGIC) or path.suffix == ".mcap":
        return "recording"
    microseconds = int.from_bytes(head[:8], "big")
    if path.suffix == ".tlog" or (_YEAR_1990 < microseconds < _YEAR_2100 and starts_whole_message(head, 8)):
        return "tlog"
    return "frames"


def open_recording(path: Path, *, mission: str | None = None) -> Opened:
    """A file whose frames have receive times, and its mission: the given one (a shipped one's name, or a path), else
    the one inside the file, else for a tlog the one for any MAVLink vehicle.

    Raises RecordingError or MissionError where either cannot be used.
    """
    kind = kind_of(path)
    if kind == "frames":
        if (other := other_kind(path)) is not None:
            raise RecordingError(f"{path}: {other}")
        raise RecordingError(
            f"{path}: neither a recording (.mcap) nor a tlog, and a file of frames alone has no receive times: nothing "
            "can be said of silence. To count its frames: "
            f"relaywatch inspect {path} --format tm --frame-length 1115 --fecf"
        )
    if kind == "tlog":
        chosen = read_mission(mission or TLOG_MISSION)
        return Opened(source=read_tlog(path, chosen), mission=chosen)
    recording = read_recording(path)
    if mission is not None:
        return Opened(source=recording, mission=read_mission(mission))
    if recording.mission_text is None:
        stops = "" if recording.cut_off is None else f" ({recording.cut_off})"
        raise RecordingError(
            f"{path}: no mission stands in this recording{stops}: give one, for example --mission ingenuity"
        )
    inside = load_mission(recording.mission_text, where=f"{path.name}, the mission inside")
    return Opened(source=recording, mission=inside)


class FrameFile:
    """Frames of one length, one after the other. `batches` can be iterated again."""

    def __init__(self, path: Path, frame_length: int) -> None:
        """Raises RecordingError where the file cannot be read or the length cannot be one."""
        if not SHORTEST_FRAME <= frame_length <= LONGEST_FRAME:
            raise RecordingError(
                f"--frame-length is {frame_length}: give the octets of a frame, {SHORTEST_FRAME} to {LONGEST_FRAME}"
            )
        kind_of(path)
        self.path = path
        self.frame_length = frame_length
        self.size = path.stat().st_size
        self.octets_read = 0

    def batches(self) -> Iterator[list[bytes]]:
        """Whole frames, about 256 KiB at a time."""
        length = self.frame_length
        wanted = max(1, _READ_OCTETS // length) * length
        self.octets_read = 0
        try:
            with self.path.open("rb") as file:
                while octets := file.read(wanted):
                    self.octets_read += len(octets)
                    yield split(octets[: len(octets) - len(octets) % length], length)
        except OSError as fault:
            raise RecordingError(f"{self.path}: {fault.strerror} after {self.octets_read} octets") from None

    @property
    def rest(self) -> str | None:
        """In one line what is left after the last whole frame that was read; None where nothing is."""
        frames, octets = divmod(self.octets_read, self.frame_length)
        if not octets:
            return None
        return (
            f"{self.path.name}: {octets} octets are left after frame {frames}: {self.octets_read} octets are no whole "
            f"number of frames of {self.frame_length}; the file is cut off, or --frame-length is another"
        )

    def has_frame_error_control_field(self) -> bool:
        """By trial on the first frames, for who does not know: octets that are no check pass it once in 65,536."""
        frames = next(self.batches(), [])[:_TRIED_FRAMES]
        return len(frames) - len(check.failing(frames)) > len(frames) // 10
