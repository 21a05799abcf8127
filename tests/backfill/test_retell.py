"""A recording told in time against what `analyze` says of it."""

import re
from collections import Counter
from functools import cache
from math import isnan

import pytest
import yaml

from pipeline.backfill.retell import ALERTS, Retelling, alert_name
from pipeline.metrics import (
    ALERT_TYPES,
    CLOSED_AT,
    FRAMES,
    INCIDENTS_ACTIVE,
    INCIDENTS_OPENED,
    LATENESS,
    RAISED_AT,
    WATERMARK,
    Metric,
)
from pipeline.records import SECOND, Origin, Run
from pipeline.shells.files.analyze import Analysis, analyze
from tests.build import root, scenario, scenario_records

Told = dict[tuple[str, ...], list[tuple[float, float]]]
"""Values of the labels → (seconds since 1970, value)."""


@cache
def retold(name: str) -> Retelling:
    retelling = Retelling(scenario(name).mission, Run(id=name, origin="replay"), SECOND)
    for offset, record in enumerate(scenario_records(name)):
        retelling.take(Origin("recording", 0, offset), record)
    retelling.end()
    return retelling


@cache
def analyzed(name: str) -> Analysis:
    return analyze(scenario_records(name), scenario(name).mission)


def told(name: str, metric: Metric) -> Told:
    width = len(metric.buckets) + 3 if metric.kind == "histogram" else 1
    return {
        track.labels: [(at / 1_000, value) for at, value in zip(track.times, track.values[::width], strict=True)]
        for track in retold(name).timeline.tracks
        if track.metric is metric
    }


def at_the_end(name: str, metric: Metric) -> dict[tuple[str, ...], float]:
    """What is not 0, without the origin."""
    ends = {labels[:-1]: samples[-1][1] for labels, samples in told(name, metric).items()}
    return {labels: value for labels, value in ends.items() if value}


@pytest.mark.parametrize("name", ["two-relays", "bad-frame-burst"])
def test_it_ends_with_what_analyze_says(name):
    incidents, vehicle = analyzed(name).incidents, scenario(name).mission.vehicles[0].name
    active = Counter((vehicle, one.type, one.severity) for one in incidents if one.state == "open")
    assert at_the_end(name, INCIDENTS_ACTIVE) == active
    assert at_the_end(name, INCIDENTS_OPENED) == Counter((vehicle, one.type) for one in incidents)
    for metric, instants in ((RAISED_AT, "raised_at"), (CLOSED_AT, "ended_at")):
        latest: dict[tuple[str, ...], float] = {}
        for one in incidents:
            at = getattr(one, instants)
            if at is not None:
                latest[vehicle, one.type] = max(latest.get((vehicle, one.type), 0), at / SECOND)
        assert at_the_end(name, metric) == latest
    frames: Counter[tuple[str, str]] = Counter()
    for (link, disposition, _), value in at_the_end(name, FRAMES).items():
        frames[link, disposition] += round(value)
    (account,) = [one.facts for one in analyzed(name).flights.values() if not one.name]
    expected: Counter[tuple[str, str]] = Counter()
    for link, words in account["links"].items():
        for word, number in words.items():
            expected[link, word.partition(":")[0]] += number
    assert frames == expected
    assert expected.total() > 0


def test_an_alert_fires_from_the_revision_that_opened_it_until_the_one_that_closed_it():
    revisions = analyzed("bad-frame-burst").revisions
    fired = told("bad-frame-burst", ALERTS)
    assert {labels[0] for labels in fired} == {"BadFrameBurst", "LinkDegraded"}
    for (name, state, mission, vehicle, kind, severity, origin), samples in fired.items():
        assert (name, state, mission) == (alert_name(kind), "firing", "ingenuity")
        assert (vehicle, origin) == ("ingenuity", "replay")
        mine = [one for one in revisions if (one.type, one.severity) == (kind, severity)]
        opened, closed = (
            next(one.known_at for one in mine if one.state == state) / SECOND for state in ("open", "closed")
        )
        assert {value for _, value in samples[:-1]} == {1}
        assert isnan(samples[-1][1])
        # To two steps: what is known is known up to the watermark, and frames are a record ahead of it.
        assert opened <= samples[0][0] < opened + 2
        assert closed <= samples[-1][0] < closed + 2


def test_a_counter_begins_at_0_before_the_first_record():
    for metric in (FRAMES, LATENESS):
        for samples in told("bad-frame-burst", metric).values():
            assert samples[0][1] == 0
    (watermark,) = told("bad-frame-burst", WATERMARK).values()
    assert watermark[0][1] == 0
    assert watermark[1][1] >= watermark[1][0] - 1


def test_every_record_s_lateness_is_counted_once():
    (track,) = [one for one in retold("two-relays").timeline.tracks if one.metric is LATENESS]
    records = analyzed("two-relays").intake.records
    # Records that say no relay time, such as those of a link that delivers nothing, have no lateness.
    assert 0 < track.values[-2] <= records
    assert track.values[-2] == track.values[-3]


def test_the_alerts_are_named_and_labelled_as_the_rules_make_them():
    groups = yaml.safe_load((root() / "deploy/prometheus/rules/incidents.yml").read_text())["groups"]
    rules = {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}
    assert set(rules) == {alert_name(one) for one in ALERT_TYPES}
    for kind in ALERT_TYPES:
        assert f'type="{kind}"' in rules[alert_name(kind)]
    for expression in rules.values():
        (kept,) = re.findall(r"max by \(([\w, ]+)\)", expression)
        assert set(kept.split(", ")) == set(ALERTS.labels) - {"alertname", "alertstate"}
