"""What a person got wrong. What a noisy link does is a value, not an exception."""

from typing import Final


class RelayWatchError(Exception):
    """One clear line: what was found, what was expected, where, and what to do."""


class MissionError(RelayWatchError):
    """A mission file that cannot be used. Carries every fault found, a line each."""


class RecordError(RelayWatchError):
    """A record whose octets are not one of ours. `reason` is a short fixed word, a metric's label."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


STATE_UNUSABLE: Final = "state_unusable"


class StateUnusableError(RecordError):
    """A record whose state is set aside."""

    def __init__(self, message: str, *, is_copied: bool) -> None:
        super().__init__(STATE_UNUSABLE, message)
        self.is_copied = is_copied
        """Whether it goes to the rejected topic; else it is only counted, and stays where it came from."""


class RecordingError(RelayWatchError):
    """A recording that cannot be read, or only in part."""


class SightError(RelayWatchError):
    """A terrain, a position or a track from which no line of sight can be reckoned."""
