"""Memory that nobody uses goes back to the system."""

import platform
from pathlib import Path

import pytest

from pipeline.shells.worker.allocator import give_back


def resident_mebibytes() -> float:
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to")
def test_what_lies_free_between_what_is_in_use_goes_back() -> None:
    held = [bytes(40_000) for _ in range(3_000)]
    full = resident_mebibytes()
    kept = held[::50]
    del held
    give_back()
    assert full - resident_mebibytes() > 80
    assert len(kept) == 60
