"""The dashboards as files. Grafana does not run here, so everything that it would take amiss, or a person at it, is
looked up in the JSON. What the queries give: test_dashboard_queries.py."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, get_args

import pytest
import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source import states
from deploy.grafana.source.__main__ import BOARDS, FOLDER
from pipeline import metrics
from pipeline.records import OriginKind
from tests.build import root

GRAFANA: Final = root() / "deploy/grafana"
DASHBOARDS: Final[dict[str, dict[str, Any]]] = {file.name: json.loads(file.read_text()) for file in FOLDER.glob("*")}
DRAWN: Final = {"timeseries", "state-timeline", "stat", "table"}
"""Kinds of panel that show a query's values."""
UNITS: Final = {
    "none", "percentunit", "dBm", "lengthm", "s", "bytes", "dateTimeAsIso", "suffix: frames/s", "suffix: records/s",
}  # fmt: skip
"""Grafana's own, and words after a number."""
SAFE: Final = set(states.OKABE_ITO)
WORKERS: Final = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""What Prometheus and its client library add to the metrics that are declared."""


def panels(*kinds: str) -> list[Any]:
    """Every panel of these kinds, as parameters of a test."""
    return [
        pytest.param(panel, id=f"{name}-{panel['title']}")
        for name, dashboard in DASHBOARDS.items()
        for panel in dashboard["panels"]
        if panel["type"] in kinds
    ]


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel.get("targets", [])]


def every_query(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from queries(panel)
    for mark in dashboard["annotations"]["list"]:
        yield mark["expr"]


def values_of(owner: Any, name: str) -> Iterator[Any]:
    """Every value under a key of this name, however deep."""
    if isinstance(owner, dict):
        if name in owner:
            yield owner[name]
        for value in owner.values():
            yield from values_of(value, name)
    elif isinstance(owner, list):
        for value in owner:
            yield from values_of(value, name)


def mapped(panel: dict[str, Any]) -> set[str]:
    """The values that the panel shows as words."""
    return {
        value
        for mappings in values_of(panel["fieldConfig"], "mappings")
        for mapping in mappings
        if mapping["type"] == "value"
        for value in mapping["options"]
    }


def overridden(panel: dict[str, Any], heading: str) -> dict[str, Any]:
    """The properties of one column."""
    return {
        one["id"]: one["value"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == heading
        for one in override["properties"]
    }


# -- the files ---------------------------------------------------------------------------------------------------


def test_the_dashboards_in_the_repository_are_those_that_their_source_makes() -> None:
    committed = {file.name: file.read_text() for file in FOLDER.glob("*")}
    assert committed == {name: board.as_json() for name, board in BOARDS.items()}, "make dashboards writes them anew"


def test_architecture_names_every_file_of_the_source_that_is_no_dashboard() -> None:
    section = (root() / "ARCHITECTURE.md").read_text().split("## Dashboards as code")[1].split("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    there = {file.stem for file in (GRAFANA / "source").glob("*.py")} - {"__main__"}
    assert set(named) == there - {"links", "flight", "pipeline"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_models_of_grafana_take_every_dashboard(name: str) -> None:
    register_default_plugins()
    found = Dashboard.from_json(DASHBOARDS[name])
    assert found.uid == DASHBOARDS[name]["uid"]
    assert found.panels is not None
    assert len(found.panels) == len(DASHBOARDS[name]["panels"])


def test_grafana_finds_the_dashboards_where_the_provider_says_and_keeps_no_change_made_in_the_browser() -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/relaywatch.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False


def test_every_dashboard_has_a_name_of_its_own_and_leads_to_the_others() -> None:
    assert len({one["uid"] for one in DASHBOARDS.values()}) == len({one["title"] for one in DASHBOARDS.values()}) == 3
    for dashboard in DASHBOARDS.values():
        (link,) = dashboard["links"]
        assert set(link["tags"]) <= set(dashboard["tags"])
        assert link["includeVars"]
        assert link["keepTime"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_time_is_utc(name: str) -> None:
    assert DASHBOARDS[name]["timezone"] == "utc"


# -- the grid ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_panel_lies_over_another_or_beyond_the_24_columns(name: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["w"] > 0
        assert place["h"] > 0
        for x in range(place["x"], place["x"] + place["w"]):
            assert x < 24
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_panels_leave_no_hole_and_each_has_a_number_and_a_title_of_its_own(name: str) -> None:
    placed = DASHBOARDS[name]["panels"]
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in placed)
    assert sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in placed) == 24 * bottom
    assert len({panel["id"] for panel in placed}) == len(placed)
    assert len({panel["title"] for panel in placed}) == len(placed)


# -- every panel -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", panels(*DRAWN, "alertlist", "text"))
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")


@pytest.mark.parametrize("panel", panels(*DRAWN, "alertlist"))
def test_a_panel_asks_the_source_that_is_provisioned(panel: dict[str, Any]) -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    wanted = {"type": source["type"], "uid": source["uid"]}
    assert panel["datasource"] == wanted
    assert all(target["datasource"] == wanted for target in panel.get("targets", []))
    if panel["type"] == "alertlist":
        assert panel["options"]["datasource"] == source["name"]
        # Grafana would hide alerts without the label that is asked for: those of the workers.
        assert panel["options"]["alertInstanceLabelFilter"] == ""
    else:
        assert queries(panel)
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("panel", panels(*DRAWN))
def test_a_value_has_a_unit_bounds_and_thresholds(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert set(values_of(panel["fieldConfig"], "unit")) <= UNITS
    assert defaults["unit"] in UNITS
    base, *steps = defaults["thresholds"]["steps"]
    assert base["value"] is None
    assert [step["value"] for step in steps] == sorted(step["value"] for step in steps)
    if panel["type"] != "table" and defaults["unit"] not in ("dBm", "lengthm"):  # these two go below 0
        assert defaults["min"] == 0
    if defaults["unit"] == "percentunit" and "rate(process_cpu" not in queries(panel)[0]:
        assert defaults["max"] == 1


@pytest.mark.parametrize("panel", panels(*DRAWN))
def test_no_value_is_drawn_where_there_is_none(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] == "timeseries":
        assert defaults["custom"]["spanNulls"] is False
        assert defaults["custom"]["showPoints"] == "auto"  # a value between two gaps is seen
    elif panel["type"] in ("stat", "table"):
        assert defaults["noValue"]


@pytest.mark.parametrize("panel", panels(*DRAWN))
def test_a_series_has_a_name_and_a_place_where_it_stands(panel: dict[str, Any]) -> None:
    assert all(target["legendFormat"] for target in panel["targets"])
    if panel["type"] in ("timeseries", "state-timeline"):
        assert panel["options"]["legend"]["showLegend"] is True
        assert "__auto" not in {target["legendFormat"] for target in panel["targets"]}


@pytest.mark.parametrize("panel", panels(*DRAWN))
def test_a_legend_names_only_labels_that_the_query_keeps(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        kept = {"instance"} | {
            label.strip()
            for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", target["expr"])
            for label in labels.split(",")
        }
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept


@pytest.mark.parametrize("panel", panels(*DRAWN))
def test_what_changes_with_time_is_asked_over_time_and_what_is_now_once(panel: dict[str, Any]) -> None:
    over_time = panel["type"] in ("timeseries", "state-timeline")
    assert all((target["range"], target["instant"]) == (over_time, not over_time) for target in panel["targets"])


@pytest.mark.parametrize("panel", panels(*DRAWN))
def test_colours_are_those_that_everybody_can_tell_apart(panel: dict[str, Any]) -> None:
    """No palette of Grafana's own is; shades of one colour are."""
    colours = [*values_of(panel, "color"), *values_of(panel, "fixedColor")]
    assert {one for one in colours if isinstance(one, str)} <= SAFE
    modes = {one["mode"] for one in colours if isinstance(one, dict)}
    modes |= {
        one["value"]["mode"]
        for one in values_of(panel["fieldConfig"], "properties")
        for one in one
        if one["id"] == "color"
    }
    assert modes <= {"thresholds", "shades", "fixed"}


# -- states ------------------------------------------------------------------------------------------------------


def numbered(metric: metrics.Metric) -> set[str]:
    """The states that a metric's help sentence lists: "0 no session, 1 listening, …"."""
    return set(re.findall(r"(?:^|, )(\d)(?= )", metric.help))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (metrics.LINK_STATE.name, numbered(metrics.LINK_STATE)),
        (metrics.PHASE.name, numbered(metrics.PHASE)),
        (metrics.WINDOW_OPEN.name, {"0", "1"}),
        (metrics.READY.name, {"0", "1", "2"}),
    ],
)
def test_every_state_has_its_word(query: str, wanted: set[str]) -> None:
    assert len(wanted) > 1
    shown = [
        panel
        for dashboard in DASHBOARDS.values()
        for panel in dashboard["panels"]
        if panel["type"] in ("state-timeline", "stat") and any(query in one for one in queries(panel))
    ]
    states_of = [one for one in shown if one["type"] == "state-timeline" or query == metrics.PHASE.name]
    assert states_of
    for panel in states_of:
        assert mapped(panel) == wanted
        assert panel["fieldConfig"]["defaults"]["max"] == max(map(int, wanted))


@pytest.mark.parametrize(
    ("heading", "values"), [("Incident", metrics.ALERT_TYPES), ("Severity", metrics.SEVERITIES)]
)  # fmt: skip
def test_every_type_and_severity_has_its_word_in_the_tables(heading: str, values: tuple[str, ...]) -> None:
    tables = [panel for one in DASHBOARDS.values() for panel in one["panels"] if panel["type"] == "table"]
    found = [overridden(panel, heading)["mappings"][0]["options"] for panel in tables if overridden(panel, heading)]
    assert found
    assert all(set(options) == set(values) for options in found)


def test_every_disposition_stage_topic_and_origin_has_its_colour() -> None:
    assert set(states.DISPOSITION) == {one.split(":")[0] for one in metrics.DISPOSITIONS}
    assert set(states.STAGE) == set(metrics.STAGES)
    assert set(states.TOPIC) == {"frames", "commands", "telemetry"}
    assert set(states.ORIGIN) == set(get_args(OriginKind))


# -- queries and variables ---------------------------------------------------------------------------------------


def declared() -> dict[str, tuple[str, ...]]:
    """Series name → its labels."""
    return {name: labels for metric in metrics.METRICS for name, labels in metric.series.items()}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_metric_in_a_query_is_declared_and_has_the_labels_by_which_it_is_chosen(name: str) -> None:
    known = declared()
    for query in every_query(DASHBOARDS[name]):
        selectors = re.findall(r"(\w+)\{([^}]*)\}", query)
        assert selectors
        outside = re.sub(r"\{[^}]*\}", "", query)
        assert set(re.findall(r"\b(relay_\w+|process_\w+|up)\b", outside)) == {metric for metric, _ in selectors}
        for metric, matchers in selectors:
            assert metric in known or metric in WORKERS, query
            labels = {label for label, _ in re.findall(r'(\w+)=~?"([^"]*)"', matchers)}
            assert labels <= {*known.get(metric, ()), "mission", "job"}, query
            assert "mission" in labels


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_is_told_apart_by_link_or_vehicle_is_told_apart_by_mission_too(name: str) -> None:
    """Links and vehicles of two missions may have the same name."""
    for query in every_query(DASHBOARDS[name]):
        for clause in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
            labels = clause.split(", ")
            assert "mission" in labels or not {"link", "vehicle"} & set(labels), query


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_variable_is_used_and_every_one_that_is_used_is_there(name: str) -> None:
    dashboard = DASHBOARDS[name]
    there = {one["name"] for one in dashboard["templating"]["list"]}
    used = {variable for query in every_query(dashboard) for variable in re.findall(r"\$([a-z]+)", query)}
    assert used == there


@pytest.mark.parametrize(
    "variable",
    [
        pytest.param(one, id=f"{name}-{one['name']}")
        for name, dashboard in DASHBOARDS.items()
        for one in dashboard["templating"]["list"]
    ],
)
def test_a_variable_begins_with_all_and_is_filled_anew_with_the_time_range(variable: dict[str, Any]) -> None:
    assert variable["includeAll"]
    assert variable["multi"]
    assert variable["allValue"] == ".*"
    assert variable["current"]["value"] == ["$__all"]
    assert variable["description"]
    if variable["type"] == "custom":
        assert variable["query"] == ",".join(metrics.ORIGINS)
        return
    assert variable["refresh"] == 2
    found = re.fullmatch(r"label_values\((\w+)(?:\{[^}]*\})?, (\w+)\)", variable["query"])
    assert found is not None
    assert found[2] == variable["name"]
    assert found[2] in (*declared()[found[1]], "mission")


def test_prometheus_adds_the_mission_that_the_workers_serve() -> None:
    """No metric of a worker says it, and every query chooses by it."""
    jobs = yaml.safe_load((root() / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (ours,) = [job for job in jobs if job["job_name"] == "relaywatch"]
    added = {one["target_label"]: one["replacement"] for one in ours["relabel_configs"]}
    worker = yaml.safe_load((root() / "docker-compose.yml").read_text())["services"]["worker"]
    assert added == {"mission": worker["environment"]["RELAYWATCH_MISSION"]}


def test_the_marks_of_a_flight_stand_at_the_event_time_that_the_metric_says() -> None:
    marks = DASHBOARDS["flight.json"]["annotations"]["list"]
    assert len(marks) == 2
    for mark, metric in zip(marks, (metrics.RAISED_AT, metrics.CLOSED_AT), strict=True):
        assert mark["useValueForTime"] is True
        assert mark["target"]["expr"] == mark["expr"]
        assert metric.name in mark["expr"]
        assert "* 1000" in mark["expr"]
        assert mark["iconColor"] in SAFE


def test_where_the_statement_would_stand_it_is_said_where_to_read_it() -> None:
    """No metric holds text: nothing on a dashboard may look as if it were the statement."""
    texts = [
        panel["options"]["content"] for one in DASHBOARDS.values() for panel in one["panels"] if panel["type"] == "text"
    ]
    assert texts
    assert all("relaywatch alerts --follow" in one and "relaywatch analyze" in one for one in texts)
