"""What telemetry says of a link: frames counted, and where the link stands. Knows no vehicle's evidence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.metrics import FRAMES, IN_CONTACT, LATE, WATERMARK, Sample, disposition_labels
from pipeline.records import SECOND, OriginKind, Run
from pipeline.telemetry import Telemetry


@dataclass(slots=True)
class LinkCounts:
    """What was already counted of one (run, link). Kept with the link's state, so that a restart counts nothing
    twice; JSON-able by `asdict`."""

    dispositions: dict[str, int] = field(default_factory=dict)
    late: int = 0
    watermark: int = 0
    """Nanoseconds on the relay's clock."""
    heard: bool = False

    def take(self, telemetry: Telemetry, run: Run) -> Iterator[Sample]:
        """What this telemetry adds. Its totals are running ones, so taking it again adds nothing."""
        link = telemetry.link
        for name, total in telemetry.dispositions.items():
            new = total - self.dispositions.get(name, 0)
            if new > 0:
                self.dispositions[name] = total
                yield Sample(FRAMES, (link, *disposition_labels(name), run.origin), new)
        if telemetry.late > self.late:
            yield Sample(LATE, (link, run.origin), telemetry.late - self.late)
            self.late = telemetry.late
        heard = _heard(telemetry)
        if heard is not None:
            self.heard = heard
        self.watermark = max(self.watermark, telemetry.relay_receive_time or 0)


def link_gauges(link: str, origin: OriginKind, counts: Iterable[LinkCounts]) -> Iterator[Sample]:
    """The gauges of one link over all runs of one origin: of the run that is furthest."""
    furthest = max(counts, key=lambda one: one.watermark, default=None)
    if furthest is not None:
        yield Sample(IN_CONTACT, (link, origin), furthest.heard)
        yield Sample(WATERMARK, (link, origin), furthest.watermark / SECOND)


def _heard(telemetry: Telemetry) -> bool | None:
    """Whether the record says that something was heard; None where it says neither."""
    if telemetry.kind == "received":
        return True if telemetry.channels else None
    if telemetry.listened is None:
        return False
    listened = telemetry.listened
    if listened.frames_heard is not None:
        return listened.frames_heard > 0
    return None if listened.carrier_lock == "unknown" else listened.carrier_lock == "in_lock"
