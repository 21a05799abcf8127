"""A recording → what a worker would have shown of it, in time. The flow and the measures are the worker's own; the
clock is the relay's."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.backfill.clock import Clock
from pipeline.backfill.timeline import Timeline
from pipeline.flow import LinkState, VehicleState, decode, watch
from pipeline.measures.links import LinkCounts, lateness
from pipeline.measures.vehicles import opened, vehicle_gauges
from pipeline.metrics import INCIDENTS_ACTIVE, INCIDENTS_BY_STATE, LATENESS, Metric, Sample, Series, Subject, births
from pipeline.mission.model import Mission
from pipeline.records import Origin, Record, Run

ALERTS: Final = Metric(
    name="ALERTS", kind="gauge", labels=("alertname", "alertstate", "mission", "vehicle", "type", "severity", "origin"),
    absent=True, help="What Prometheus writes of an alert that fires: its rules are not evaluated for the past.",
)  # fmt: skip

HELD: Final = frozenset(one.name for one in (ALERTS, INCIDENTS_ACTIVE, INCIDENTS_BY_STATE))


class Retelling:
    """Takes records in order of arrival. What came late is told when it came, as a worker would have: its clock does
    not go back."""

    def __init__(self, mission: Mission, run: Run, step: int) -> None:
        """`step`: nanoseconds of the relay's clock between two instants that are told."""
        self.timeline = Timeline()
        self._clock = Clock(self.timeline, step, HELD, self._refresh)
        self._touched: set[str] = set()
        self._mission = mission
        self._run = run
        self._links = {link.name: (LinkState(), LinkCounts()) for link in mission.links}
        self._vehicles = {vehicle.name: VehicleState() for vehicle in mission.vehicles}
        self.timeline.bear([Series(LATENESS, (run.origin,))])
        for link in self._links:
            self.timeline.bear(self._births("link", link))
        for vehicle in self._vehicles:
            self.timeline.bear(self._births("vehicle", vehicle))

    def take(self, origin: Origin, record: Record) -> None:
        """Raises RecordError where the mission has no such link."""
        state, counts = self._links[record.link]
        told = decode(state, record, origin, self._mission)
        times = [one.relay_receive_time for one in told if one.relay_receive_time is not None]
        if times:
            self._clock.reach(max(times))
        self.timeline.apply(lateness(told, self._run.origin))
        for telemetry in told:
            self.timeline.apply(counts.take(telemetry, self._run.origin))
            vehicle = self._vehicles[telemetry.vehicle]
            for output in watch(vehicle, telemetry, self._mission, self._run):
                self.timeline.apply(opened(output, output.vehicle or telemetry.vehicle))
            self._touched.add(telemetry.vehicle)
        self.timeline.show(f"link {record.link}", counts.gauges(record.link, self._run.origin))

    def end(self) -> None:
        """No more records come."""
        self._clock.end()

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last relay time; None where no record had one."""
        return self._clock.span

    def _refresh(self) -> None:
        """The gauges of vehicles take long to make, and only what is written counts."""
        for vehicle in sorted(self._touched):
            gauges = list(vehicle_gauges(vehicle, self._run.origin, self._vehicles[vehicle], self._mission))
            self.timeline.show(f"vehicle {vehicle}", [*gauges, *alerts(gauges, self._mission.name)])
        self._touched.clear()

    def _births(self, subject: Subject, name: str) -> Iterator[Series]:
        for series in births(subject, name):
            if self._run.origin in series.labels:
                yield series


def alerts(gauges: Iterable[Sample], mission: str) -> Iterator[Sample]:
    """The alerts that the rules of deploy/prometheus make of these gauges: one a type, vehicle, severity and origin.

    `mission` is the label that Prometheus adds to all it scrapes, and that the rules keep.
    """
    for metric, labels, value in gauges:
        if metric is INCIDENTS_ACTIVE and value > 0:
            vehicle, kind, severity, origin = labels
            yield Sample(ALERTS, (alert_name(kind), "firing", mission, vehicle, kind, severity, origin), 1)


def alert_name(kind: str) -> str:
    """ended_before_landing → EndedBeforeLanding, as the rule is called."""
    return "".join(word.capitalize() for word in kind.split("_"))
