"""One batch on its way through the states. What comes out is what it would be record by record in order of offset,
though those of one owner are folded together where they may be. Knows states; does not know where they are stored."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, cast

from pipeline import metrics, topics
from pipeline.errors import RecordError, StateUnusableError
from pipeline.metrics import Sample
from pipeline.records import Origin, Run
from pipeline.set_aside import SET_ASIDE, Range, SettingAside
from pipeline.shells.worker.stages import Incoming, Live, Made, Outgoing, Parsed, Stage, Taken
from pipeline.shells.worker.versions import Owner
from pipeline.topics import Rejected, TopicName

logger = logging.getLogger(__name__)

_OVERHEAD_OCTETS: Final = 4 << 10
_REJECTED_HEADER_OCTETS: Final = 64 << 10
_NOTHING: Final[Made] = ([], [])


@dataclass(slots=True)
class Folded:
    """What a batch came to, before any of it is written."""

    outgoing: list[Outgoing] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    rejected: list[tuple[Origin, RecordError]] = field(default_factory=list)
    repeated: int = 0
    passed_over: int = 0
    """Records of runs that are set aside."""
    touched: dict[Owner, tuple[Live, int]] = field(default_factory=dict)
    """State and source partition of each owner that the batch changed."""
    aside: dict[int, SettingAside] = field(default_factory=dict)
    """Source partition → what is set aside of it after the batch."""

    def add(self, other: "Folded") -> None:
        """What the next part of the batch came to; the states that both touched are the same."""
        self.outgoing += other.outgoing
        self.samples += other.samples
        self.rejected += other.rejected
        self.repeated += other.repeated
        self.passed_over += other.passed_over
        self.touched |= other.touched
        self.aside |= other.aside


class FoldError(Exception):
    """A record failed half-way: the states that were touched may hold a part of it."""

    def __init__(self, origins: Sequence[Origin], fault: Exception) -> None:
        super().__init__(str(fault))
        self.origins = origins
        """Of the records that were folded together: one of them, nobody knows which."""
        self.fault = fault

    @property
    def reason(self) -> RecordError:
        """Why the record is rejected."""
        return self.fault if isinstance(self.fault, RecordError) else _program_fault(self.origins[0], self.fault)


@dataclass(slots=True)
class Folding:
    stage: Stage
    namespace: str
    live_of: Callable[[Parsed], Live]
    """The state that a record belongs to. Raises RecordError, StateError."""
    refused: Mapping[Origin, RecordError]
    """Records that are not to be taken, and why."""
    aside: Mapping[int, SettingAside]
    """Source partition → what is set aside of it before the batch."""
    together: bool
    """Where one of several fails nobody knows which; then they are folded one by one."""
    folded: Folded = field(default_factory=Folded)
    _made: dict[int, Made] = field(default_factory=dict)
    """By the place of its record in the batch."""
    _ranges: dict[int, list[Outgoing]] = field(default_factory=dict)
    """Ranges of records that were passed over, by the place of the record that ended them."""
    _waiting: dict[Owner, list[tuple[int, Taken]]] = field(default_factory=dict)
    """Place in the batch of those that are folded together next, and they."""

    def take(self, batch: Sequence[Incoming]) -> Folded:
        """Raises FoldError, StateError."""
        for place, incoming in enumerate(batch):
            aside = self._aside_of(incoming.origin.partition)
            self._say(place, incoming, aside.advance(incoming.timestamp))
            try:
                self._admit(place, incoming, aside)
            except RecordError as fault:
                self._reject(place, incoming, aside, fault)
        for owner in list(self._waiting):
            self._fold(owner)
        for place in sorted(self._made.keys() | self._ranges.keys()):
            self.folded.outgoing += self._ranges.get(place, ())
            outgoing, samples = self._made.get(place, _NOTHING)
            self.folded.outgoing += outgoing
            self.folded.samples += samples
        return self.folded

    def _aside_of(self, partition: int) -> SettingAside:
        found = self.folded.aside.get(partition)
        if found is None:
            known = self.aside.get(partition)
            found = self.folded.aside[partition] = SettingAside() if known is None else known.copy()
        return found

    def _say(self, place: int, incoming: Incoming, ranges: Iterable[Range]) -> None:
        for one in ranges:
            self._ranges.setdefault(place, []).append(range_said(self.namespace, incoming.origin, one))

    def _passes_over(self, place: int, incoming: Incoming, aside: SettingAside) -> bool:
        """Whether the record needs no other look: its run is set aside, or is so no longer by this record."""
        at, offset = incoming.timestamp, incoming.origin.offset
        resumed = self.stage.resumed(incoming)
        if resumed is not None:
            self._say(place, incoming, aside.resume(resumed.run, offset, at, resumed.command))
            return True
        if not aside.sets_any_aside:
            return False
        run = topics.run_of(incoming.headers)
        if not aside.is_set_aside(run):
            return False
        aside.pass_over(run, offset, at)
        self._made[place] = [], [Sample(metrics.REJECTED, (SET_ASIDE,), 1)]
        self.folded.passed_over += 1
        return True

    def _admit(self, place: int, incoming: Incoming, aside: SettingAside) -> None:
        if self._passes_over(place, incoming, aside):
            return
        refused = self.refused.get(incoming.origin)
        if refused is not None:
            raise refused
        taken = Taken(self._parse(incoming), incoming)
        owner = taken.parsed.owner
        waiting = self._waiting.get(owner)
        if waiting:
            _, before = waiting[-1]
            follows = incoming.origin.offset > before.incoming.origin.offset
            if not (self.together and follows and self.stage.goes_with(before.parsed, taken.parsed)):
                self._fold(owner)
                waiting = None
        if not waiting:
            live = self.live_of(taken.parsed)
            if incoming.origin.offset <= live.offset or self.stage.repeats(live, taken.parsed):
                self.folded.repeated += 1
                aside.good(taken.parsed.run)
                return
            self.folded.touched[owner] = live, incoming.origin.partition
        aside.good(taken.parsed.run)
        self._waiting.setdefault(owner, []).append((place, taken))

    def _parse(self, incoming: Incoming) -> Parsed:
        try:
            return self.stage.parse(incoming)
        except (RecordError, MemoryError):
            raise
        except Exception as fault:
            raise _program_fault(incoming.origin, fault) from fault

    def _fold(self, owner: Owner) -> None:
        """Those of an owner that wait."""
        waiting = self._waiting.pop(owner)
        live, taken = self.folded.touched[owner][0], [one for _, one in waiting]
        try:
            made = self.stage.fold(live, taken)
            for outgoing, _ in made:
                for one in outgoing:
                    self._check_length(one)
        except MemoryError:
            raise
        except Exception as fault:
            raise FoldError([one.incoming.origin for one in taken], fault) from fault
        for (place, (_, incoming)), of_record in zip(waiting, made, strict=True):
            self._made[place] = of_record
            live.offset = incoming.origin.offset
            live.touched_at = max(live.touched_at, incoming.timestamp)
            live.began_at = live.began_at or incoming.timestamp

    def _check_length(self, one: Outgoing) -> None:
        """Kafka would refuse it, and this batch would fail for ever."""
        message = one.message
        name = message.topic.removeprefix(f"{self.namespace}.")
        limit = topics.TOPICS[cast(TopicName, name)].max_message_octets
        octets = len(message.key) + len(message.value) + sum(map(len, chain.from_iterable(message.headers)))
        if octets + _OVERHEAD_OCTETS > limit:
            raise RecordError("too_large", f"it makes a record of {octets} octets in {name}, which takes {limit}")

    def _reject(self, place: int, incoming: Incoming, aside: SettingAside, fault: RecordError) -> None:
        self.folded.rejected.append((incoming.origin, fault))
        run = topics.run_of(incoming.headers)
        if isinstance(fault, StateUnusableError):
            # No fault of the record's: its run is not counted for it.
            kept = [self._rejected(incoming, run, fault)] if fault.is_copied else []
            self._made[place] = kept, [Sample(metrics.REJECTED, (fault.reason,), 1)]
            return
        is_kept, ended = aside.bad(
            run if self.stage.sets_aside else Run(), incoming.origin.offset, incoming.timestamp, fault.reason,
            is_known=self.stage.knows(incoming.key),
        )  # fmt: skip
        self._say(place, incoming, ended)
        kept = [self._rejected(incoming, run, fault)] if is_kept else []
        counted = [Sample(metrics.REJECTED, (fault.reason,), 1), *self.stage.rejected(incoming, fault)]
        self._made[place] = kept, counted

    def _rejected(self, incoming: Incoming, run: Run, fault: RecordError) -> Outgoing:
        key = incoming.key if incoming.key is None else incoming.key[:_REJECTED_HEADER_OCTETS]
        rejected = Rejected(
            reason=fault.reason, message=f"{fault!s:.2000}", origin=incoming.origin, key=key,
            headers=_bounded(incoming.headers), value=incoming.value,
        )  # fmt: skip
        return Outgoing(topics.rejected_message(self.namespace, rejected, run, incoming.timestamp), 0)


def range_said(namespace: str, origin: Origin, passed_over: Range) -> Outgoing:
    """What the rejected topic says of records of the partition of `origin` that were passed over."""
    return Outgoing(topics.range_message(namespace, origin.topic, origin.partition, passed_over), 0)


def _bounded(headers: Mapping[str, bytes]) -> Mapping[str, bytes]:
    octets = sum(len(name) + len(value or b"") for name, value in headers.items())
    return headers if octets <= _REJECTED_HEADER_OCTETS else {}


def _program_fault(origin: Origin, fault: Exception) -> RecordError:
    """A fault of ours that a record brought out: the record is kept in the rejected topic and the stream goes on."""
    logger.error("%s brought out a fault of the program", origin, exc_info=fault)
    return RecordError("program_fault", f"a fault of the program, please report it: {fault!r}")
