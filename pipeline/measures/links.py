"""What telemetry says of a link, as samples: frames counted, and where the link stands. Knows nothing of vehicles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pipeline.metrics import (
    FRAMES,
    IN_CONTACT,
    LATE,
    LATENESS,
    LINK_STATE,
    SIGNAL_LEVEL,
    WATERMARK,
    Sample,
    disposition_labels,
)
from pipeline.records import SECOND, OriginKind
from pipeline.telemetry import Telemetry

LinkState = Literal[0, 1, 2, 3]
NO_SESSION: Final = 0
LISTENING: Final = 1
IN_CONTACT_STATE: Final = 2
OUTAGE: Final = 3


@dataclass(slots=True)
class LinkCounts:
    """What was already counted of one (run, link), and where it stands. Kept with the link's state, so that a restart
    counts nothing twice and shows the same."""

    dispositions: dict[str, int] = field(default_factory=dict)
    late: int = 0
    watermark: int = 0
    """Nanoseconds on the relay's clock; 0 before the first record."""
    session: int = 0
    """That of the record which reached the watermark."""
    state: LinkState = NO_SESSION
    level: float | None = None
    """dBm, while something is heard."""

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> "LinkCounts":
        """The inverse of `asdict`, after JSON. What another version stored beside is passed over."""
        return cls(**{name: value for name, value in stored.items() if name in cls.__slots__})

    def take(self, telemetry: Telemetry, origin: OriginKind) -> Iterator[Sample]:
        """What this telemetry adds. Its totals are running ones, so taking it again adds nothing."""
        for name, total in telemetry.dispositions.items():
            new = total - self.dispositions.get(name, 0)
            if new > 0:
                self.dispositions[name] = total
                yield Sample(FRAMES, (telemetry.link, *disposition_labels(name), origin), new)
        if telemetry.late > self.late:
            yield Sample(LATE, (telemetry.link, origin), telemetry.late - self.late)
            self.late = telemetry.late
        self._follow(telemetry)

    def _follow(self, telemetry: Telemetry) -> None:
        """Late records tell nothing of where the link stands now."""
        at = telemetry.relay_receive_time
        if at is None or at < self.watermark:
            if telemetry.session != self.session or telemetry.kind == "received":
                return
        else:
            self.watermark, self.session = at, telemetry.session
        listened = telemetry.listened
        if telemetry.kind in ("end_of_data", "recording_ended"):
            self.state = NO_SESSION
        elif telemetry.kind == "no_delivery" or (listened is not None and listened.production_status != "running"):
            self.state = OUTAGE
        else:
            heard = _heard(telemetry)
            if heard is None and self.state == IN_CONTACT_STATE:
                heard = True
            self.state = IN_CONTACT_STATE if heard else LISTENING
        if self.state != IN_CONTACT_STATE:
            self.level = None
        elif listened is not None:
            self.level = listened.signal_level_dbm

    def gauges(self, link: str, origin: OriginKind) -> Iterator[Sample]:
        yield Sample(LINK_STATE, (link, origin), self.state)
        yield Sample(IN_CONTACT, (link, origin), self.state == IN_CONTACT_STATE)
        yield Sample(WATERMARK, (link, origin), self.watermark / SECOND)
        if self.level is not None:
            yield Sample(SIGNAL_LEVEL, (link, origin), self.level)


def lateness(told: Sequence[Telemetry], origin: OriginKind) -> Iterator[Sample]:
    """How late a record came to earth, of what `decode` told of it: the same whichever vehicle it was told of."""
    if told and told[0].relay_receive_time is not None:
        yield Sample(LATENESS, (origin,), (told[0].earth_receive_time - told[0].relay_receive_time) / SECOND)


def _heard(telemetry: Telemetry) -> bool | None:
    """Whether the record says that something was heard; None where it says neither."""
    listened = telemetry.listened
    if listened is None:
        return True if telemetry.channels else None
    if listened.frames_heard is not None:
        return listened.frames_heard > 0
    return None if listened.carrier_lock == "unknown" else listened.carrier_lock == "in_lock"
