"""What every query of the dashboards gives, as a real Prometheus answers it: before, in and after a drop-out, with
every variable at "All" and at one value. The drop-out is that of drop_out.toml, what must come out stands in
drop_out.md."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import pytest
import yaml

from deploy.grafana.source.__main__ import FOLDER
from tests.build import root
from tests.deploy.drop_out import Instant, Script, Worker, script
from tests.deploy.tools import Service, free_ports, prometheus

pytestmark = pytest.mark.xdist_group("drop-out")  # told once

INSTANTS: Final[tuple[Instant, ...]] = ("before", "during", "after")
SCRAPE_SECONDS: Final = 0.5
_SCRAPE: Final = "500ms"
ALL: Final = dict.fromkeys(("mission", "vehicle", "link", "flight", "origin"), ".*")
ONE: Final = {
    "mission": "drop-out", "vehicle": "ingenuity", "link": "rover-a", "flight": "72", "origin": "live",
}  # fmt: skip
_RATE_INTERVAL: Final = "4500ms"
"""Nine scrapes lie in it, or one more or less where they do not come evenly."""
_STEPS: Final = 8
"""Between the first and the last of them."""
_ABOUT: Final = 0.15
"""What one step more or less makes of a rate, and a little more."""
_RANGE: Final = "2m"
"""The whole of it."""


class Query(NamedTuple):
    """A query of a panel, or of a mark."""

    where: str
    """Dashboard, panel and, where it has several, which query."""
    expression: str
    legend: str

    def with_values(self, values: dict[str, str]) -> str:
        """As Grafana would send it."""
        filled = self.expression.replace("$__rate_interval", _RATE_INTERVAL).replace("$__range", _RANGE)
        return re.sub(r"\$(\w+)", lambda found: values[found[1]], filled)

    def name(self, labels: dict[str, str]) -> str:
        """A series as its legend calls it; of a table, by its labels."""
        if self.legend == "__auto":
            return " · ".join(labels[label] for label in sorted(labels))
        return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), self.legend)


def queries() -> Iterator[Query]:
    for file in ("links-and-alerts", "flight", "pipeline"):
        dashboard = json.loads((FOLDER / f"{file}.json").read_text())
        for panel in dashboard["panels"]:
            targets = panel.get("targets", [])
            for target in targets:
                which = f" {target['refId']}" if len(targets) > 1 else ""
                yield Query(f"{file}: {panel['title']}{which}", target["expr"], target["legendFormat"])
        for mark in dashboard["annotations"]["list"]:
            yield Query(f"{file}: mark {mark['name']}", mark["expr"], mark["titleFormat"])


QUERIES: Final = list(queries())


# -- what must come out ------------------------------------------------------------------------------------------

Row = dict[tuple[str, Instant], str]
"""("all" or "one", instant) → the cell."""


def table() -> dict[str, dict[str, Row]]:
    """drop_out.md: query → series → its row."""
    found: dict[str, dict[str, Row]] = {}
    where = ""
    for line in (root() / "tests/deploy/drop_out.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 8 and cells[0] != "query" and set(cells[1]) != {"-"}:
            places = [(choice, instant) for choice in ("all", "one") for instant in INSTANTS]
            where = cells[0] or where
            found.setdefault(where, {})[cells[1]] = dict(zip(places, cells[2:], strict=True))
    return found


def agrees(cell: str, value: float | None, step_seconds: float) -> bool:
    """Whether a value is what a cell of the table says."""
    if cell == "–":
        return value is None
    if value is None:
        return False
    if cell == "some":
        return value > 0
    if cell.startswith("< "):
        return 0 < value < float(cell[2:])
    if cell.endswith("Z"):
        return abs(value - datetime.fromisoformat(cell).timestamp() * 1000) < 50
    if cell.startswith("~"):
        return value == pytest.approx(float(cell[1:]), rel=_ABOUT)
    if cell.endswith(" a step"):
        return value * step_seconds == pytest.approx(float(cell.removesuffix(" a step")), rel=_ABOUT)
    return abs(value - float(cell)) <= 0.51 * 10 ** -len(cell.partition(".")[2])


@pytest.mark.parametrize(
    ("cell", "value", "is_so"),
    [
        ("–", None, True),
        ("–", 0, False),
        ("0", None, False),
        ("0", 0, True),
        ("4", 5, False),
        ("0.011", 0.01058, True),
        ("0.011", 0.0116, False),
        ("10 a step", 21, True),
        ("10 a step", 24, False),
        ("~10", 9, True),
        ("~10", 12, False),
        ("2024-01-18T12:00:23Z", 1705579223000.0, True),
        ("2024-01-18T12:00:23Z", 1705579224000.0, False),
    ],
)
def test_a_cell_of_the_table_can_be_wrong(cell: str, value: float | None, is_so: bool) -> None:
    assert agrees(cell, value, 0.5) is is_so


# -- what does ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drop:
    """The drop-out as Prometheus has it."""

    prometheus: Service
    script: Script

    def values(self, query: Query, choice: dict[str, str], instant: Instant) -> dict[str, float]:
        """Series → value."""
        answer = self.ask(query.with_values(choice), self.at(instant))
        found = {query.name(one["metric"]): float(one["value"][1]) for one in answer}
        assert len(found) == len(answer), f"two series have one name: {query.legend}"
        return found

    def ask(self, expression: str, at: float) -> list[dict[str, Any]]:
        """The instant vector at a time: `metric` and `value` of each series."""
        form = urlencode({"query": expression, "time": f"{at:.3f}"})
        found: list[dict[str, Any]] = self.prometheus.get(f"/api/v1/query?{form}")["data"]["result"]
        return found

    def missed(self) -> list[str]:
        """Scrapes on which values rest and that took too long: the ends of each window of a rate."""
        return [
            f"{instant}: scrape {scrape} took longer than {_SCRAPE}"
            for instant in INSTANTS
            for scrape in (self.script.instants[instant] - _STEPS, self.script.instants[instant])
            if not self.ask("up{instance='worker-1'} == 1", self.script.scraped_at[scrape] + SCRAPE_SECONDS / 2)
        ]

    def at(self, instant: Instant) -> float:
        """Half-way between the scrape of that instant and the next one."""
        return self.script.scraped_at[self.script.instants[instant]] + SCRAPE_SECONDS / 2

    def step_seconds(self, instant: Instant) -> float:
        """How long a step took, on average, in the window of a rate that ends there."""
        last = self.script.instants[instant]
        return (self.script.scraped_at[last] - self.script.scraped_at[last - _STEPS]) / _STEPS


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drop]:
    """Told anew where Prometheus missed a scrape on which a value rests: the machine was busy."""
    for _ in range(3):
        with told(tmp_path_factory.mktemp("drop-out")) as found:
            missed = found.missed()
            if not missed:
                yield found
                return
    pytest.fail(f"Prometheus missed scrapes three times: {missed}")


@contextmanager
def told(folder: Path) -> Iterator[Drop]:
    """A Prometheus to which the whole script was told."""
    worker = Worker()
    tale = script(worker)
    server = worker.exporter.serve("127.0.0.1", 0, live=str, ready=str)
    page = server.httpd.get_app()
    assert page is not None

    def with_script(environ: dict[str, Any], start_response: Any) -> Any:
        tale.scrape()
        return page(environ, start_response)

    server.httpd.set_app(with_script)
    port, closed = free_ports(2)
    targets = [
        {"targets": [f"127.0.0.1:{server.port}"], "labels": {"mission": "drop-out", "instance": "worker-1"}},
        {"targets": [f"127.0.0.1:{closed}"], "labels": {"mission": "another", "instance": "worker-2"}},
    ]
    config = {
        "global": dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), _SCRAPE),
        "scrape_configs": [{"job_name": "relaywatch", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    try:
        with prometheus(folder / "prometheus.yml", port, folder) as service:
            assert tale.over.wait(120), f"{len(tale.scraped_at)} of {len(tale.steps)} scrapes in 120 s"
            yield Drop(service, tale)
    finally:
        server.close()


def test_the_table_has_every_query_and_no_other() -> None:
    assert list(table()) == [query.where for query in QUERIES]


@pytest.mark.parametrize("query", QUERIES, ids=lambda one: one.where)
def test_a_query_gives_what_it_should_before_in_and_after_a_drop_out(drop: Drop, query: Query) -> None:
    wanted = table()[query.where]
    differ = []
    for name, choice in (("all", ALL), ("one", ONE)):
        for instant in INSTANTS:
            found = drop.values(query, choice, instant)
            for series in sorted({*wanted, *found}):
                cell, value = wanted.get(series, {}).get((name, instant), "–"), found.get(series)
                if not agrees(cell, value, drop.step_seconds(instant)):
                    differ.append(f"{series}, {name}, {instant}: {value}, the table has {cell}")
    assert not differ, query.expression


@pytest.mark.parametrize("query", [one for one in QUERIES if "$flight" in one.expression], ids=lambda one: one.where)
def test_a_flight_that_was_not_flown_shows_nothing(drop: Drop, query: Query) -> None:
    assert drop.values(query, ALL | {"flight": "73"}, "before") == {}


@pytest.mark.parametrize("query", [one for one in QUERIES if "up{" not in one.expression], ids=lambda one: one.where)
def test_a_mission_whose_workers_are_away_shows_nothing(drop: Drop, query: Query) -> None:
    is_never_empty = query.expression.endswith("or vector(0)")
    found = drop.values(query, ALL | {"mission": "another"}, "during")
    assert list(found.values()) == ([0] if is_never_empty else [])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mission", ["drop-out"]),
        ("vehicle", ["dragonfly", "ingenuity"]),
        ("link", ["rover-a", "rover-b"]),
        ("flight", ["72"]),
    ],
)
def test_a_variable_offers_what_prometheus_knows(drop: Drop, name: str, values: list[str]) -> None:
    asked = set()
    for file in FOLDER.glob("*.json"):
        variables = json.loads(file.read_text())["templating"]["list"]
        asked |= {one["query"] for one in variables if one["name"] == name}
    (question,) = asked
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", question)
    assert found is not None
    selector = re.sub(r"\$(\w+)", lambda variable: ALL[variable[1]], found[1])
    answer = drop.prometheus.get(f"/api/v1/label/{found[2]}/values?{urlencode({'match[]': selector})}")
    assert answer["data"] == values
