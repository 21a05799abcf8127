"""Octets → frames. To add a format: one file with a `read`, one line here (and its name in mission.model)."""

from typing import Final

from pipeline.frames import aos, messages, tm
from pipeline.frames.frame import FrameFormat

FORMATS: Final[dict[str, FrameFormat]] = {
    "tm": tm.read,
    "aos": aos.read,
    "mavlink": messages.read,
}
