"""What a person got wrong. What a noisy link does is a value, not an exception."""


class RelayWatchError(Exception):
    """One clear line: what was found, what was expected, where, and what to do."""


class MissionError(RelayWatchError):
    """A mission file that cannot be used. Carries every fault found, a line each."""


class RecordError(RelayWatchError):
    """A record whose octets are not one of ours. `reason` is a short fixed word, a metric's label."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RecordingError(RelayWatchError):
    """A recording that cannot be read, or only in part."""


class SightError(RelayWatchError):
    """A terrain, a position or a track from which no line of sight can be reckoned."""
