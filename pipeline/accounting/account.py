"""The account of a file's frames. Knows numbers only."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class ChannelAccount:
    """One virtual channel. What was sent is `received - repeated + missing`."""

    scid: int
    vcid: int
    link: str = ""
    """Empty for a raw frame file."""
    received: int = 0
    """Frames that passed their check and are the channel's, those that came again too."""
    gaps: int = 0
    missing: int = 0
    repeated: int = 0
    discontinuities: int = 0
    """Places where the counts go on elsewhere: a restart, not a loss, so nothing is missing there."""
    first_count: int | None = None
    last_count: int | None = None
    """Virtual channel frame counts as received, of the first and the newest frame."""

    def body(self) -> dict[str, Any]:
        body = {
            "scid": self.scid, "vcid": self.vcid, "received": self.received, "gaps": self.gaps,
            "missing": self.missing, "repeated": self.repeated, "first_count": self.first_count,
            "last_count": self.last_count,
        }  # fmt: skip
        return {"link": self.link, **body} if self.link else body


@dataclass(slots=True, kw_only=True)
class Account:
    frames: int = 0
    dispositions: Counter[str] = field(default_factory=Counter)
    """Their sum is `frames`."""
    channels: list[ChannelAccount] = field(default_factory=list)
    packets: Counter[int] = field(default_factory=Counter)
    """APID → whole packets; idle ones are those of APID 2047."""

    @property
    def good(self) -> int:
        """Frames that passed every check, those that came again or belong to another mission too."""
        return self.frames - sum(n for word, n in self.dispositions.items() if word.startswith("bad:"))

    def body(self) -> dict[str, Any]:
        """What `inspect --json` prints."""
        return {
            "frames": self.frames,
            "dispositions": {word: n for word, n in sorted(self.dispositions.items()) if n},
            "channels": [channel.body() for channel in self.channels],
            "packets": {str(apid): n for apid, n in sorted(self.packets.items())},
        }
