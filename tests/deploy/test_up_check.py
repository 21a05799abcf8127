"""`make up-check`, against a small server that answers as Grafana does."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from tests.build import root

ROOT: Final = root()
DASHBOARDS: Final = {
    file.name: json.loads(file.read_text()) for file in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
}
CLEAN_LOG: Final = (
    'logger=provisioning.dashboard t=2026-01-01T00:00:00Z level=info msg="finished to provision dashboards"\n'
)
FAULTY_LOG: Final = (
    'logger=provisioning.dashboard type=file level=error msg="failed to load dashboard from " error="unexpected EOF"\n'
)


@dataclass
class Grafana:
    """What the server says."""

    listed: list[str] = field(default_factory=lambda: [one["uid"] for one in DASHBOARDS.values()])
    empty: str = "nothing"
    """A query that has this word has no values."""
    failing: str = "nothing"
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        if path.startswith("/api/search"):
            return 200, [{"uid": uid, "type": "dash-db"} for uid in self.listed]
        if path != "/api/ds/query":
            return 404, {"message": "not found"}
        self.asked += body["queries"]
        results = {one["refId"]: self._result(one["expr"]) for one in body["queries"]}
        return (400 if any("error" in one for one in results.values()) else 200), {"results": results}

    def _result(self, expression: str) -> dict[str, Any]:
        if self.failing in expression:
            return {"error": "parse error: unexpected character", "status": 400}
        values = [[], []] if self.empty in expression else [[1705579200000], [12.0]]
        return {"status": 200, "frames": [{"schema": {"fields": []}, "data": {"values": values}}]}


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    told = Grafana()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*told.answer(self.path, None))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(*told.answer(self.path, body))

        def _send(self, status: int, body: Any) -> None:
            # admin:secret
            if self.headers["Authorization"] != "Basic YWRtaW46c2VjcmV0":
                status, body = 401, {"message": "Invalid username or password"}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (the base class's name)
            """A test has no use for it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        told.url = f"http://127.0.0.1:{server.server_port}"
        yield told
        server.shutdown()


def up_check(
    url: str, folder: Path, *, log: str = CLEAN_LOG, password: str = "secret"
) -> subprocess.CompletedProcess[str]:
    (folder / "env").write_text(f"# a comment\nGRAFANA_ADMIN_PASSWORD={password}\n")
    (folder / "log").write_text(log)
    command = [sys.executable, str(ROOT / "tools/up_check.py"), "--grafana", url]
    command += ["--env-file", str(folder / "env"), "--log", str(folder / "log")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_stack_that_shows_everything_is_well(grafana: Grafana, tmp_path: Path) -> None:
    done = up_check(grafana.url, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "all well"
    assert "FAULT" not in done.stdout
    panels = [panel["title"] for one in DASHBOARDS.values() for panel in one["panels"] if panel.get("targets")]
    assert [line.partition(", ")[2] for line in lines if ".json, " in line] == panels


def test_every_query_of_every_panel_is_asked_with_all_variables_filled_in(grafana: Grafana, tmp_path: Path) -> None:
    up_check(grafana.url, tmp_path)
    targets = [target for one in DASHBOARDS.values() for panel in one["panels"] for target in panel.get("targets", [])]
    assert len(grafana.asked) == len(targets)
    for asked, target in zip(grafana.asked, targets, strict=True):
        assert asked["datasource"] == target["datasource"]
        assert asked["expr"] == re.sub(r"\$[a-z]+", ".*", target["expr"])


def test_a_dashboard_that_is_not_there_is_named(grafana: Grafana, tmp_path: Path) -> None:
    grafana.listed.remove("relaywatch-flight")
    done = up_check(grafana.url, tmp_path)
    assert done.returncode == 1
    assert "FAULT flight.json is not listed" in done.stdout


def test_a_fault_of_provisioning_in_the_log_is_shown(grafana: Grafana, tmp_path: Path) -> None:
    done = up_check(grafana.url, tmp_path, log=CLEAN_LOG + FAULTY_LOG)
    assert done.returncode == 1
    assert "FAULT in Grafana's log: " + FAULTY_LOG.strip() in done.stdout


def test_a_panel_without_a_value_is_named_with_its_query(grafana: Grafana, tmp_path: Path) -> None:
    grafana.empty = "relay_signal_level_dbm"
    done = up_check(grafana.url, tmp_path)
    assert done.returncode == 1
    faults = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert [fault.partition(": ")[0] for fault in faults] == [
        "FAULT flight.json, Signal level",
        "FAULT links-and-alerts.json, Signal level",
    ]
    assert all("make up PROFILE=demo" in fault for fault in faults)


def test_that_no_record_was_rejected_is_no_fault(grafana: Grafana, tmp_path: Path) -> None:
    grafana.empty = "sum by (reason)"
    done = up_check(grafana.url, tmp_path)
    assert done.returncode == 0
    assert "ok    pipeline.json, Rejected records: no record was rejected" in done.stdout


def test_a_query_that_grafana_cannot_run_is_shown_with_what_it_says(grafana: Grafana, tmp_path: Path) -> None:
    grafana.failing = "relay_worker_ready"
    done = up_check(grafana.url, tmp_path)
    assert done.returncode == 1
    assert "FAULT pipeline.json, Workers ready: parse error: unexpected character" in done.stdout


def test_a_wrong_password_is_said_to_be_one(grafana: Grafana, tmp_path: Path) -> None:
    done = up_check(grafana.url, tmp_path, password="another")
    assert done.returncode == 2
    assert "refuses the password of deploy/.env" in done.stderr


def test_a_stack_that_is_not_up_is_said_not_to_be(tmp_path: Path) -> None:
    done = up_check("http://127.0.0.1:9", tmp_path)
    assert done.returncode == 2
    assert "Is it up? make up" in done.stderr
    assert "Traceback" not in done.stderr
