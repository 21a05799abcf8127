"""What `relaywatch rejected list` shows of a record."""

import orjson
import pytest

from pipeline.records import SECOND, Origin
from pipeline.shells.commands.rejected import as_table
from pipeline.shells.kafka.rejections import Rejection, read_rejection
from pipeline.topics import Rejected

AT = 1_705_579_200 * SECOND


def shown(key: bytes | None = b"rover-a", message: str = "why", width: int = 112) -> str:
    rejected = Rejected(
        reason="no_key", message=message, origin=Origin("relay.frames", 0, 41), key=key, headers={}, value=b"abc"
    )
    read = read_rejection(rejected.encode(), AT)
    assert read is not None
    return as_table([read], width).splitlines()[-1]


def test_a_line_says_when_why_and_where_from() -> None:
    assert shown() == "2024-01-18 12:00:00  no_key  relay.frames/0@41  rover-a       3  why"


@pytest.mark.parametrize(
    ("key", "text"),
    [(None, "-"), (b"a\x1b[31m", r"a\x1b[31m"), (b"\xff\x00", r"\xff\x00"), (b"k" * 99, "k" * 21 + "...")],
)
def test_a_key_is_shown_as_text_and_cannot_write_on_the_terminal(key: bytes | None, text: str) -> None:
    assert shown(key).split()[4] == text


def test_a_message_ends_where_the_line_does() -> None:
    assert len(shown(message="x" * 2000, width=150)) == 150
    assert shown(message="x" * 2000).endswith("x...")
    assert "\x1b" not in shown(message="\x1b[31m")


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b"{}", b'{"key": 1}', orjson.dumps({"reason": "x"})])
def test_a_record_that_is_not_one_of_ours_is_none(value: bytes) -> None:
    assert read_rejection(value, AT) is None


def test_a_record_is_given_whole() -> None:
    rejected = Rejected(
        reason="no_key", message="m", origin=Origin("relay.frames", 0, 41), key=b"k", headers={"a": b"b"}, value=b"abc"
    )
    read = read_rejection(rejected.encode(), AT)
    assert isinstance(read, Rejection)
    assert read.body == orjson.loads(rejected.encode())
    assert (read.octets, read.origin.offset) == (3, 41)
