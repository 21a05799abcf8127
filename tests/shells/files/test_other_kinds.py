"""A file of a kind that is not read is named, with what can be done."""

from pathlib import Path

import pytest
from pymavlink.dialects.v20 import all as mavlink

from pipeline.shells.cli import main
from pipeline.shells.files.other_kinds import other_kind

PACKET = bytes.fromhex("0864c0000003") + b"data"
KINDS = {
    "a ULog": b"ULog\x01\x12\x35\x01" + bytes(100),
    "a DataFlash log": b"\xa3\x95\x80" + bytes(100),
    "attached sync markers": bytes.fromhex("1acffc1d") + bytes(range(200)),
    "one bit an octet": bytes([0, 1, 1, 0]) * 40,
    "it is text": b'{"bytes": 0}\n' * 20,
    "space packets": PACKET * 20,
    "MAVLink messages without the time": bytes(
        mavlink.MAVLink_heartbeat_message(2, 3, 81, 0, 3, 3).pack(mavlink.MAVLink(None, srcSystem=1, srcComponent=1))
    ),
}


@pytest.mark.parametrize("named", KINDS)
@pytest.mark.parametrize("command", ["inspect", "analyze"])
def test_a_file_of_another_kind_is_named_in_one_line(
    named: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "input.dat"
    path.write_bytes(KINDS[named])
    assert main([command, str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line


def test_transfer_frames_are_no_other_kind(tmp_path: Path) -> None:
    path = tmp_path / "frames.u8"
    path.write_bytes(
        b"".join(bytes.fromhex("2a80") + number.to_bytes(2, "big") + bytes(range(124)) for number in range(40))
    )
    assert other_kind(path) is None
