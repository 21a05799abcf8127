"""The text, read back by the parser of prometheus-client, which is strict."""

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pipeline.backfill.openmetrics import exposition
from pipeline.backfill.timeline import Timeline
from pipeline.metrics import Metric, Sample
from pipeline.records import SECOND

COUNTER = Metric(
    name="relay_frames_total", kind="counter", labels=("link", "reason"), help='Frames \\ taken, "each"\n.'
)
ALTITUDE = Metric(name="relay_altitude_meters", kind="gauge", labels=("vehicle",), help="Metres.", absent=True)
LATENESS = Metric(name="relay_lateness_seconds", kind="histogram", labels=("origin",), help="Late.", buckets=(0.1, 5))
ALERTS = Metric(name="ALERTS", kind="gauge", labels=("alertname",), help="Alerts.", absent=True)

START = 1_705_579_200 * SECOND


def text_of(timeline: Timeline) -> str:
    return "".join(exposition(timeline.tracks, {"instance": "flight-72"}, bare=["ALERTS"]))


def families(text: str) -> dict[str, list[tuple[str, dict[str, str], float, float]]]:
    return {
        family.name: [(one.name, one.labels, one.value, float(one.timestamp)) for one in family.samples]
        for family in text_string_to_metric_families(text)
    }


def test_every_metric_is_one_family_with_its_kind_and_help_and_the_end_is_said():
    timeline = Timeline()
    timeline.apply(
        [Sample(LATENESS, ("replay",), 0.3), Sample(COUNTER, ("b", ""), 1), Sample(COUNTER, ("a", "fecf"), 2)]
    )
    timeline.show("vehicle", [Sample(ALTITUDE, ("ingenuity",), 12.5), Sample(ALERTS, ("EndedBeforeLanding",), 1)])
    timeline.write(START)
    text = text_of(timeline)
    assert text.endswith("# EOF\n")
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert {name: family.type for name, family in found.items()} == {
        "ALERTS": "gauge",
        "relay_altitude_meters": "gauge",
        "relay_frames": "counter",
        "relay_lateness_seconds": "histogram",
    }
    assert found["relay_frames"].documentation == COUNTER.help


def test_a_series_is_written_whole_before_the_next_one():
    timeline = Timeline()
    timeline.apply([Sample(COUNTER, ("b", ""), 1), Sample(COUNTER, ("a", "fecf"), 2)])
    timeline.write(START)
    timeline.write(START + 5 * SECOND)
    assert families(text_of(timeline))["relay_frames"] == [
        ("relay_frames_total", {"link": link, "reason": reason, "instance": "flight-72"}, value, at)
        for link, reason, value in (("a", "fecf", 2), ("b", "", 1))
        for at in (1_705_579_200, 1_705_579_205)
    ]


def test_the_parts_of_a_histogram_stand_together_at_each_instant():
    timeline = Timeline()
    timeline.apply([Sample(LATENESS, ("replay",), 0.3)])
    timeline.write(START)
    timeline.apply([Sample(LATENESS, ("replay",), 9)])
    timeline.write(START + SECOND)
    lines = [line.split(" ") for line in text_of(timeline).splitlines() if not line.startswith("#")]
    first, second = lines[:5], lines[5:]
    assert [value for _, value, at in first if at == "1705579200"] == ["0.0", "1.0", "1.0", "1.0", "0.3"]
    assert [value for _, value, at in second if at == "1705579201"] == ["0.0", "1.0", "2.0", "2.0", "9.3"]
    assert [name for name, _, _ in first] == [name for name, _, _ in second]


def test_prometheus_own_series_get_no_label_more():
    timeline = Timeline()
    timeline.show("vehicle", [Sample(ALERTS, ("EndedBeforeLanding",), 1)])
    timeline.write(START)
    assert families(text_of(timeline))["ALERTS"] == [("ALERTS", {"alertname": "EndedBeforeLanding"}, 1, 1_705_579_200)]


def test_what_is_not_known_any_more_is_nan():
    timeline = Timeline()
    timeline.show("vehicle", [Sample(ALTITUDE, ("ingenuity",), 12.5)])
    timeline.write(START)
    timeline.show("vehicle", [])
    timeline.write(START + SECOND // 2)
    (known, unknown) = families(text_of(timeline))["relay_altitude_meters"]
    assert (known[2], known[3]) == (12.5, 1_705_579_200)
    assert math.isnan(unknown[2])
    assert unknown[3] == 1_705_579_200.5


def test_a_metric_without_a_sample_is_not_in_the_text():
    timeline = Timeline()
    timeline.show("vehicle", [])
    assert text_of(timeline) == "# EOF\n"


@given(label=st.text(), value=st.floats(allow_nan=False), at=st.integers(0, 2**62))
def test_every_label_value_and_instant_comes_back_as_it_was(label, value, at):
    timeline = Timeline()
    timeline.show("vehicle", [Sample(ALTITUDE, (label,), value)])
    timeline.write(at)
    ((_, labels, read, read_at),) = families(text_of(timeline))["relay_altitude_meters"]
    assert labels["vehicle"] == label
    assert read == value
    assert round(read_at * 1_000) == at // 1_000_000
