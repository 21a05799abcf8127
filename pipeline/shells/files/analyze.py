"""The whole flow in one process, with no broker: a recording in, incidents, flights and the digest out."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.digest import digest
from pipeline.flow import run_through
from pipeline.mission.model import Mission
from pipeline.outputs import Flight, Revision
from pipeline.records import Record, Run
from pipeline.shells.files.intake import Intake


@dataclass(slots=True, kw_only=True)
class Analysis:
    intake: Intake
    revisions: list[Revision] = field(default_factory=list)
    """Every revision, in the order in which it was made."""
    flights: dict[str, Flight] = field(default_factory=dict)
    """Ledger key → the last facts; under the key without a name stands the account of a vehicle's frames."""

    @property
    def incidents(self) -> list[Revision]:
        """The last revision of each incident, by raise time."""
        last = {revision.incident_id: revision for revision in self.revisions}
        return sorted(last.values(), key=lambda revision: (revision.raised_at, revision.incident_id))

    @property
    def digest(self) -> str:
        return digest((one.body() for one in self.incidents), (one.body() for one in self.flights.values()))

    @property
    def any_open(self) -> bool:
        return any(revision.state == "open" for revision in self.incidents)


def analyze(records: Iterable[Record], mission: Mission, run: Run | None = None) -> Analysis:
    """Takes records in order of arrival. Those of a link that the mission does not have are counted and left out."""
    analysis = Analysis(intake=Intake(mission))
    run = Run(id="analyze", origin="replay") if run is None else run
    for output in run_through(analysis.intake.of(records), mission, run):
        if isinstance(output, Revision):
            analysis.revisions.append(output)
        else:
            analysis.flights[output.key] = output
    return analysis
