"""The end of the process, in tests that go on."""

from types import ModuleType
from typing import NoReturn

import pytest


class Left(BaseException):
    """Instead of the end of the process."""


def leaving(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What a module says as it ends the process: statuses and messages."""
    said: list[tuple[int, str]] = []

    def leave(status: int, message: str) -> NoReturn:
        said.append((status, message))
        raise Left

    monkeypatch.setattr(module, "leave", leave)
    return said
