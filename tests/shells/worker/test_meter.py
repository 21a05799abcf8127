"""What a stage shows of itself: of its own partitions, from its state, of the newest run."""

from collections.abc import Iterable

import pytest
from prometheus_client import generate_latest

from pipeline import topics
from pipeline.measures.links import LinkCounts
from pipeline.metrics import Sample
from pipeline.records import Run
from pipeline.set_aside import SET_ASIDE_AFTER, SettingAside
from pipeline.shells.worker.exporter import Exporter
from pipeline.shells.worker.folding import Folded
from pipeline.shells.worker.meter import Meter
from pipeline.shells.worker.stages import Incoming
from tests.build import scenario_records
from tests.shells.worker.test_lives import RUN, STARTED, Log, arrived, decode_log, incoming, watch_log


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Metered:
    """A stage, its log, and what a scrape sees."""

    def __init__(self, log: Log) -> None:
        self.log, self.exporter, self.clock = log, Exporter(), Clock()
        self.meter = Meter(log.lives, self.exporter, self.clock)

    def take(self, batch: list[Incoming]) -> Folded:
        folded = self.log.lives.fold(batch)
        changes = self.log.lives.changes(folded)
        moved = self.log.lives.written(folded, changes)
        for change in changes:
            self.log.entries += [*change.entries, change.head_entry]
        self.log.outgoing += folded.outgoing
        self.clock.now += 2
        self.meter.taken(len(batch), batch, folded, moved, 0.01)
        return folded

    def restart(self) -> "Metered":
        self.log.restart()
        return Metered(self.log)

    def lines(self, *parts: str) -> list[str]:
        text = generate_latest(self.exporter.registry).decode()
        return [one for one in text.splitlines() if all(part in one for part in parts) and not one.startswith("#")]

    def value(self, *parts: str) -> float:
        (line,) = self.lines(*parts)
        return float(line.rpartition(" ")[2])


def telemetry(count: int | None = None) -> list[Incoming]:
    log = decode_log()
    log.take(incoming(count))
    return arrived(log.outgoing)


def moved_to(records: Iterable[Incoming], run: Run, offset: int, seconds: int) -> list[Incoming]:
    """The same records in another run, so much later in the log and by Kafka's clock."""
    again = []
    for one, record in zip(records, scenario_records("frames-late"), strict=False):
        headers = dict(topics.frames_message("relay", record, run).headers)
        origin = one.origin._replace(offset=offset + one.origin.offset)
        again.append(one._replace(headers=headers, origin=origin, timestamp=STARTED + seconds * 1_000_000_000))
    return again


def test_a_worker_shows_the_links_of_its_partitions_and_no_other() -> None:
    one = Metered(decode_log())
    one.meter.assigned([1, 2, 3])
    assert one.lines("relay_link_state") == one.lines("relay_frames_total") == []
    one.meter.assigned([0])
    assert one.value("relay_link_state", 'origin="live"') == 0
    assert one.value("relay_frames_total", 'disposition="good"', 'origin="test"') == 0


def test_what_is_shown_after_a_restart_comes_from_the_state_and_counters_begin_anew() -> None:
    one = Metered(decode_log())
    one.meter.assigned([0])
    one.take(incoming(200))
    watermark = one.value("relay_watermark_timestamp_seconds", 'origin="test"')
    good = one.value("relay_frames_total", 'disposition="good"', 'origin="test"')
    assert watermark > 1.7e9
    assert good > 0
    again = one.restart()
    assert again.lines("relay_watermark") == []
    again.meter.assigned([0])
    assert again.value("relay_watermark_timestamp_seconds", 'origin="test"') == watermark
    assert again.value("relay_link_in_contact", 'origin="test"') == 1
    assert again.value("relay_frames_total", 'disposition="good"', 'origin="test"') == 0
    # Records that come again add nothing: they are in the state.
    again.take(incoming(200))
    assert again.value("relay_frames_total", 'disposition="good"', 'origin="test"') == 0
    assert again.value("relay_records_repeated_total", 'stage="decode"') == 200
    assert again.value("relay_records_taken_total", 'stage="decode"') == 0


def test_when_partitions_are_taken_away_their_gauges_go_and_counters_stay() -> None:
    one = Metered(decode_log())
    one.meter.assigned([0])
    one.take(incoming(200))
    good = one.value("relay_frames_total", 'disposition="good"', 'origin="test"')
    one.meter.withdrawn()
    for gauge in ("relay_link_state", "relay_watermark", "relay_link_in_contact", "relay_signal_level"):
        assert one.lines(gauge) == []
    assert one.value("relay_frames_total", 'disposition="good"', 'origin="test"') == good
    # A batch that was in flight then brings nothing back.
    one.take(incoming(210)[200:])
    assert one.lines("relay_link_state") == []


def test_gauges_are_those_of_the_run_that_began_last() -> None:
    one = Metered(decode_log())
    one.meter.assigned([0])
    first = incoming(300)
    one.take(first)
    ahead = one.value("relay_watermark_timestamp_seconds", 'origin="test"')
    lap = moved_to(first[:100], Run(id="lap-2", origin="test"), offset=1000, seconds=60)
    one.take(lap)
    behind = one.value("relay_watermark_timestamp_seconds", 'origin="test"')
    assert 0 < behind < ahead
    # The older one goes on beside it, and is not shown; after a restart neither.
    one.take([each._replace(timestamp=lap[-1].timestamp + 1) for each in incoming(310)[300:]])
    assert one.value("relay_watermark_timestamp_seconds", 'origin="test"') == behind
    again = one.restart()
    again.meter.assigned([0])
    assert again.value("relay_watermark_timestamp_seconds", 'origin="test"') == behind


def test_gauges_of_a_vehicle_are_reckoned_at_most_every_second_and_the_last_ones_are_not_left_out() -> None:
    one, records = Metered(watch_log()), telemetry(400)
    one.meter.assigned([0])
    one.take(records[:100])
    expected = one.value("relay_frames_expected", 'origin="test"')
    assert expected > 0
    one.clock.now -= 1.5
    one.take(records[100:400])
    # 2 s in `take` less 1.5 s: too soon.
    assert one.value("relay_frames_expected", 'origin="test"') == expected
    one.clock.now += 1
    one.meter.show_what_moved()
    assert one.value("relay_frames_expected", 'origin="test"') > expected


def test_a_stage_tells_what_it_took_what_it_did_not_and_how_long_it_took() -> None:
    one = Metered(decode_log())
    one.meter.assigned([0])
    records = incoming(20)
    one.take([*records[:15], *(bad._replace(key=b"") for bad in records[15:20])])
    assert one.value("relay_records_taken_total", 'stage="decode"') == 15
    assert one.value("relay_records_rejected_total", 'reason="no_key"') == 5
    assert one.value("relay_records_rejected_ratio", 'stage="decode"') == 0.25
    assert one.value("relay_batch_records_sum", 'stage="decode"') == 20
    assert one.value("relay_processing_seconds_count", 'stage="decode"') == 1
    assert one.value("relay_last_progress_timestamp_seconds", 'stage="decode"') > 1.7e9
    # Of each record that says when the relay received it.
    assert one.value("relay_lateness_seconds_count", 'origin="test"') == 15


def test_the_way_of_a_frame_to_its_alert_is_measured_from_kafkas_timestamp_of_its_record() -> None:
    decode, watch = decode_log(), Metered(watch_log())
    watch.meter.assigned([0])
    decode.take(incoming())
    folded = watch.take(arrived(decode.outgoing))
    alerts = [one for one in folded.outgoing if one.message.topic == "relay.alerts"]
    assert alerts
    assert {one.published for one in alerts} <= {("test", STARTED // 1000 * 1000)}
    assert watch.value("relay_delivery_seconds_count", 'origin="test"') == len(alerts)


def test_runs_that_are_set_aside_are_counted_by_origin_and_go_with_the_partition() -> None:
    one = Metered(decode_log())
    one.meter.assigned([0])
    aside = one.log.lives.versions.aside.setdefault(0, SettingAside())
    for offset in range(SET_ASIDE_AFTER):
        aside.bad(RUN, offset, STARTED, "unknown_link", is_known=False)
    one.take(incoming(1))
    assert one.value("relay_runs_set_aside", 'origin="test"') == 1
    assert one.value("relay_runs_set_aside", 'origin="replay"') == 0
    one.meter.withdrawn()
    assert one.value("relay_runs_set_aside", 'origin="test"') == 0


def test_of_a_flood_ten_lines_a_second_are_logged_and_how_many_more_there_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, clock = Metered(decode_log()), Clock()
    one.meter.said.clock = clock
    bad = [record._replace(key=b"rover-z") for record in incoming(60)]
    one.take(bad[:30])
    one.take(bad[30:])
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 10
    assert lines[0].startswith("relay.frames/0@0 rejected (unknown_link): link is 'rover-z'")
    clock.now += 1
    one.meter.show_what_moved()
    assert caplog.records[-1].getMessage() == "... and 50 more within the same second"


def test_gauges_that_cannot_be_reckoned_are_not_there_and_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = Metered(decode_log())
    one.meter.assigned([0])
    one.take(incoming(50))
    assert one.lines("relay_link_state", 'origin="test"')

    def fails(counts: LinkCounts, link: str, origin: str) -> list[Sample]:
        raise ZeroDivisionError

    monkeypatch.setattr(LinkCounts, "gauges", fails)
    one.take(incoming(80)[50:])
    assert one.lines("relay_link_state", 'origin="test"') == []
    assert one.value("relay_records_taken_total", 'stage="decode"') == 80
    assert "no metrics of rover-a (test)" in caplog.text
