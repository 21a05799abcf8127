"""What of a file goes into the flow: the records of links that the mission has, counted as they pass, and what is to be
said of the others. Knows the terminal; does not know what is done with them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.clocks import ImplausibleTimeError, check_times
from pipeline.errors import RecordingError
from pipeline.mission.model import Mission
from pipeline.records import SECOND, Origin, Record
from pipeline.shells.files.any_file import Source
from pipeline.shells.terminal import Progress, note


@dataclass(slots=True)
class Implausible:
    """Records of one link whose times cannot all be true."""

    first: int
    """The place of the first in the file, from 1."""
    why: str
    """What is wrong with it."""
    records: int = 0
    least_ahead: int | None = None
    """Nanoseconds by which the relay's clock was ahead of the earth's, at the least; None: of none."""
    most_ahead: int = 0

    def add(self, fault: ImplausibleTimeError) -> None:
        self.records += 1
        if fault.ahead is not None:
            _, ahead = fault.ahead
            self.least_ahead = ahead if self.least_ahead is None else min(ahead, self.least_ahead)
            self.most_ahead = max(ahead, self.most_ahead)

    def __str__(self) -> str:
        said = f"record {self.first} of the file is left out (implausible_time): {self.why}"
        if self.records > 1:
            said = (
                f"{self.records} records are left out (implausible_time); the first, record {self.first} of the file: "
                f"{self.why}"
            )
        if self.records > 1 and self.least_ahead is not None:
            least, most = self.least_ahead / SECOND, self.most_ahead / SECOND
            said += f"; the relay's clock was {least:.3f} s to {most:.3f} s ahead of the earth's"
        return said


@dataclass(slots=True)
class Intake:
    mission: Mission
    records: int = 0
    unknown_links: Counter[str] = field(default_factory=Counter)
    """Link that the mission does not have → its records, which could not be taken."""
    implausible: dict[str, Implausible] = field(default_factory=dict)
    """Link → its records whose times cannot all be true."""

    def of(self, records: Iterable[Record]) -> Iterator[tuple[Origin, Record]]:
        """Each with its place in the file. Those of a link that the mission does not have, and those whose times cannot
        all be true, are counted and left out."""
        links = {link.name: link for link in self.mission.links}
        for offset, record in enumerate(records):
            self.records = offset + 1
            link = links.get(record.link)
            if link is None:
                self.unknown_links[record.link] += 1
                continue
            try:
                check_times(record, link.clock_tolerance)
            except ImplausibleTimeError as fault:
                self.implausible.setdefault(record.link, Implausible(offset + 1, str(fault))).add(fault)
                continue
            yield Origin("recording", 0, offset), record

    def close(self, source: Source) -> None:
        """All records have passed: says what was found beside them, and where the file is cut off. Raises
        RecordingError where none could be taken: then nothing can be said."""
        for line in source.notes:
            note(line)
        for link, records in sorted(self.unknown_links.items()):
            note(f"link {link!r} is not one of mission {self.mission.name}: its {records} records are left out")
        for link, implausible in sorted(self.implausible.items()):
            note(f"link {link}: {implausible}")
        if source.cut_off is not None:
            if not self.records:
                raise RecordingError(source.cut_off)
            note(source.cut_off)
        taken = self.records - self.unknown_links.total() - sum(one.records for one in self.implausible.values())
        if not taken and self.implausible:
            raise RecordingError(f"{source.path.name}: the times of none of its {self.records} records can all be true")
        if not taken:
            known = ", ".join(link.name for link in self.mission.links)
            raise RecordingError(
                f"{source.path.name}: none of its {self.records} records is of a link of mission {self.mission.name} "
                f"({known}): give another --mission"
            )


def shown(source: Source, what: str) -> Iterator[Record]:
    """The records of a file; how far it is read is shown on a terminal."""
    with Progress(what, source.size) as progress:
        for record in source:
            yield record
            progress.show(source.octets_read)
