"""One virtual channel: every frame of it gets its disposition, and the accepted ones give packets. Knows counts,
times and octets; does not know who expects the channel or what a packet means.

A frame is identified by its count and its relay receive time: the same with the same octets is a repetition, with
other octets a conflict, and those once more a repetition again. The same count at another time is another frame: an
8-bit count goes round. Among the last 1,024 frames octets are compared; an older one that comes again is a repetition
by its run.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from pipeline.channels.chunks import from_parts, to_parts
from pipeline.channels.going_on import columns_of, ends_of_stretches
from pipeline.channels.history import History, Reference
from pipeline.channels.outcome import ChannelName, Outcome, Part, parts_within
from pipeline.channels.plausibility import REFERENCE_WITHIN, confirms, is_plausible
from pipeline.channels.recent import KEPT, NOT_ENDED, Recent, digest
from pipeline.frames.frame import IMPLAUSIBLE, ONLY_IDLE_DATA, Frames
from pipeline.frames.mavlink import HEARTBEAT
from pipeline.packets.extraction import Extraction
from pipeline.packets.stretch import Stretch, Walked

MAX_HELD: Final = 3
_CONTRADICTIONS: Final = 2

_TOGETHER: Final = 16
"""From so many frames on, those that simply go on are taken as one stretch."""
_LONGEST_STRETCH: Final = KEPT
"""Not more than are kept in `recent`."""

NEIGHBOURS_WITHIN: Final = 3_000_000_000
"""A packet goes on in the frame with the next count if that came no later than this, where the count is small enough
to have gone round and the channel's period is not known. Where it is not so small, after 30 s: a vehicle that started
again counts from 0, and comes past the counts it had."""


class Candidate(NamedTuple):
    """A frame that passed its check and is not plausible; it waits for the frames that confirm or contradict it."""

    frame_count: int
    at: int
    octets: bytes
    digest: int
    replayed: bool
    pointer: int
    zone_start: int
    zone_end: int
    side: int
    """1 if it came after the frame it disagrees with, -1 if before: on that side frames can contradict it."""
    contradictions: int


class Channel:
    __slots__ = (
        "_held_changed", "_packet_parts", "extraction", "held", "history", "name", "newest", "period", "recent",
    )  # fmt: skip

    def __init__(self, name: ChannelName, period: int | None, wanted: frozenset[int] | None, *, packets: bool) -> None:
        """`period`: nominal, in nanoseconds; None where nobody knows it. `packets`: whether its frames carry space
        packets that somebody wants."""
        self.name = name
        self.period = period
        self.history = History(str(name), name.modulus, period)
        self.recent = Recent(str(name))
        self.newest: int | None = None
        self.held: list[Candidate] = []
        near = REFERENCE_WITHIN
        if name.modulus <= 1024:
            near = NEIGHBOURS_WITHIN if period is None else name.modulus * period // 2
        self.extraction = Extraction(name.modulus, near, wanted) if packets else None
        self._held_changed = False
        self._packet_parts: Counter[int] = Counter()
        """Slot of the extraction → in how many parts it is stored."""

    def take(self, places: list[int], frames: Frames, times: list[int], parts: Sequence[Part]) -> None:
        """Frames that passed their check, in order of arrival, and the records that they came in."""
        if len(places) < _TOGETHER or frames.messages:
            for part in parts:
                self.recent.begin()
                for place in places[part.start : part.stop]:
                    self._take_one(place, frames, times, part.outcome)
            return
        columns = columns_of(places, frames, times)
        ends = ends_of_stretches(columns, self.name.modulus, self.history.pause)
        done, alone, reach = 0, 0, _LONGEST_STRETCH
        for number, part in enumerate(parts):
            while done < part.stop:
                end = min(ends[bisect_right(ends, done)], done + reach)
                if done >= alone and end - done >= _TOGETHER and self._goes_on(places[done], frames, times):
                    octets = [frames.octets[place] for place in places[done:end]]
                    if self._take_stretch(octets, columns.part(done, end), parts_within(parts[number:], done, end)):
                        done, reach = end, _LONGEST_STRETCH
                        continue
                    # Some frame of it needs a closer look: with fewer at a time it is found.
                    if end - done > _TOGETHER:
                        reach = max(_TOGETHER, (end - done) // 4)
                        continue
                    alone, reach = done + _TOGETHER, _LONGEST_STRETCH
                if done == part.start:
                    self.recent.begin()
                self._take_one(places[done], frames, times, part.outcome)
                done += 1

    def _goes_on(self, place: int, frames: Frames, times: list[int]) -> bool:
        """Whether the frame simply goes on: later than the newest, soon enough, with the next count. Such a frame is
        plausible and nothing that was seen before."""
        count, at = frames.virtual_channel_frame_counts[place], times[place]
        if self.newest is None or self.held or at <= self.newest:
            return False
        return self.history.goes_on(count, at, self.newest)

    def _take_stretch(self, octets: list[bytes], stretch: Stretch, parts: Sequence[Part]) -> bool:
        """What `_take_one` does with frames that simply go on, each with the one before it. False, and nothing is done,
        where the packets of one of them have to be looked at by themselves."""
        frames = len(octets)
        if self.extraction is None:
            walked = Walked.without_packets(frames, NOT_ENDED)
        elif (found := self.extraction.add_together(stretch, NOT_ENDED)) is not None:
            walked = found
        else:
            return False
        self.newest = int(stretch.at[-1])
        self.history.extend(frames, self.newest)
        digests = np.array([digest(frame) for frame in octets], np.uint64)
        is_idle = stretch.pointers == ONLY_IDLE_DATA
        remembered = stretch.counts, stretch.at, digests, walked.ended
        columns = [column.tolist() for column in (stretch.at, stretch.counts, walked.telemetry, ~stretch.live)]
        ends_at = walked.begun_ended_at
        for start, stop, outcome, begins in parts:
            if begins:
                self.recent.begin()
            known = start
            if ends_at is not None and stretch.at[start] <= ends_at <= stretch.at[stop - 1]:
                # Before more frames are known: they may push out the one it began in.
                known = int(stretch.at.searchsorted(ends_at)) + 1
                self.recent.extend(*remembered, slice(start, known))
                self._hear_of_others(outcome)
            self.recent.extend(*remembered, slice(known, stop))
            outcome.accepted[self.name].extend(*(column[start:stop] for column in columns))
            idle = int(np.count_nonzero(is_idle[start:stop]))
            outcome.count("idle", idle)
            outcome.count("good", stop - start - idle)
            packets = walked.packets.ended_within(int(stretch.at[start]), int(stretch.at[stop - 1]))
            if len(packets.starts):
                outcome.packets[self.name].append(packets)
        return True

    def _take_one(self, place: int, frames: Frames, times: list[int], outcome: Outcome) -> None:
        count, at, frame = frames.virtual_channel_frame_counts[place], times[place], frames.octets[place]
        octets_digest = digest(frame)
        word = self._repetition(count, at, octets_digest, outcome)
        if word is not None:
            outcome.dispositions[word] += 1
            return
        pointer, start, end = frames.first_header_pointers[place], frames.zone_starts[place], frames.zone_ends[place]
        if self._is_plausible(count, at):
            replayed = frames.replayed[place]
            self._accept(count, at, octets_digest, replayed, pointer, frame[start:end], outcome)
            if frames.messages:
                message = frames.messages[place]
                if message is not None:
                    outcome.messages.append((place, self.name, count, at, message))
                    # That a component is there is all that its HEARTBEAT says.
                    outcome.accepted[self.name].telemetry[-1] = message.message_id != HEARTBEAT
            if self.held:
                self._hear_out(count, at, outcome)
        else:
            side = 1 if self.newest is None or at >= self.newest else -1
            self._hold(
                Candidate(count, at, frame, octets_digest, frames.replayed[place], pointer, start, end, side, 0),
                outcome,
            )

    def settle(self, outcome: Outcome) -> None:
        """No more frames come: candidates that agree with each other are believed, a single one is not."""
        self.recent.begin()
        while self.held:
            candidate = self.held[0]
            group = [one for one in self.held if one is not candidate and self._confirm(candidate, one)]
            if group:
                self._believe([candidate, *group], outcome)
            else:
                self._disbelieve(candidate, outcome)

    def _repetition(self, count: int, at: int, octets_digest: int, outcome: Outcome) -> str | None:
        """`duplicate`, `conflict` or, for a frame not seen before, None."""
        if self.newest is None and not self.held:
            return None
        # Of what was accepted nothing is later than the newest: where this frame is, it need not be asked for.
        is_later = self.newest is None or at > self.newest
        known = None if is_later else self.recent.digest_of(count, at)
        if known is None and self.held:
            known = next((one.digest for one in self.held if one.frame_count == count and one.at == at), None)
        if known is None:
            return "duplicate" if self.recent.forgot and not is_later and self.history.covers(count, at) else None
        if known == octets_digest or self.recent.conflicts_again(count, at, octets_digest):
            return "duplicate"
        outcome.set_aside.append(at)
        ended = self.recent.conflict(count, at)
        if ended is not None:
            outcome.set_aside.append(ended)
        return "conflict"

    def _is_plausible(self, count: int, at: int) -> bool:
        if self.newest is None:
            # The first frame of a channel is believed; so is one with no other near it in time.
            return True
        if at > self.newest and self.history.follows(count, at, self.newest):
            return True
        reference = self.history.nearest(at, REFERENCE_WITHIN)
        return reference is None or is_plausible(reference, count, at, self.name.modulus, self.period)

    def _accept(
        self, count: int, at: int, octets_digest: int, replayed: bool, pointer: int, zone: bytes, outcome: Outcome
    ) -> None:
        self.history.add(count, at)
        self.recent.add(count, at, octets_digest)
        if self.newest is None or at >= self.newest:
            self.newest = at
        else:
            outcome.late += 1
        outcome.dispositions["idle" if pointer == ONLY_IDLE_DATA else "good"] += 1
        self._extract(count, at, replayed, pointer, zone, outcome)

    def _extract(self, count: int, at: int, replayed: bool, pointer: int, zone: bytes, outcome: Outcome) -> None:
        """The packets that are whole now."""
        accepted, extraction = outcome.accepted[self.name], self.extraction
        if extraction is None:
            accepted.add(at, count, False, replayed)
            return
        accepted.add(at, count, extraction.add(count, at, not replayed, pointer, zone), replayed)
        if extraction.completed:
            outcome.packets[self.name].extend(extraction.completed)
            extraction.completed.clear()
        self._hear_of_others(outcome)

    def _hear_of_others(self, outcome: Outcome) -> None:
        """What a frame's packets say of frames before it."""
        extraction = self.extraction
        if extraction is None or not (extraction.told_late or extraction.spilled):
            return
        for count, at, live in extraction.told_late:
            if not outcome.accepted[self.name].tell(at, count, not live):
                outcome.told_late.append((self.name, at))
        extraction.told_late.clear()
        for count, at, ends_at in extraction.spilled:
            if self.recent.spill(count, at, ends_at):
                outcome.set_aside.append(ends_at)
        extraction.spilled.clear()

    def _hold(self, candidate: Candidate, outcome: Outcome) -> None:
        self._held_changed = True
        group = [one for one in self.held if self._confirm(one, candidate)]
        self.held.append(candidate)
        if len(group) >= MAX_HELD - 1:
            self._believe([*group, candidate], outcome)
        elif len(self.held) > MAX_HELD:
            self._disbelieve(next((one for one in self.held if one not in group), self.held[0]), outcome)

    def _hear_out(self, count: int, at: int, outcome: Outcome) -> None:
        """What an accepted frame says of the candidates."""
        for candidate in list(self.held):
            heard = Reference(candidate.at, candidate.frame_count, None)
            if confirms(heard, count, at, self.name.modulus, self.period):
                self._believe([candidate], outcome)
            elif (at - candidate.at) * candidate.side >= 0:
                contradictions = candidate.contradictions + 1
                if contradictions >= _CONTRADICTIONS:
                    self._disbelieve(candidate, outcome)
                else:
                    self.held[self.held.index(candidate)] = candidate._replace(contradictions=contradictions)
                    self._held_changed = True

    def _confirm(self, one: Candidate, other: Candidate) -> bool:
        return confirms(
            Reference(one.at, one.frame_count, None), other.frame_count, other.at, self.name.modulus, self.period
        )

    def _believe(self, candidates: list[Candidate], outcome: Outcome) -> None:
        self._held_changed = True
        for one in candidates:
            self.held.remove(one)
            zone = one.octets[one.zone_start : one.zone_end]
            self._accept(one.frame_count, one.at, one.digest, one.replayed, one.pointer, zone, outcome)

    def _disbelieve(self, candidate: Candidate, outcome: Outcome) -> None:
        self._held_changed = True
        self.held.remove(candidate)
        outcome.dispositions[f"bad:{IMPLAUSIBLE}"] += 1
        outcome.bad_at.append(candidate.at)

    def head(self) -> list[Any]:
        """What stands in the head of the link's state."""
        extraction = self.extraction
        packets = None if extraction is None else [extraction.order, extraction.latest]
        return [*self.name, self.newest, self.recent.next, packets]

    def take_changes(self) -> Iterator[tuple[str, Any]]:
        yield from self.history.chunks.take_changes()
        yield from self.recent.take_changes()
        if self._held_changed:
            held = [[*one[:2], one.octets.hex(), *one[3:]] for one in self.held]
            yield f"held/{self.name}/0", held or None
            self._held_changed = False
        if self.extraction is not None:
            for slot, waiting in self.extraction.take_changes():
                parts = [] if waiting is None else to_parts(orjson.dumps(waiting))
                for place, part in enumerate(parts):
                    yield f"packets/{self.name}/{slot}/{place}", part
                for place in range(len(parts), self._packet_parts[slot]):
                    yield f"packets/{self.name}/{slot}/{place}", None
                self._packet_parts[slot] = len(parts)

    def restore(self, head: list[Any], chunks: Mapping[tuple[str, ...], Any]) -> None:
        """`chunks`: (kind, number…) → value of those that belong to this channel."""
        self.newest = head[3]
        groups = {int(key[1]): value for key, value in chunks.items() if key[0] == "recent"}
        self.recent.restore(head[4], groups, chunks.get(("conflicts", "0"), ()))
        self.history.chunks.restore(
            {(int(key[1]), int(key[2])): value for key, value in chunks.items() if key[0] == "runs"}
        )
        for row in chunks.get(("held", "0"), ()):
            count, at, octets, *rest = row
            self.held.append(Candidate(count, at, bytes.fromhex(octets), *rest))
        if self.extraction is not None and head[5] is not None:
            slots: dict[int, list[str]] = {}
            for slot, _, part in sorted(
                (int(key[1]), int(key[2]), chunks[key]) for key in chunks if key[0] == "packets"
            ):
                slots.setdefault(slot, []).append(part)
            self._packet_parts = Counter({slot: len(parts) for slot, parts in slots.items()})
            order, latest = head[5]
            self.extraction.restore(order, latest, [orjson.loads(from_parts(parts)) for parts in slots.values()])
