"""`relaywatch inspect`: every frame of a file accounted for."""

import argparse
from pathlib import Path
from typing import Final

from pipeline.accounting.account import Account
from pipeline.accounting.by_count import CountedAccounting
from pipeline.accounting.by_time import TimedAccounting
from pipeline.errors import RecordingError
from pipeline.frames import FORMATS
from pipeline.frames.frame import Managed
from pipeline.mission.model import FrameFormat, Mission
from pipeline.packets.space_packet import IDLE_APID
from pipeline.report.channel_heads import channel_heads
from pipeline.shells.files.any_file import FrameFile, kind_of, open_recording
from pipeline.shells.files.other_kinds import other_kind
from pipeline.shells.terminal import Progress, note, say, say_json, table

EXAMPLE: Final = """\
  $ relaywatch inspect mars2020_frames.u8 --format aos --frame-length 1115 --fecf
  950 frames

  disposition  frames
  -----------  ------
  good            946
  bad:fecf          4

  SCID  VCID  received  gaps  missing  repeated  discontinuities  first count  last count
  ----  ----  --------  ----  -------  --------  --------  -----------  ----------
   168     0       946     6       17         0         0      2950967     2951929"""

_RAW_FORMATS: Final[tuple[FrameFormat, ...]] = ("tm", "aos")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording (.mcap), a tlog, or a file of frames")
    parser.add_argument("--format", choices=_RAW_FORMATS, help="frame format of a file of frames")
    parser.add_argument("--frame-length", type=int, metavar="N", help="octets of each of its frames, the FECF included")
    parser.add_argument(
        "--fecf",
        action=argparse.BooleanOptionalAction,
        help="whether its frames end in a frame error control field (not given: found out on the first frames)",
    )
    parser.add_argument(
        "--mission", metavar="M", help="mission of a recording or tlog: a shipped one's name, or a path"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    account, fault, mission = _account(arguments)
    if arguments.json:
        say_json(account.body())
    else:
        say(_text(account, mission))
    if fault is not None:
        if not account.frames:
            raise RecordingError(fault)
        note(fault)
    if account.frames and not account.good:
        raise RecordingError(f"{arguments.file.name}: none of its {account.frames} frames is good: {_hint(arguments)}")
    if account.good * 2 < account.frames:
        note(f"most of the {account.frames} frames are bad: {_hint(arguments)}")
    return 0


def _account(arguments: argparse.Namespace) -> tuple[Account, str | None, Mission | None]:
    """The account of the file, what is wrong with it in one line, and its mission."""
    path: Path = arguments.file
    kind = kind_of(path)
    if kind != "frames" and arguments.format is None:
        return _timed(arguments)
    if arguments.format is None or arguments.frame_length is None:
        if (other := other_kind(path)) is not None:
            raise RecordingError(f"{path}: {other}")
        raise RecordingError(
            f"{path}: neither a recording (.mcap) nor a tlog. If it is frames one after the other, say which: "
            f"relaywatch inspect {path} --format tm --frame-length 1115 --fecf (or aos, another length, --no-fecf)"
        )
    if kind == "recording":
        raise RecordingError(f"{path}: a recording says itself what its frames are: leave out --format")
    return *_counted(arguments), None


def _timed(arguments: argparse.Namespace) -> tuple[Account, str | None, Mission]:
    if arguments.frame_length is not None or arguments.fecf is not None:
        raise RecordingError(
            f"{arguments.file}: frame length and FECF of a recording stand in its mission: leave out --frame-length "
            "and --fecf, or give another --mission"
        )
    opened = open_recording(arguments.file, mission=arguments.mission)
    accounting = TimedAccounting(opened.mission)
    source = opened.source
    with Progress("inspect", source.size) as progress:
        for record in source:
            accounting.take(record)
            progress.show(source.octets_read)
    for line in source.notes:
        note(line)
    return accounting.close(), source.cut_off, opened.mission


def _counted(arguments: argparse.Namespace) -> tuple[Account, str | None]:
    if arguments.mission is not None:
        raise RecordingError(f"{arguments.file}: a file of frames is counted without a mission: leave out --mission")
    file = FrameFile(arguments.file, arguments.frame_length)
    fecf = arguments.fecf
    if fecf is None:
        fecf = file.has_frame_error_control_field()
        note(f"neither --fecf nor --no-fecf: by its first frames {'they have' if fecf else 'there is no'} FECF")
    managed = Managed(frame_length=file.frame_length, frame_error_control_field=fecf)
    accounting = CountedAccounting(FORMATS[arguments.format], managed)
    with Progress("inspect", file.size) as progress:
        for frames in file.batches():
            accounting.take(frames)
            progress.show(file.octets_read)
    return accounting.close(), file.rest


def _hint(arguments: argparse.Namespace) -> str:
    if arguments.format is None:
        return "is it the right mission?"
    return "are --format, --frame-length and --fecf those of this file?"


def _text(account: Account, mission: Mission | None) -> str:
    parts = [f"{account.frames:,} frames"]
    words = sorted(account.dispositions.items(), key=lambda row: -row[1])
    parts.append(table(("disposition", "frames"), [row for row in words if row[1]]))
    if account.channels:
        several = len({one.link for one in account.channels}) > 1
        heads = [
            *channel_heads(mission),
            "received",
            "gaps",
            "missing",
            "repeated",
            "discontinuities",
            "first count",
            "last count",
        ]
        rows = [
            [one.scid, one.vcid, one.received, one.gaps, one.missing, one.repeated, one.discontinuities,
             str(one.first_count), str(one.last_count)]
            for one in account.channels
        ]  # fmt: skip
        if several:
            heads, rows = ["link", *heads], [[one.link, *row] for one, row in zip(account.channels, rows)]
        parts.append(table(heads, rows))
    if account.packets:
        packets = [
            (f"{apid} (idle)" if apid == IDLE_APID else str(apid), n) for apid, n in account.packets.most_common()
        ]
        parts.append(table(("APID", "packets"), packets))
    return "\n\n".join(parts)
