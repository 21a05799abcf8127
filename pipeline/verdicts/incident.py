"""What a rule says: one incident, as the evidence now shows it. Knows nothing of what was said before."""

from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.outputs import Severity

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "notice", "warning", "critical")


def highest(*severities: Severity) -> Severity:
    return max(severities, key=SEVERITIES.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """At most one for a (subject, flight, type): an outage that comes again is an episode of it."""

    type: str
    subject: str
    vehicle: str
    link: str
    flight: str
    severity: Severity
    highest_severity: Severity
    starts_at: int
    episodes: tuple[tuple[int, int | None], ...]
    """(raised_at, ended_at), ascending, on the relay's receive clock; only the last may be open."""
    close_reason: str | None
    statement: str
    known: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()
    what_next: tuple[str, ...] = field(default=(), compare=False)
    """What is to be expected from here on. It changes as time goes by, and is no news by itself."""
    confirmed: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def raised_at(self) -> int:
        return self.episodes[0][0]

    @property
    def ended_at(self) -> int | None:
        return self.episodes[-1][1]

    def id(self, run: str) -> str:
        return f"{run or 'live'}:{self.subject}:{self.flight}:{self.type}"
