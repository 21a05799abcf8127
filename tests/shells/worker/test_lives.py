"""What a batch comes to does not depend on its borders, and a record that fails changes nothing."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from pipeline import topics
from pipeline.channels.sessions import MOST_NAMES, MOST_SESSIONS, Sessions
from pipeline.commands import ResumeRun
from pipeline.errors import STATE_UNUSABLE, RecordError
from pipeline.mission.model import FrameFormat
from pipeline.records import LISTENED_TO_COUNT, SECOND, STRETCH, FramesReceived, Listened, Origin, Record, Run
from pipeline.shells.worker.lives import DAY, FINISHED_AFTER, FORGOTTEN_AFTER, IDLE_SECONDS, Lives
from pipeline.shells.worker.stages import PURE_FLOW, DecodeStage, Incoming, Outgoing, Stage, WatchStage
from pipeline.shells.worker.versions import Entry, Owner, Versions, progress_entry
from pipeline.simulate.simulation import simulate
from pipeline.topics import TOPICS, TopicName
from tests.build import scenario, scenario_records

MISSION = scenario("frames-late").mission
PARTITIONS: dict[TopicName, int] = {name: topic.partitions for name, topic in TOPICS.items()}
RUN = Run(id="run-1", origin="test")
STARTED = 1_710_000_000 * 1_000_000_000


def incoming(count: int | None = None, run: Run = RUN) -> list[Incoming]:
    """The records of a scenario as Kafka would give them."""
    return [arrival(record, offset, run) for offset, record in enumerate(scenario_records("frames-late")[:count])]


def arrival(record: Record, offset: int, run: Run = RUN) -> Incoming:
    message = topics.frames_message("relay", record, run)
    origin = Origin("relay.frames", 0, offset)
    return Incoming(origin, message.key, message.value, dict(message.headers), STARTED + offset)


def arrived(outgoing: list[Outgoing]) -> list[Incoming]:
    """Telemetry as `watch` gets it."""
    return [
        Incoming(Origin("relay.telemetry", one.partition, offset), one.message.key, one.message.value,
                 dict(one.message.headers), STARTED + offset)
        for offset, one in enumerate(outgoing)
    ]  # fmt: skip


class Log:
    """A stage and its changelog, without a broker."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.lives = Lives(stage, "relay", Versions())
        self.entries: list[Entry] = []
        self.outgoing: list[Outgoing] = []

    def take(self, batch: list[Incoming]) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        for folded, changes, _ in self.lives.take(batch):
            for change in changes:
                self.entries += [*change.entries, change.head_entry]
            self.lives.written(folded, changes)
            outgoing += folded.outgoing
        self.outgoing += outgoing
        for partition, aside in self.lives.aside.items():
            offset = max(one.origin.offset for one in batch if one.origin.partition == partition)
            entry = progress_entry(partition, offset, aside)
            self.entries.append(entry)
            self.lives.versions.replay(partition, entry.key, orjson.loads(entry.value or b""))
        return outgoing

    def restart(self) -> None:
        versions = Versions()
        for entry in self.entries:
            versions.replay(entry.partition, entry.key, orjson.loads(entry.value) if entry.value else None)
        self.lives = Lives(self.stage, "relay", versions)
        self.lives.restored()

    def contents(self) -> dict[str, bytes]:
        """Owner and chunk → value, as it stands at the end."""
        return contents_of(self.lives.versions)


def contents_of(versions: Versions) -> dict[str, bytes]:
    """Owner and chunk → value."""
    found = {}
    for owner, kept in versions.owners.items():
        assert kept.head is not None
        found[owner.key("")] = kept.head.value
        found |= {
            owner.key(name): version.value for name, version in kept.those_of_head().items() if version.value != b"null"
        }
    return found


def decode_log() -> Log:
    return Log(DecodeStage("relay", MISSION, PARTITIONS, PURE_FLOW))


def watch_log() -> Log:
    return Log(WatchStage("relay", MISSION, PARTITIONS, PURE_FLOW))


def batches(records: list[Incoming], chance: random.Random, largest: int) -> Iterator[list[Incoming]]:
    start = 0
    while start < len(records):
        end = start + chance.randint(1, largest)
        yield records[start:end]
        start = end


@pytest.mark.parametrize("seed", [1, 2])
def test_what_comes_out_and_what_is_kept_do_not_depend_on_batches_or_restarts(seed: int) -> None:
    chance = random.Random(seed)
    logs = [(decode_log(), watch_log()), (decode_log(), watch_log())]
    for decode, watch in logs:
        for batch in batches(incoming(), chance, 400 if decode is logs[0][0] else 90):
            decode.take(batch)
            if decode is not logs[0][0] and chance.random() < 0.3:
                decode.restart()
        for batch in batches(arrived(decode.outgoing), chance, 400 if decode is logs[0][0] else 90):
            watch.take(batch)
            if decode is not logs[0][0] and chance.random() < 0.3:
                watch.restart()
    (one_decode, one_watch), (other_decode, other_watch) = logs
    assert one_decode.outgoing == other_decode.outgoing
    assert one_watch.outgoing == other_watch.outgoing
    assert [one for one in one_watch.outgoing if one.message.topic == "relay.alerts"]
    # To the octet: by these octets a state is known to be whole.
    assert one_decode.contents() == other_decode.contents()
    assert one_watch.contents() == other_watch.contents()


@pytest.mark.parametrize(
    ("name", "frame_format", "batch_frames"), [("mask-on-every-landing", "tm", 100), ("flight-72", "aos", 40)]
)
def test_what_is_kept_of_records_of_many_frames_does_not_depend_on_batches_or_restarts(
    name: str, frame_format: FrameFormat, batch_frames: int
) -> None:
    """To the octet, also of what is forgotten on the way: workers that overlap take the log in other parts."""
    made = scenario(name, frame_format)
    made = replace(made, receiver=replace(made.receiver, batch_frames=batch_frames))
    records = [arrival(record, offset) for offset, record in enumerate(simulate(made))]
    found = []
    for seed, largest in enumerate((5_000, 90, 15)):
        chance = random.Random(seed)
        decode = Log(DecodeStage("relay", made.mission, PARTITIONS, PURE_FLOW))
        watch = Log(WatchStage("relay", made.mission, PARTITIONS, PURE_FLOW))
        take_in_parts(decode, records, chance, largest)
        take_in_parts(watch, arrived(decode.outgoing), chance, largest)
        found.append((decode.outgoing, watch.outgoing, decode.contents(), watch.contents()))
    assert found[0] == found[1] == found[2]


def test_records_of_several_runs_come_out_in_the_order_in_which_they_came() -> None:
    """Those of one run are folded together, though others stand between them."""
    runs = [RUN, Run(id="run-2", origin="replay")]
    mixed = [arrival(record, 2 * place + which, run)
             for place, record in enumerate(scenario_records("frames-late")[:60])
             for which, run in enumerate(runs)]  # fmt: skip
    together, alone = decode_log(), decode_log()
    together.take(mixed)
    for one in mixed:
        alone.take([one])
    assert together.outgoing == alone.outgoing
    assert together.contents() == alone.contents()


def take_in_parts(log: Log, records: list[Incoming], chance: random.Random, largest: int) -> None:
    for batch in batches(records, chance, largest):
        log.take(batch)
        if chance.random() < 0.05:
            log.restart()


def test_a_record_that_was_taken_is_not_taken_again() -> None:
    log, records = decode_log(), incoming(120)
    log.take(records[:90])
    assert log.take(records[:90]) == []
    log.restart()
    assert [one.message for one in log.take(records)] == [one.message for one in log.outgoing[90:]]
    assert len(log.outgoing) == 120


def failing(at: Origin, fault: Exception) -> DecodeStage:
    """A decode with a fault that one record brings out, after it has changed the state."""

    def decode(state, records, mission):  # type: ignore[no-untyped-def]
        told = PURE_FLOW.decode(state, records, mission)
        if any(origin == at for origin, _ in records):
            raise fault
        return told

    return DecodeStage("relay", MISSION, PARTITIONS, replace(PURE_FLOW, decode=decode))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(ZeroDivisionError("ours"), "program_fault"), (RecordError("undecodable", "theirs"), "undecodable")],
)
def test_a_record_that_fails_half_way_is_rejected_and_changes_no_state(fault: Exception, reason: str) -> None:
    records = incoming(150)
    log = Log(failing(records[130].origin, fault))
    undisturbed = decode_log()
    for batch in (records[:70], records[70:150]):
        log.take(batch)
    for batch in (records[:70], records[70:130] + records[131:150]):
        undisturbed.take(batch)
    good = [one for one in log.outgoing if one.message.topic == "relay.telemetry"]
    [bad] = [one for one in log.outgoing if one.message.topic == "relay.rejected"]
    assert good == undisturbed.outgoing
    assert log.contents() == undisturbed.contents()
    body = orjson.loads(bad.message.value)
    assert (body["reason"], body["origin"]["offset"]) == (reason, 130)


def test_a_record_whose_output_kafka_would_refuse_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    records = incoming(30)
    largest = max(len(one.message.value) for one in decode_log().take(records))
    limit = largest + 4096
    monkeypatch.setitem(topics.TOPICS, "telemetry", replace(topics.TOPICS["telemetry"], max_message_octets=limit))
    reasons = [
        orjson.loads(one.message.value)["reason"]
        for one in decode_log().take(records)
        if one.message.topic == "relay.rejected"
    ]
    assert reasons
    assert set(reasons) == {"too_large"}


def test_headers_without_measure_do_not_make_a_rejected_record_too_large() -> None:
    [bad] = decode_log().take([incoming(1)[0]._replace(headers={"x": bytes(3 << 20)}, key=bytes(3 << 20))])
    assert orjson.loads(bad.message.value)["reason"] == "bad_headers"
    assert len(bad.message.value) + len(bad.message.key) < 1 << 20


def test_a_run_without_records_for_a_day_is_over_and_its_state_goes() -> None:
    log, records = decode_log(), incoming(120)
    log.take(records[:100])
    live = [one._replace(headers=dict(topics.frames_message("relay", record, Run()).headers))
            for one, record in zip(records, scenario_records("frames-late"))]  # fmt: skip
    log.take([one._replace(origin=one.origin._replace(offset=200 + one.origin.offset)) for one in live[:100]])
    newest = records[99].timestamp

    def sweep(now: int) -> tuple[int, int]:
        ends, leftovers = log.lives.finished(now)
        log.entries += [end.head_entry for end in ends]
        log.lives.ended(ends)
        leftovers += [entry for end in ends for entry in log.lives.versions.leftovers(end.owner, head=False)]
        log.entries += leftovers
        log.restart()
        return len(ends), len(leftovers)

    assert sweep(newest + FINISHED_AFTER) == (0, 0)
    ended, dropped = sweep(newest + FINISHED_AFTER + 1)
    assert ended == 1
    assert dropped > 0
    assert sweep(newest + FINISHED_AFTER + DAY) == (0, 0)
    # Live state stays, and goes on.
    assert {began.owner.run for began in log.lives.newest.values()} == {""}
    late = log.take([records[100]._replace(origin=Origin("relay.frames", 0, 400))])
    assert orjson.loads(late[0].message.value)["reason"] == "run_over"
    assert sweep(newest + FORGOTTEN_AFTER + 1) == (0, 1)
    assert {owner.run for owner in log.lives.versions.owners} == {""}


def test_the_state_of_a_run_that_rests_is_put_away_and_read_again_when_its_records_come() -> None:
    log, undisturbed, now = decode_log(), decode_log(), 0.0
    log.lives.clock = lambda: now
    resting, other = incoming(), Run(id="run-2", origin="test")
    log.take(resting[:200])
    now += IDLE_SECONDS - 1
    log.take([replaced(one, 1_000) for one in incoming(1, other)])
    assert [owner.run for owner in log.lives.at_hand] == [RUN.id, other.id]
    now += 2
    log.take([replaced(one, 1_001) for one in incoming(2, other)[1:]])
    assert [owner.run for owner in log.lives.at_hand] == [other.id]
    log.take([replaced(one, 2_000 + one.origin.offset) for one in resting[200:]])
    undisturbed.take([replaced(one, 2_000 + one.origin.offset) if one.origin.offset >= 200 else one for one in resting])
    of_the_run = [key for key in undisturbed.contents() if RUN.id in key]
    assert {key: log.contents()[key] for key in of_the_run} == undisturbed.contents()


def replaced(one: Incoming, offset: int) -> Incoming:
    return one._replace(origin=one.origin._replace(offset=offset))


def test_a_state_that_is_not_whole_is_set_aside_and_everything_else_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its records some are copied, all are counted; those of another run of the link are taken."""
    monkeypatch.setattr("pipeline.shells.worker.lives.MOST_COPIED", 5)
    log, undisturbed, other = decode_log(), decode_log(), Run(id="run-2", origin="test")
    log.take(incoming(100))
    log.entries = [entry for entry in log.entries if entry.key.endswith("|")]
    log.restart()
    mixed = [one for pair in zip(incoming(120)[100:], _after(incoming(20, other), 100), strict=True) for one in pair]
    folded = log.lives.fold(sorted(mixed, key=lambda one: one.origin.offset))
    [(owner, why)] = log.lives.versions.unusable.items()
    assert owner == Owner(RUN.id, "rover-a")
    assert why.startswith("state of rover-a in run 'run-1' at offset 99 is not whole: its 0 chunks are not those")
    assert {fault.reason for _, fault in folded.rejected} == {STATE_UNUSABLE}
    assert len(folded.rejected) == 20
    copies = [one for one in folded.outgoing if one.message.topic == "relay.rejected"]
    assert len(copies) == 5
    assert "relaywatch state rebuild" in orjson.loads(copies[0].message.value)["message"]
    assert sum(one.value for one in folded.samples if one.labels == (STATE_UNUSABLE,)) == 20
    good = [one for one in folded.outgoing if one.message.topic == "relay.telemetry"]
    assert good == undisturbed.take(_after(incoming(20, other), 100))
    assert list(log.lives.gauges(("rover-a", "test"))) == []


def test_a_run_that_is_over_is_not_set_aside_for_chunks_that_are_yet_to_be_dropped() -> None:
    """The worker died between the head that says so and the entries that drop the chunks."""
    log, records = decode_log(), incoming(100)
    log.take(records)
    ends, _ = log.lives.finished(records[-1].timestamp + FINISHED_AFTER + 1)
    log.entries += [end.head_entry for end in ends]
    log.restart()
    log.lives.versions.find_unusable()
    assert not log.lives.versions.unusable
    _, leftovers = log.lives.finished(records[-1].timestamp + FINISHED_AFTER + 1)
    assert leftovers


def _after(records: list[Incoming], offset: int) -> list[Incoming]:
    return [replaced(one, offset + 1 + one.origin.offset) for one in records]


def test_a_state_whose_chunk_cannot_be_unpacked_is_set_aside_too() -> None:
    log = decode_log()
    log.take(incoming(100))
    broken = [(owner, kept) for owner, kept in log.lives.versions.owners.items()]
    for _, kept in broken:
        assert kept.head is not None
        kept.head = kept.head._replace(value=kept.head.value.replace(b'"seen":', b'"heard":'))
    log.lives.restored()
    folded = log.lives.fold(incoming(120)[100:])
    assert {fault.reason for _, fault in folded.rejected} == {STATE_UNUSABLE}
    assert "cannot be read: KeyError('seen')" in log.lives.versions.unusable[Owner(RUN.id, "rover-a")]


def test_a_publisher_that_names_ever_new_runs_fills_no_memory_and_hinders_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.shells.worker.lives.MOST_RUNS", 3)
    log, one_by_one = decode_log(), decode_log()
    flood = [
        incoming(1, Run(id=f"run-{number}", origin="test"))[0]._replace(origin=Origin("relay.frames", 0, number))
        for number in range(6)
    ]
    live = incoming(1, Run())[0]._replace(origin=Origin("relay.frames", 0, 6))
    known = incoming(2, Run(id="run-0", origin="test"))[1]._replace(origin=Origin("relay.frames", 0, 7))
    for record in [*flood, live, known]:
        one_by_one.take([record])
    log.take([*flood, live, known])
    assert log.outgoing == one_by_one.outgoing
    rejected = [body for one in log.outgoing if "reason" in (body := orjson.loads(one.message.value))]
    assert [(one["reason"], one["origin"]["offset"]) for one in rejected] == [
        ("too_many_runs", 3), ("too_many_runs", 4), ("too_many_runs", 5),
    ]  # fmt: skip
    assert {owner.run for owner in log.lives.versions.owners} == {"", "run-0", "run-1", "run-2"}
    # A run that is finished makes room.
    ends, _ = log.lives.finished(STARTED + FINISHED_AFTER + 8)
    log.lives.ended(ends)
    log.take([flood[5]._replace(origin=Origin("relay.frames", 0, 8))])
    assert Owner("run-5", "rover-a") in log.lives.versions.owners


def test_a_publisher_that_names_ever_new_sessions_is_stopped_and_those_that_are_known_go_on() -> None:
    record = next(one for one in scenario_records("frames-late") if isinstance(one, FramesReceived))

    def of(session: int, offset: int) -> Incoming:
        message = topics.frames_message("relay", replace(record, session=session), RUN)
        origin = Origin("relay.frames", 0, offset)
        return Incoming(origin, message.key, message.value, dict(message.headers), STARTED + offset)

    log = decode_log()
    flood = [of(record.session + offset, offset) for offset in range(MOST_SESSIONS + 2)]
    known = of(record.session, MOST_SESSIONS + 2)
    log.take(flood[:150])
    log.restart()
    log.take([*flood[150:], known])
    rejected = [body for one in log.outgoing if "reason" in (body := orjson.loads(one.message.value))]
    assert [(one["reason"], one["origin"]["offset"]) for one in rejected] == [
        ("too_many_sessions", MOST_SESSIONS), ("too_many_sessions", MOST_SESSIONS + 1),
    ]  # fmt: skip
    assert len(log.outgoing) == MOST_SESSIONS + 3


@pytest.mark.parametrize("forged", [MOST_SESSIONS, MOST_NAMES + 5])
def test_sessions_that_somebody_made_up_do_not_lock_out_the_receiver(forged: int) -> None:
    """Each with one listening record and one record of frames that fail their check."""
    records = [one for one in scenario_records("frames-late") if isinstance(one, FramesReceived | Listened)]
    frames = next(one for one in records if isinstance(one, FramesReceived))
    listened = next(
        one for one in records if isinstance(one, Listened) and one.starts_at // STRETCH == one.ends_at // STRETCH
    )
    rubbish = replace(frames, octets=bytes(len(frames.octets)))

    def of(record: Record, session: int, offset: int) -> Incoming:
        message = topics.frames_message("relay", replace(record, session=session), RUN)
        origin = Origin("relay.frames", 0, offset)
        return Incoming(origin, message.key, message.value, dict(message.headers), STARTED + offset)

    log = decode_log()
    mine = frames.session
    made_up = [
        record for session in range(1, forged + 1) for record in ((listened, mine + session), (rubbish, mine + session))
    ]
    log.take([of(record, session, offset) for offset, (record, session) in enumerate(made_up)])
    log.restart()
    kept = len(log.outgoing)
    log.take([of(frames, mine, len(made_up)), of(listened, mine, len(made_up) + 1)])
    assert [b"reason" in one.message.value for one in log.outgoing[kept:]] == [False, False]
    turned_away = sum(b"too_many_sessions" in one.message.value for one in log.outgoing)
    assert turned_away == 2 * max(0, forged - MOST_NAMES)


def test_a_receiver_takes_a_place_with_its_third_listening_record() -> None:
    record = next(one for one in scenario_records("frames-late") if isinstance(one, Listened))
    record = replace(record, starts_at=STRETCH, ends_at=STRETCH + 1)
    sessions = Sessions()
    for session in range(MOST_SESSIONS):
        for _ in range(LISTENED_TO_COUNT):
            assert sessions.has_room(replace(record, session=session), lambda: False)
            sessions.take(replace(record, session=session), heard=False)
    assert sessions.has_room(replace(record, session=0), lambda: False)
    assert not sessions.has_room(replace(record, session=MOST_SESSIONS), lambda: True)


def test_a_record_with_which_an_entry_of_state_would_outgrow_its_bound_is_rejected_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be taken again at each restart, and stop the stream for ever."""
    monkeypatch.setattr("pipeline.shells.worker.versions.MAX_CHUNK_OCTETS", 1_000)
    records, log = incoming(120), decode_log()
    log.take(records[:20])
    log.take(records[20:])
    rejected = [body for one in log.outgoing if "reason" in (body := orjson.loads(one.message.value))]
    assert {one["reason"] for one in rejected} == {"state_full"}
    assert "octets; a chunk has fewer than 1000" in rejected[0]["message"]
    assert 0 < len(rejected) < len(records) == len(log.outgoing)
    # What was rejected left no trace in the state: it is whole, and goes on.
    refused = {one["origin"]["offset"] for one in rejected}
    taken = decode_log()
    for record in records:
        if record.origin.offset not in refused:
            taken.take([record])
    assert log.lives.versions.owners.keys() == taken.lives.versions.owners.keys()
    for owner in taken.lives.versions.owners:
        assert state_of(log, owner) == state_of(taken, owner)


def state_of(log: Log, owner: Owner) -> Any:
    found = log.lives.versions.read(owner)
    assert found is not None
    return found[1]["state"], found[2]


def spoilt(chance: random.Random) -> list[Incoming]:
    """A good run, and beside it a run of which nothing is good, live records that are bad, of a link that the mission
    has and of one that it has not, and a person who has the bad run taken again."""
    good, mixed = incoming(600), []
    bad = Run(id="bad", origin="replay")
    other = arrival(scenario_records("frames-late")[0], 0, bad)
    live = arrival(scenario_records("frames-late")[0], 0, Run())
    command = ResumeRun(id="c1", vehicle="ingenuity", by="ed", why="mended", at=STARTED)
    resumed = topics.resumed_message("relay", command, bad, 0)
    for number, record in enumerate(good):
        mixed.append(record)
        mixed.append(other._replace(key=b"rover-z"))
        mixed += chance.choice([[], [live._replace(value=b"x")], [live._replace(key=b"rover-z")] * 2])
        if number == 400:
            mixed.append(other._replace(key=resumed.key, value=resumed.value, headers=dict(resumed.headers)))
    return [
        one._replace(origin=Origin("relay.frames", 0, offset), timestamp=STARTED + offset * SECOND // 900)
        for offset, one in enumerate(mixed)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_kept_and_what_is_set_aside_do_not_depend_on_batches_or_restarts(seed: int) -> None:
    chance = random.Random(seed)
    records = spoilt(chance)
    whole, cut = decode_log(), decode_log()
    for batch in batches(records, chance, 400):
        whole.take(batch)
    for batch in batches(records, chance, 90):
        cut.take(batch)
        if chance.random() < 0.5:
            cut.restart()
    assert whole.outgoing == cut.outgoing
    assert whole.lives.versions.aside == cut.lives.versions.aside
    undisturbed = decode_log()
    undisturbed.take(incoming(600))
    telemetry = [one.message for one in whole.outgoing if one.message.topic == "relay.telemetry"]
    assert len(telemetry) == len(undisturbed.outgoing)
    _check_accounted_for(whole, records)


def _check_accounted_for(log: Log, records: list[Incoming]) -> None:
    """Each bad record is kept whole or counted in a range; the one of a link that is live and known is kept."""
    bodies = [orjson.loads(one.message.value) for one in log.outgoing if one.message.topic == "relay.rejected"]
    kept = {body["origin"]["offset"] for body in bodies if "last_offset" not in body}
    ranges = [body for body in bodies if "last_offset" in body and body["command"] is None]
    still = log.lives.versions.aside[0].open.values()
    bad = [one for one in records if one.key == b"rover-z" or one.value == b"x"]
    assert len(kept) + sum(body["records"] for body in ranges) + sum(one.records for one in still) == len(bad)
    assert {one.origin.offset for one in bad if one.value == b"x"} <= kept
    (answer,) = (body for body in bodies if body.get("command"))
    of_run = [one.origin.offset for one in bad if one.headers.get("ce_run") == b"bad"]
    assert answer["origin"]["offset"] == of_run[0]
    assert answer["records"] == sum(offset <= answer["last_offset"] for offset in of_run)
    assert [body["run"] for body in ranges if body["reason"] == "set_aside"] == ["bad"]
