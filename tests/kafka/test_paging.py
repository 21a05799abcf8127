"""From frames to the pager with real parts: Kafka, a worker, Prometheus, Alertmanager, and a webhook that listens.

Prometheus and Alertmanager run on the shipped files. Changed are addresses, the intervals at which they look (5 s to
1 s, group_interval 1 m to 1 s), and at the very end, to see the alert resolve within the test, how long rules look back
and hold (1 m to 2 s, 1 h to 10 s): the worker's death is survived on the rules as they are.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import yaml

from pipeline.metrics import STATE_UNUSABLE
from pipeline.records import Record, Run
from tests.build import root, scenario, scenario_records
from tests.deploy.tools import Service, alertmanager, free_ports, prometheus, tool
from tests.kafka.cluster import WorkerProcess, publish, wait_for, wait_until_done, worker

pytestmark = pytest.mark.kafka

DEPLOY: Final = root() / "deploy"
LIVE: Final = Run(id="", origin="live")
LABELS: Final = {
    "alertname": "EndedBeforeLanding", "type": "ended_before_landing", "vehicle": "ingenuity", "severity": "critical",
    "origin": "live", "mission": "ingenuity",
}  # fmt: skip
ABOUT_THE_WORKER: Final = ("NoWorker", "WorkerDown")
OPEN: Final = 'relay_incidents_active{type="ended_before_landing",severity="critical",origin="live"}'


@dataclass(slots=True)
class Pager:
    """What was posted, in order: (path, notification)."""

    url: str
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def of(self, alert: str) -> list[tuple[str, dict[str, Any]]]:
        return [one for one in self.posted if one[1]["commonLabels"].get("alertname") == alert]

    @property
    def said(self) -> list[str]:
        """Status of each notification of the alert that this is about."""
        return [body["status"] for _, body in self.of("EndedBeforeLanding")]


@contextmanager
def listening() -> Iterator[Pager]:
    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            pager.posted.append((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Not into the output of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    pager = Pager(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield pager
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(slots=True)
class Watching:
    """Prometheus and Alertmanager as shipped, at addresses of the test."""

    prometheus: Service
    pager: Pager
    rules: Path

    def value(self, query: str) -> float | None:
        """None where there is no series."""
        found = self.prometheus.get(f"/api/v1/query?query={quote(query)}")["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> list[str]:
        alerts = self.prometheus.get("/api/v1/alerts")["data"]["alerts"]
        return [one["labels"]["alertname"] for one in alerts if one["state"] == "firing"]

    def names(self) -> set[str]:
        """Of all metrics of a worker that the rules read."""
        groups = [group for file in self.rules.glob("*.yml") for group in yaml.safe_load(file.read_text())["groups"]]
        return set(re.findall(r"\brelay_\w+(?=[{\[)])", " ".join(rule["expr"] for g in groups for rule in g["rules"])))

    def look_back_less(self) -> None:
        """Rules that hold for ten seconds where they hold for an hour. Not for less: when Prometheus reads its files
        again it knows no Alertmanager for five seconds, and what resolves then is told a minute later."""
        for file in self.rules.glob("*.yml"):
            text = file.read_text()
            file.write_text(text.replace("keep_firing_for: 1h", "keep_firing_for: 10s").replace("[1m]", "[2s]"))
        self.prometheus.post("/-/reload")


@contextmanager
def watching(metrics_port: int, folder: Path) -> Iterator[Watching]:
    for name in ("prometheus", "prometheus-alertmanager"):
        tool(name)
    port, manager_port = free_ports(2)
    rules = folder / "rules"
    shutil.copytree(DEPLOY / "prometheus/rules", rules)
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{manager_port}"]}]}]
    targets = {"relaywatch": metrics_port, "alertmanager": manager_port, "prometheus": port}
    for job in config["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with ExitStack() as stack:
        pager = stack.enter_context(listening())
        text = (DEPLOY / "alertmanager/alertmanager.yml").read_text()
        text = text.replace("http://pager:8080", pager.url).replace("group_interval: 1m", "group_interval: 1s")
        (folder / "alertmanager.yml").write_text(text)
        stack.enter_context(alertmanager(folder / "alertmanager.yml", manager_port, folder))
        yield Watching(stack.enter_context(prometheus(folder / "prometheus.yml", port, folder)), pager, rules)


def _passes() -> tuple[list[Record], list[Record]]:
    """Flight 72 until its session ends, and the contact two days later."""
    records = scenario_records("flight-72")
    first = min(record.session for record in records)
    return [one for one in records if one.session == first], [one for one in records if one.session != first]


def _dies_and_comes_back(running: WorkerProcess, seen: Watching) -> None:
    """SIGKILL; until Prometheus has seen it gone, and then the new one with its state."""
    died = running.pid
    os.kill(died, signal.SIGKILL)
    wait_for(lambda: seen.value('min_over_time(up{job="relaywatch"}[1m])') == 0, lambda: "never seen to be gone")
    wait_for(lambda: running.pid != died and running.get("/ready")[0] == 200, running.text)
    wait_for(
        lambda: seen.value('up{job="relaywatch"}') == 1 and seen.value(OPEN) == 1, lambda: "the alert is forgotten"
    )


def test_flight_72_pages_once_outlives_its_worker_and_resolves_when_contact_is_restored(
    kafka: str, topics: str, tmp_path: Path
) -> None:
    mission = scenario("flight-72").mission
    flown, restored = _passes()
    [metrics_port] = free_ports(1)
    with ExitStack() as stack:
        seen = stack.enter_context(watching(metrics_port, tmp_path))
        pager = seen.pager
        running = stack.enter_context(
            worker(kafka, topics, tmp_path, "--metrics-port", str(metrics_port), supervised=True)
        )
        running.wait_ready()
        wait_for(lambda: seen.value(OPEN) == 0, lambda: "never scraped", running)

        asyncio.run(publish(kafka, topics, flown, mission, LIVE))
        wait_for(lambda: pager.said == ["firing"], lambda: f"no page: {pager.posted}", running)
        [(path, page)] = pager.of("EndedBeforeLanding")
        assert path == "/page"
        assert page["alerts"][0]["labels"] == LABELS
        assert page["commonAnnotations"]["runbook"] == "docs/runbook/ended_before_landing.md"
        assert page["commonAnnotations"]["raised_at"] == "2024-01-18 12:00:33 +0000 UTC"
        # What the other rules read is there as well: none of them looks at a series that no worker has. No state is
        # unusable here, and the gauge of those names their owners.
        assert {name for name in seen.names() - {STATE_UNUSABLE.name} if seen.value(f"count({name})") is None} == set()

        _dies_and_comes_back(running, seen)
        assert pager.said == ["firing"]
        assert "EndedBeforeLanding" in seen.firing()

        asyncio.run(publish(kafka, topics, restored, mission, LIVE))
        asyncio.run(wait_until_done(kafka, topics, running))
        wait_for(lambda: seen.value(OPEN) == 0, lambda: "still open", running)
        # For an hour it stays; nothing but the shorter rules ends it here.
        assert "EndedBeforeLanding" in seen.firing()
        assert pager.said == ["firing"]
        seen.look_back_less()
        wait_for(lambda: len(pager.said) > 1, lambda: f"not resolved: {pager.posted}", running, 150)
    assert pager.said == ["firing", "resolved"]
    # A worker that is slow to come back is told of as well, and that is right.
    assert {body["commonLabels"]["alertname"] for _, body in pager.posted} <= {"EndedBeforeLanding", *ABOUT_THE_WORKER}
