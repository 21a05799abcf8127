"""The states of one stage while records pass: folds a batch record by record, and says what has to be written. Knows
state and its storage; knows no Kafka client and sends nothing."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Final, NamedTuple

from pipeline.errors import RecordError, StateUnusableError
from pipeline.measures.links import LinkCounts
from pipeline.metrics import Sample
from pipeline.records import SECOND, Origin, OriginKind, Run
from pipeline.set_aside import SettingAside
from pipeline.shells.worker.folding import Folded, FoldError, Folding
from pipeline.shells.worker.stages import Incoming, Live, Parsed, Stage
from pipeline.shells.worker.versions import Change, ChunkTooLargeError, Entry, Owner, StateError, Versions

logger = logging.getLogger(__name__)

DAY: Final = 86_400 * SECOND
FINISHED_AFTER: Final = DAY
"""A run that is not live and had no record for so long, on Kafka's clock, is finished: its state is dropped."""
FORGOTTEN_AFTER: Final = 30 * DAY
"""So long a finished run is still known by its name, and its records are refused: as long as frames are kept."""
MOST_RUNS: Final = 1_000
"""Of one link at once, live ones apart: who publishes names them, and each takes memory until it is finished."""
MOST_COPIED: Final = 100
"""Of the records of a state that is set aside so many go to the rejected topic; the others stand where they came from,
and are counted."""
_OVER: Final = b'"over":true'
_LIVES_KEPT: Final = 64
IDLE_SECONDS: Final = 60.0
"""A state that is not used for so long is put away."""


class Part(NamedTuple):
    folded: Folded
    changes: list[Change]
    is_last: bool


class _Began(NamedTuple):
    """Orders the runs of one origin."""

    at: int
    """Kafka's timestamp of its first record, nanoseconds."""
    owner: Owner


Place = tuple[str, OriginKind]
"""A link or vehicle, and the origin of runs."""


@dataclass(slots=True)
class Lives:
    """A state is at hand from its first record on; between batches it is equal to what `versions` holds of it."""

    stage: Stage
    namespace: str
    versions: Versions
    at_hand: dict[Owner, Live] = field(default_factory=dict)
    """In order of last use."""
    clock: Callable[[], float] = time.monotonic
    aside: dict[int, SettingAside] = field(default_factory=dict)
    """Source partition → what is set aside of it after those parts of a batch that are written."""
    newest: dict[Place, _Began] = field(default_factory=dict)
    """Of each link or vehicle the run of an origin that began last: the one whose gauges are shown."""
    _refused: Counter[Owner] = field(default_factory=Counter)
    """Records that came of a state that is set aside."""

    def restored(self) -> None:
        """`versions` was read anew: nothing at hand counts any more."""
        self.at_hand.clear()
        self._refused.clear()
        self._find_newest()

    def take(self, batch: Sequence[Incoming]) -> Iterator[Part]:
        """What a batch comes to, and what has to be written for it: in one part; in one for each record, where an entry
        of the whole would outgrow its bound. The record with which it does is rejected, like one that fails: it would
        stop the stream for ever. Which one that is may depend on the grouping, where an entry shrinks again.

        A part is written before the next is asked for.
        """
        # What a batch that was broken off had set aside is not written.
        self.aside = dict(self.versions.aside)
        yield from self._parts(batch)

    def _parts(self, batch: Sequence[Incoming]) -> Iterator[Part]:
        folded = self.fold(batch)
        try:
            changes = self.changes(folded)
        except ChunkTooLargeError as fault:
            self._let_go(folded)
            if len(batch) > 1:
                for one in batch:
                    for part in self._parts([one]):
                        yield part._replace(is_last=one is batch[-1])
                return
            folded = self.fold(batch, {batch[0].origin: RecordError("state_full", f"with it {fault}")})
            changes = self.changes(folded)
        yield Part(folded, changes, is_last=True)

    def fold(self, batch: Sequence[Incoming], refused: Mapping[Origin, RecordError] | None = None) -> Folded:
        """Record by record in order of offset: what comes out does not depend on how they were grouped.

        A record that cannot be taken is rejected and changes no state, also where that shows only half-way through:
        the batch is then folded again without it. So are those that are `refused`.
        """
        refused, together = dict(refused or {}), True
        while True:
            folding = Folding(self.stage, self.namespace, self._live, refused, self.aside, together)
            try:
                return folding.take(batch)
            except FoldError as half_way:
                self._let_go(folding.folded)
                if len(half_way.origins) > 1:
                    together = False
                else:
                    refused[half_way.origins[0]] = half_way.reason

    def _let_go(self, folded: Folded) -> None:
        """Of the states that it touched: they are read again from storage, as they were."""
        for owner in folded.touched:
            self.at_hand.pop(owner, None)

    def changes(self, folded: Folded) -> list[Change]:
        """The entries that bring the storage to where the states are. Raises ChunkTooLargeError."""
        made = []
        for owner, (live, partition) in folded.touched.items():
            changes = live.state.take_changes()
            if changes:
                about = {
                    "counts": asdict(live.counts), "origin": live.run.origin, "touched_at": live.touched_at,
                    "began_at": live.began_at,
                }  # fmt: skip
                made.append(self.versions.change(owner, partition, live.offset, changes, about))
        return made

    def written(self, folded: Folded, changes: Iterable[Change]) -> set[Place]:
        """Everything of a batch is acknowledged. Gives the places whose gauges it may have moved."""
        for change in changes:
            self.versions.take(change)
        self.aside |= folded.aside
        moved = set()
        for owner, (live, _) in folded.touched.items():
            place, began = (owner.name, live.run.origin), _Began(live.began_at, owner)
            self.newest[place] = max(self.newest.get(place, began), began)
            moved.add(place)
        self._put_away_idle()
        return moved

    def _put_away_idle(self) -> None:
        """Of runs that are over, and of links and vehicles that rest: what they hold can be read again."""
        now = self.clock()
        for owner, live in list(self.at_hand.items()):
            if len(self.at_hand) <= _LIVES_KEPT and now - live.used_at < IDLE_SECONDS:
                break
            del self.at_hand[owner]

    def gauges(self, place: Place) -> Iterable[Sample]:
        """What can be said of a link or vehicle, in the newest run of an origin; nothing where there is no such run."""
        newest = self.newest.get(place)
        if newest is None or newest.owner not in self.versions.owners or newest.owner in self.versions.unusable:
            return ()
        live = self.at_hand.get(newest.owner)
        if live is None:
            try:
                live = self.at_hand[newest.owner] = self._restored(newest.owner)
            except StateUnusableError:
                return ()
            live.used_at = self.clock()
        return self.stage.gauges(place[0], live)

    def finished(self, now: int) -> tuple[list[Change], list[Entry]]:
        """Runs that are over: (heads that say so, entries that drop what is left of those that said so before).
        `now` is nanoseconds on Kafka's clock. Live state is never dropped."""
        ends: list[Change] = []
        leftovers: list[Entry] = []
        for owner, kept in self.versions.owners.items():
            head = self.versions.head(owner)
            if not owner.run or head is None:
                continue
            silent = now - head["touched_at"]
            if head.get("over"):
                if kept.chunks or silent > FORGOTTEN_AFTER:
                    leftovers += self.versions.leftovers(owner, head=silent > FORGOTTEN_AFTER)
            elif silent > FINISHED_AFTER:
                about = {"over": True, "origin": head["origin"], "touched_at": head["touched_at"]}
                ends.append(self.versions.end(owner, about))
        return ends, leftovers

    def ended(self, ends: Iterable[Change]) -> None:
        """The heads of `finished` are acknowledged."""
        for end in ends:
            self.versions.take(end)
            self.at_hand.pop(end.owner, None)
            self.versions.unusable.pop(end.owner, None)
        self._find_newest()

    def _find_newest(self) -> None:
        self.newest.clear()
        for owner in self.versions.owners:
            head = self.versions.head(owner)
            if head is not None and not head.get("over"):
                place, began = (owner.name, head["origin"]), _Began(head.get("began_at", head["touched_at"]), owner)
                self.newest[place] = max(self.newest.get(place, began), began)

    def _live(self, parsed: Parsed) -> Live:
        owner = parsed.owner
        live = self.at_hand.pop(owner, None)
        if live is None:
            live = self._open(owner, parsed)
        self.at_hand[owner] = live
        live.used_at = self.clock()
        return live

    def _open(self, owner: Owner, parsed: Parsed) -> Live:
        if owner in self.versions.unusable:
            raise self._set_aside(owner)
        head = self.versions.head(owner)
        if head is None:
            self._check_runs(owner)
            return self.stage.open(None, LinkCounts(), -1, parsed.run)
        if head.get("over"):
            raise RecordError(
                "run_over",
                f"run {owner.run!r:.140} had no record for {FINISHED_AFTER // DAY} day and its state was dropped: "
                "publish it again as a new run",
            )
        return self._restored(owner)

    def try_to_open(self, owner: Owner) -> None:
        """Set a state aside that can be read and not be used."""
        head = self.versions.head(owner)
        if owner not in self.versions.unusable and head is not None and not head.get("over"):
            with suppress(StateUnusableError):
                self._restored(owner)

    def _restored(self, owner: Owner) -> Live:
        """Raises StateUnusableError."""
        try:
            return self._read(owner)
        except StateError as fault:
            self.versions.unusable[owner] = str(fault)
            logger.error("%s; it is set aside, everything else goes on: see `relaywatch state check`", fault)
            raise self._set_aside(owner) from fault

    def _set_aside(self, owner: Owner) -> StateUnusableError:
        self._refused[owner] += 1
        return StateUnusableError(
            f"{self.versions.unusable[owner]}. `relaywatch state rebuild` makes it anew, this record with it",
            is_copied=self._refused[owner] <= MOST_COPIED,
        )

    def _check_runs(self, new: Owner) -> None:
        # What stands on the topic of telemetry is our own, and was let in before.
        if not new.run or self.stage.source == "telemetry":
            return
        running = {owner for owner in self.at_hand if owner not in self.versions.owners}
        running |= {owner for owner, kept in self.versions.owners.items() if kept.head and _OVER not in kept.head.value}
        runs = sum(owner.name == new.name and bool(owner.run) for owner in running)
        if runs >= MOST_RUNS:
            raise RecordError(
                "too_many_runs",
                f"run {new.run!r:.140} would be one of more than {MOST_RUNS} of {new.name} that are not finished. One "
                f"is finished when it had no record for {FINISHED_AFTER // DAY} day",
            )

    def _read(self, owner: Owner) -> Live:
        found = self.versions.read(owner)
        assert found is not None
        offset, head, chunks = found
        run = Run(id=owner.run, origin=head["origin"])
        try:
            live = self.stage.open({"": head["state"], **chunks}, LinkCounts.restore(head["counts"]), offset, run)
        except Exception as fault:
            raise StateError(f"state of {owner} cannot be read: {fault!r}") from fault
        live.touched_at, live.began_at = head["touched_at"], head.get("began_at", head["touched_at"])
        return live
