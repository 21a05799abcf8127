"""What is said of a vehicle, as samples."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from pipeline.measures.links import LinkCounts
from pipeline.metrics import ALERT_TYPES, INCIDENTS_ACTIVE, INCIDENTS_OPENED, MISSING, SEVERITIES, Sample
from pipeline.outputs import Output, Revision
from pipeline.records import OriginKind

_FLIGHTS_COUNTED: Final = 64


@dataclass(slots=True)
class VehicleCounts:
    """What was already counted of one (run, vehicle). Kept with the vehicle's state; JSON-able by `asdict`."""

    open: dict[str, list[str]] = field(default_factory=dict)
    """Incident id → type and severity."""
    missing: dict[str, int] = field(default_factory=dict)
    """Flight → frames missing, of the newest flights; the others stand in `missing_before`."""
    missing_before: int = 0

    def take(self, output: Output) -> Iterator[Sample]:
        """An incident raised by this output; the gauges are read off with `vehicle_gauges`."""
        if isinstance(output, Revision):
            if output.revision == 1:
                yield Sample(INCIDENTS_OPENED, (output.vehicle, output.type, output.origin), 1)
            if output.state == "open":
                self.open[output.incident_id] = [output.type, output.severity]
            else:
                self.open.pop(output.incident_id, None)
            return
        missing = output.facts.get("frames_missing")
        self.missing[output.name] = missing if isinstance(missing, int) else 0
        if len(self.missing) > _FLIGHTS_COUNTED:
            self.missing_before += self.missing.pop(next(iter(self.missing)))


def vehicle_gauges(vehicle: str, origin: OriginKind, counts: Collection[VehicleCounts]) -> Iterator[Sample]:
    """The gauges of one vehicle over all runs of one origin."""
    for alert, severity in product(ALERT_TYPES, SEVERITIES):
        number = sum(list(one.open.values()).count([alert, severity]) for one in counts)
        yield Sample(INCIDENTS_ACTIVE, (vehicle, alert, severity, origin), number)
    yield Sample(MISSING, (vehicle, origin), sum(one.missing_before + sum(one.missing.values()) for one in counts))


@dataclass(slots=True)
class NoCounts:
    """Of what nothing is counted."""


def as_json(counts: LinkCounts | VehicleCounts | NoCounts) -> dict[str, Any]:
    return {name: getattr(counts, name) for name in counts.__slots__}
