"""The rules of Prometheus: promtool runs their timelines; types, metrics and runbook pages agree with the code."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pipeline.metrics import ALERT_TYPES, METRICS
from tests.build import root
from tests.deploy.tools import run

ROOT: Final = root()
PROMETHEUS: Final = ROOT / "deploy/prometheus"
RUNBOOK: Final = ROOT / "docs/runbook"
FILES: Final = sorted((PROMETHEUS / "rules").glob("*.yml"))
TIMELINES: Final = sorted((PROMETHEUS / "tests").glob("*.yml"))
FOREIGN: Final = {"up", "process_start_time_seconds", "alertmanager_notifications_failed_total"}
"""Metrics of Prometheus, of prometheus-client and of Alertmanager."""

TARGET: Final = {"job", "instance", "mission"}
"""Labels that Prometheus adds to what it scrapes."""


def rules_of(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "rules" / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


RULES: Final = [rule for file in FILES for rule in rules_of(file.name)]
ALERTS: Final[dict[str, dict[str, Any]]] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
OF_INCIDENTS: Final[dict[str, dict[str, Any]]] = {rule["alert"]: rule for rule in rules_of("incidents.yml")}
OF_PIPELINE: Final = {name: rule for name, rule in ALERTS.items() if name not in OF_INCIDENTS}


def camel_case(alert_type: str) -> str:
    return "".join(word.capitalize() for word in alert_type.split("_"))


def metrics_in(expression: str) -> set[str]:
    """Names of metrics: what is left without strings, ranges, labels, functions and operators."""
    text = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)
    text = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)|\{[^}]*\}|\boffset\s+\w+", "", text)
    words = re.findall(r"[a-zA-Z_:][\w:]*(?!\w*\s*\()", re.sub(r"\w+\s*\(", "(", text))
    return set(words) - {"and", "or", "unless", "bool"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_promtool_accepts_the_rules(file: Path) -> None:
    run("promtool", "check", "rules", str(file))


@pytest.mark.parametrize("file", TIMELINES, ids=lambda file: file.name)
def test_the_rules_say_what_their_timelines_expect(file: Path) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", str(file))


def test_the_configuration_loads_these_rules() -> None:
    text = run("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))
    assert f"{len(FILES)} rule files found" in text


def test_every_alert_type_has_one_thin_rule_and_no_other() -> None:
    assert set(OF_INCIDENTS) == {camel_case(one) for one in ALERT_TYPES}
    assert len(rules_of("incidents.yml")) == len(ALERT_TYPES)
    for one in ALERT_TYPES:
        rule = OF_INCIDENTS[camel_case(one)]
        assert rule["expr"] == (
            "max by (mission, vehicle, type, severity, origin) "
            f'(max_over_time(relay_incidents_active{{type="{one}"}}[1m])) > 0'
        )
        assert rule["keep_firing_for"] == "1h"
        assert "for" not in rule
        # Severity, type, vehicle, origin and mission come from the series.
        assert "labels" not in rule


def test_every_alert_says_what_is_known_and_where_to_read_on() -> None:
    for name, rule in ALERTS.items():
        notes = rule["annotations"]
        assert notes["summary"], name
        assert notes["description"].startswith("Known: "), name
        assert not re.search(r"\b(because|caused|crash\w*|due to)\b", notes["summary"] + notes["description"]), name
        assert (ROOT / notes["runbook"]).is_file(), name


def test_an_alert_of_an_incident_says_what_is_not_known() -> None:
    assert [
        name for name, rule in OF_INCIDENTS.items() if "Not known: " not in rule["annotations"]["description"]
    ] == []


def test_every_alert_has_a_page_of_its_own_and_every_page_an_alert() -> None:
    pages = {name: Path(rule["annotations"]["runbook"]) for name, rule in ALERTS.items()}
    expected = {camel_case(one): f"{one}.md" for one in ALERT_TYPES} | {name: f"{name}.md" for name in OF_PIPELINE}
    assert {name: page.name for name, page in pages.items()} == expected
    assert {page.name for page in RUNBOOK.glob("*.md")} == {*expected.values(), "README.md"}


def test_the_alerts_of_the_pipeline_bring_a_severity() -> None:
    for name, rule in OF_PIPELINE.items():
        assert rule["labels"]["severity"] in ("critical", "warning", "notice"), name
        assert "keep_firing_for" not in rule, name


def test_every_metric_in_a_rule_is_declared() -> None:
    declared = (
        {name for metric in METRICS for name in metric.series}
        | {rule["record"] for rule in RULES if "record" in rule}
        | FOREIGN
    )
    used = {name: metrics_in(rule["expr"]) for rule in RULES for name in [rule.get("alert") or rule["record"]]}
    assert all(used.values())
    assert {name: sorted(metrics - declared) for name, metrics in used.items() if metrics - declared} == {}


def test_every_label_in_a_rule_is_one_that_its_metric_has() -> None:
    """Of selectors: a label that a metric lacks selects nothing, for ever."""
    labels = {name: {*own, *TARGET} for metric in METRICS for name, own in metric.series.items()}
    for rule in RULES:
        for metric, selector in re.findall(r"(relay_\w+)\{([^}]*)\}", rule["expr"]):
            assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= labels[metric], rule["expr"]


def test_every_timeline_uses_series_that_a_worker_can_export() -> None:
    labels = {name: set(own) for metric in METRICS for name, own in metric.series.items()}
    for file in TIMELINES:
        for one in yaml.safe_load(file.read_text())["tests"]:
            for series in one["input_series"]:
                name, _, rest = series["series"].partition("{")
                assert name in labels or name in FOREIGN, (file.name, one["name"], name)
                if name in labels:
                    given = set(re.findall(r"(\w+)=", rest)) - TARGET
                    assert given == labels[name], (file.name, one["name"], series["series"])


def test_what_is_joined_over_workers_is_joined_within_a_mission() -> None:
    """Links and vehicles of two missions may have the same name."""
    for rule in RULES:
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
            assert {"mission", "instance", "integration"} & set(labels.split(", ")), rule["expr"]


def test_rules_that_look_at_the_wall_clock_leave_replays_alone() -> None:
    """Of links and vehicles; a worker's own clock is the wall clock."""
    timed = [rule for rule in RULES if re.search(r"relay_(watermark|last_frame)", rule["expr"])]
    assert timed
    for rule in timed:
        for selector in re.findall(r"relay_\w+(\{[^}]*\})?", rule["expr"]):
            assert 'origin="live"' in selector, rule["expr"]


def test_gauges_that_an_alert_reads_outlast_a_failed_scrape() -> None:
    """Each is read over a range: `relay_x{...}[1m]`, or comes from a recording rule."""
    for name, rule in ALERTS.items():
        for metric, range_ in re.findall(r"\b(relay_\w+)(?:\{[^}]*\})?(\[\w+\])?", rule["expr"]):
            assert range_, (name, metric)


def test_the_timelines_are_those_that_were_asked_for() -> None:
    names = {one["name"] for file in TIMELINES for one in yaml.safe_load(file.read_text())["tests"]}
    assert names >= {
        "flight 72", "a planned loss", "a worker crash during an open alert", "a restart", "a counter born late",
        "a link that flaps",
    }  # fmt: skip


def test_every_alert_stands_in_a_timeline() -> None:
    text = "".join(file.read_text() for file in TIMELINES)
    silent = {name for name in OF_PIPELINE if name not in text}
    assert silent == set()
