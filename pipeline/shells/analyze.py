"""The whole flow in one process, with no broker: a recording in, incidents, flights and the digest out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.digest import digest
from pipeline.errors import RecordError
from pipeline.flow import run_through
from pipeline.mission.model import Mission
from pipeline.outputs import Flight, Revision
from pipeline.records import Origin, Record, Run


@dataclass(slots=True, kw_only=True)
class Analysis:
    revisions: list[Revision] = field(default_factory=list)
    """Every revision, in the order in which it was made."""
    flights: dict[str, Flight] = field(default_factory=dict)
    """Ledger key → the last facts."""
    rejected: list[str] = field(default_factory=list)
    """Records that could not be taken, a line each."""
    records: int = 0

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
    """Takes records in order of arrival. A record that cannot be taken is named, and the rest goes on."""
    analysis = Analysis()
    run = Run(id="analyze", origin="replay") if run is None else run
    for output in run_through(_with_origins(records, analysis), mission, run):
        if isinstance(output, Revision):
            analysis.revisions.append(output)
        else:
            analysis.flights[output.key] = output
    return analysis


def _with_origins(records: Iterable[Record], analysis: Analysis) -> Iterator[tuple[Origin, Record]]:
    for offset, record in enumerate(records):
        analysis.records = offset + 1
        yield Origin("recording", 0, offset), record


__all__ = ["Analysis", "RecordError", "analyze"]
