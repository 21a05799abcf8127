"""What becomes of records that cannot be taken: which are kept whole, which are named by a range of offsets alone, and
which run is set aside as a whole. Knows outcomes, offsets and Kafka's timestamps; knows neither a record's content nor
a clock.

A function of one partition's log, record by record. So a worker that starts again, or takes the partition over, keeps
the same records and names the same ranges, octet for octet; the state is stored with the partition's progress.

- A *run* of whose last 200 records none was good is set aside: its further records are passed over until a person
  resumes it, or until it has had none for a day. Live records never are: some good ones may come.
- Of records that name no known link (or vehicle) 100 a second are kept, by Kafka's timestamp. A known link's are all
  kept: who repairs its receiver needs them.
- What is passed over stands in ranges of offsets, a minute long at most.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from pipeline.records import SECOND, OriginKind, Run

SET_ASIDE_AFTER: Final = 200
"""Records of a run one after the other, in one partition, none of which was good."""
KEPT_A_SECOND: Final = 100
LONGEST_RANGE: Final = 60 * SECOND
FORGOTTEN_AFTER: Final = 86_400 * SECOND
"""A run that had no record for so long is finished, and no longer set aside."""
MOST_RUNS: Final = 100
"""Of which it is known how many records were bad: who publishes names them."""

SET_ASIDE: Final = "set_aside"
NOT_KEPT: Final = "not_kept"
PassedOver = Literal["set_aside", "not_kept"]
"""Why records are named by a range alone: their run is set aside; or too many came of no known link."""


@dataclass(slots=True)
class Range:
    """Records of one partition that were passed over, between two offsets; others may stand among them."""

    reason: PassedOver
    run: str
    """Of those that are set aside; else empty."""
    origin: OriginKind
    first: int
    last: int
    records: int
    began_at: int
    """Kafka's timestamp of the first, nanoseconds."""
    ended_at: int
    """That of the last."""
    why: dict[str, int] = field(default_factory=dict)
    """Why they could not be taken → how many. Of a run that is set aside nobody looked."""
    command: str = ""
    """The command with which this run is no longer set aside: then the range holds all that was."""


class BadRun(NamedTuple):
    """A run whose newest records were all bad."""

    origin: OriginKind
    since: int
    """Offset of the first of them."""
    bad: int
    touched_at: int
    """Kafka's timestamp of the newest, nanoseconds."""
    passed_over: int = 0

    @property
    def is_set_aside(self) -> bool:
        return self.bad >= SET_ASIDE_AFTER


@dataclass(slots=True)
class SettingAside:
    """Of one partition. What its methods are told comes in order of offset."""

    second: int = 0
    """The newest of Kafka's seconds in which one of no known link came."""
    kept: int = 0
    """So many of them were kept in it."""
    runs: dict[str, BadRun] = field(default_factory=dict)
    """In order of their newest record."""
    open: dict[str, Range] = field(default_factory=dict)
    """Run, or empty for what was not kept → the range that still grows."""
    unsaid: list[Range] = field(default_factory=list)
    """Ranges that were ended because nothing came, and are still to be said."""

    def copy(self) -> "SettingAside":
        return replace(
            self, runs=dict(self.runs), unsaid=list(self.unsaid),
            open={name: replace(one, why=dict(one.why)) for name, one in self.open.items()},
        )  # fmt: skip

    @property
    def sets_any_aside(self) -> bool:
        return any(one.is_set_aside for one in self.runs.values())

    def is_set_aside(self, run: Run) -> bool:
        known = self.runs.get(run.id)
        return known is not None and known.is_set_aside

    def advance(self, at: int) -> Iterator[Range]:
        """A record with this timestamp comes: the ranges that end before it."""
        while self.runs and (oldest := next(iter(self.runs))) and at - self.runs[oldest].touched_at > FORGOTTEN_AFTER:
            yield from self._forget(oldest)
        # In order of their begin: one that is ended is put in again behind the others.
        while self.open and at - self.open[first := next(iter(self.open))].began_at >= LONGEST_RANGE:
            yield self.open.pop(first)

    def good(self, run: Run) -> None:
        self.runs.pop(run.id, None)

    def bad(self, run: Run, offset: int, at: int, reason: str, *, is_known: bool) -> tuple[bool, list[Range]]:
        """Whether a record that could not be taken is kept whole; and the ranges that this ends."""
        ended = list(self._count(run, offset, at)) if run.id else []
        if is_known:
            return True, ended
        second = max(self.second, at // SECOND)
        if second > self.second:
            self.second, self.kept = second, 0
        if self.kept < KEPT_A_SECOND:
            self.kept += 1
            return True, ended
        self._pass_over(NOT_KEPT, Run(), offset, at, reason)
        return False, ended

    def _count(self, run: Run, offset: int, at: int) -> Iterator[Range]:
        known = self.runs.pop(run.id, None) or BadRun(run.origin, offset, 0, at)
        self.runs[run.id] = known._replace(bad=known.bad + 1, touched_at=at)
        if len(self.runs) > MOST_RUNS:
            # One that is not set aside has little to lose: it is counted anew.
            names = [name for name, one in self.runs.items() if not one.is_set_aside]
            yield from self._forget(names[0] if len(names) > 1 else next(iter(self.runs)))

    def pass_over(self, run: Run, offset: int, at: int) -> None:
        """A record of a run that is set aside."""
        known = self.runs.pop(run.id)
        self.runs[run.id] = known._replace(touched_at=at, passed_over=known.passed_over + 1)
        self._pass_over(SET_ASIDE, replace(run, origin=known.origin), offset, at, "")

    def resume(self, run: Run, offset: int, at: int, command: str) -> Iterator[Range]:
        """A person has the run taken again. Where it was set aside, the last of the ranges this ends is the whole of
        it, from the first record of which none was good."""
        known = self.runs.get(run.id)
        yield from self._forget(run.id)
        if known is not None and known.is_set_aside:
            yield Range(
                reason=SET_ASIDE, run=run.id, origin=known.origin, first=known.since, last=offset - 1,
                records=known.bad + known.passed_over, began_at=at, ended_at=at, command=command,
            )  # fmt: skip

    def end_ranges(self) -> None:
        """Nothing comes any more: ranges that are open are ended, and to be said."""
        self.unsaid += self.open.values()
        self.open.clear()

    def _forget(self, run: str) -> Iterator[Range]:
        self.runs.pop(run, None)
        if run in self.open:
            yield self.open.pop(run)

    def _pass_over(self, reason: PassedOver, run: Run, offset: int, at: int, why: str) -> None:
        one = self.open.get(run.id)
        if one is None:
            one = self.open[run.id] = Range(reason, run.id, run.origin, offset, offset, 0, at, at)
        one.last, one.records, one.ended_at = offset, one.records + 1, max(one.ended_at, at)
        if why:
            one.why[why] = one.why.get(why, 0) + 1

    def to_json(self) -> dict[str, Any]:
        return {
            "second": self.second, "kept": self.kept, "runs": {name: list(one) for name, one in self.runs.items()},
            "open": [asdict(one) for one in self.open.values()], "unsaid": [asdict(one) for one in self.unsaid],
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "SettingAside":
        """The inverse of `to_json`. Raises KeyError or TypeError where it is not that."""
        ranges = [Range(**one) for one in stored["open"]]
        return cls(
            second=stored["second"], kept=stored["kept"],
            runs={name: BadRun(*one) for name, one in stored["runs"].items()},
            open={one.run: one for one in ranges}, unsaid=[Range(**one) for one in stored["unsaid"]],
        )  # fmt: skip
