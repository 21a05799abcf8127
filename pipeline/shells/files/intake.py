"""What of a file goes into the flow: the records of links that the mission has, counted as they pass, and what is to be
said of the others. Knows the terminal; does not know what is done with them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.errors import RecordingError
from pipeline.mission.model import Mission
from pipeline.records import Origin, Record
from pipeline.shells.files.any_file import Source
from pipeline.shells.terminal import Progress, note


@dataclass(slots=True)
class Intake:
    mission: Mission
    records: int = 0
    unknown_links: Counter[str] = field(default_factory=Counter)
    """Link that the mission does not have → its records, which could not be taken."""

    def of(self, records: Iterable[Record]) -> Iterator[tuple[Origin, Record]]:
        """Each with its place in the file. Those of a link that the mission does not have are counted and left out."""
        links = {link.name for link in self.mission.links}
        for offset, record in enumerate(records):
            self.records = offset + 1
            if record.link in links:
                yield Origin("recording", 0, offset), record
            else:
                self.unknown_links[record.link] += 1

    def close(self, source: Source) -> None:
        """All records have passed: says what was found beside them. Raises RecordingError where the file is cut off, or
        none could be taken."""
        for line in source.notes:
            note(line)
        for link, records in sorted(self.unknown_links.items()):
            note(f"link {link!r} is not one of mission {self.mission.name}: its {records} records are left out")
        if source.cut_off is not None:
            raise RecordingError(source.cut_off)
        if self.records == self.unknown_links.total():
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
