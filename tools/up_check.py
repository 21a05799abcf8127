"""Asks a running Grafana whether the dashboards are there and show something:  make up-check

Every dashboard is listed, Grafana's log has no fault of provisioning, and each query of each panel has a value in the
last hour. Needs nothing but Python. The exit status is 0 where all is well, 1 where it is not, and 2 where Grafana or
its log cannot be asked.
"""

import argparse
import base64
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
DASHBOARDS: Final = ROOT / "deploy/grafana/dashboards"
PASSWORD: Final = "GRAFANA_ADMIN_PASSWORD"
MAY_BE_EMPTY: Final = {"Rejected records": "no record was rejected"}
"""Panels that show nothing while all is well."""
NOTHING_YET: Final = "nothing in the last hour; with the demo there is: make up PROFILE=demo, then wait for a lap"


class CannotAskError(Exception):
    """Grafana or its log does not answer."""


@dataclass(frozen=True)
class Finding:
    is_fault: bool
    text: str


@dataclass(frozen=True)
class Grafana:
    url: str
    password: str

    def ask(self, path: str, body: object = None) -> Any:
        """What it answers, as JSON. Raises CannotAskError."""
        login = base64.b64encode(f"admin:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as fault:
            with fault:
                text = fault.read().decode(errors="replace")
            if fault.code == 401:
                raise CannotAskError(
                    f"{self.url} refuses the password of deploy/.env; Grafana keeps the one of its first start"
                ) from None
            if fault.code in (400, 500):  # a query that failed: the answer says why
                try:
                    return json.loads(text)
                except ValueError:
                    pass
            raise CannotAskError(f"{self.url}{path} answers {fault.code}: {text:.200}") from None
        except (OSError, ValueError) as fault:
            raise CannotAskError(f"{self.url}{path}: {fault}. Is it up? make up") from None


def check(grafana: Grafana, log: str) -> Iterator[Finding]:
    """Everything that there is to say, in the order in which it is looked at. Raises CannotAskError."""
    dashboards = {file.name: json.loads(file.read_text()) for file in sorted(DASHBOARDS.glob("*.json"))}
    listed = {one["uid"] for one in grafana.ask("/api/search?type=dash-db")}
    for name, dashboard in dashboards.items():
        is_there = dashboard["uid"] in listed
        yield Finding(not is_there, f"{name} is {'' if is_there else 'not '}listed")
    faults = [line for line in log.splitlines() if "logger=provisioning" in line and re.search("level=error", line)]
    for line in faults:
        yield Finding(True, f"in Grafana's log: {line.strip():.300}")
    if not faults:
        yield Finding(False, "no fault of provisioning in Grafana's log")
    for name, dashboard in dashboards.items():
        for panel in dashboard["panels"]:
            if panel.get("targets"):
                yield _panel(grafana, f"{name}, {panel['title']}", panel)


def _panel(grafana: Grafana, where: str, panel: dict[str, Any]) -> Finding:
    """Whether every query of a panel has a value in the last hour, with all variables at "All"."""
    questions = [
        {
            "refId": target["refId"], "datasource": target["datasource"], "expr": _with_all(target["expr"]),
            "range": True, "instant": False, "intervalMs": 15_000, "maxDataPoints": 240,
        }
        for target in panel["targets"]
    ]  # fmt: skip
    answer = grafana.ask("/api/ds/query", {"queries": questions, "from": "now-1h", "to": "now"})
    results = answer.get("results", {})
    for question in questions:
        result = results.get(question["refId"], {"error": answer.get("message", "no answer")})
        if result.get("error"):
            return Finding(True, f"{where}: {result['error']:.300} ({question['expr']})")
        if not any(_has_values(frame) for frame in result.get("frames", [])):
            reason = MAY_BE_EMPTY.get(panel["title"])
            return Finding(reason is None, f"{where}: {reason or NOTHING_YET} ({question['expr']})")
    return Finding(False, where)


def _with_all(expression: str) -> str:
    """Grafana fills in its own variables, those that begin with two underscores."""
    return re.sub(r"\$(?!__)\w+", ".*", expression)


def _has_values(frame: dict[str, Any]) -> bool:
    columns = frame.get("data", {}).get("values", [])
    return any(value is not None for column in columns[1:] for value in column)


def _password(file: Path) -> str:
    try:
        found = re.search(rf"^{PASSWORD}=(.+)$", file.read_text(), re.MULTILINE)
    except OSError as fault:
        raise CannotAskError(f"{file}: {fault.strerror}; see deploy/example.env") from None
    if found is None:
        raise CannotAskError(f"{file} has no {PASSWORD}; see deploy/example.env")
    return found[1].strip().strip("'\"")


def _log(file: Path | None) -> str:
    if file is not None:
        return file.read_text()
    command = ["docker", "compose", "--env-file", "deploy/.env", "logs", "--no-color", "--no-log-prefix", "grafana"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise CannotAskError(f"Grafana's log cannot be read: {fault}. Give it as a file: --log FILE") from None
    if done.returncode != 0:
        raise CannotAskError(f"Grafana's log cannot be read: {done.stderr.strip()}. Give it as a file: --log FILE")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Asks a running Grafana whether the dashboards are there and show something.",
        epilog="example: make up PROFILE=demo && make up-check",
    )
    parser.add_argument("--grafana", default="http://127.0.0.1:3000", metavar="URL", help="(default: %(default)s)")
    parser.add_argument("--env-file", type=Path, default=ROOT / "deploy/.env", metavar="FILE", help="has the password")
    parser.add_argument("--log", type=Path, metavar="FILE", help="Grafana's log; default: asked of docker compose")
    given = parser.parse_args()
    faults = 0
    try:
        for finding in check(Grafana(given.grafana, _password(given.env_file)), _log(given.log)):
            print("FAULT" if finding.is_fault else "ok   ", finding.text, flush=True)
            faults += finding.is_fault
    except CannotAskError as fault:
        print(fault, file=sys.stderr)
        return 2
    print(f"{faults} faults" if faults else "all well")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
