"""Alertmanager's configuration: amtool says where an alert goes, a real Alertmanager what it mutes."""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import yaml

from pipeline.metrics import ORIGINS, SEVERITIES
from tests.build import root
from tests.deploy.tools import Service, alertmanager, free_ports, run, tool

CONFIG: Final = root() / "deploy/alertmanager/alertmanager.yml"
READ: Final[dict[str, Any]] = yaml.safe_load(CONFIG.read_text())
RECEIVERS: Final[dict[str, dict[str, Any]]] = {one["name"]: one for one in READ["receivers"]}
LIVE: Final = {"critical": "page", "warning": "inform", "notice": "show", "info": "show"}


def receiver_of(**labels: str) -> str:
    words = [f"{name}={value}" for name, value in labels.items()]
    return run("amtool", "config", "routes", "test", f"--config.file={CONFIG}", *words).strip()


def test_amtool_accepts_the_configuration() -> None:
    run("amtool", "check-config", str(CONFIG))


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_only_live_pages(origin: str, severity: str) -> None:
    of_incident = {"alertname": "EndedBeforeLanding", "vehicle": "v", "origin": origin, "severity": severity}
    assert receiver_of(**of_incident) == (LIVE[severity] if origin == "live" else "replays")


@pytest.mark.parametrize("severity", SEVERITIES)
def test_an_alert_of_the_pipeline_goes_by_its_severity(severity: str) -> None:
    assert receiver_of(alertname="WorkerDown", instance="a", severity=severity) == LIVE[severity]


def test_what_nobody_thought_of_pages() -> None:
    assert receiver_of(alertname="SomethingElse") == "page"
    assert receiver_of(alertname="SomethingElse", severity="fatal", origin="live") == "page"


def test_every_receiver_is_reached_and_those_that_only_show_call_nobody() -> None:
    assert set(RECEIVERS) == {*LIVE.values(), "replays"}
    silent = {name for name, receiver in RECEIVERS.items() if list(receiver) == ["name"]}
    assert silent == {"show", "replays"}


def test_there_is_no_secret_in_it() -> None:
    urls = [hook["url"] for one in RECEIVERS.values() for hook in one.get("webhook_configs", [])]
    assert len(urls) == 2
    assert all(re.fullmatch(r"http://pager:\d+/\w+", url) for url in urls)
    assert not re.search(r"password|token|credentials", CONFIG.read_text())


Labels = Mapping[str, str]


def incident(name: str, severity: str, vehicle: str = "v", origin: str = "live") -> Labels:
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return {"alertname": name, "type": kind, "severity": severity, "vehicle": vehicle, "origin": origin}


EBL: Final = incident("EndedBeforeLanding", "critical")
NO_WORKER: Final = {"alertname": "NoWorker", "severity": "critical", "job": "relaywatch"}
WORKER_DOWN: Final = {"alertname": "WorkerDown", "severity": "warning", "job": "relaywatch", "instance": "a"}
STALLED: Final = {"alertname": "ProgressStalled", "severity": "critical", "stage": "watch", "instance": "a"}
WATERMARK: Final = {"alertname": "WatermarkStalled", "severity": "warning", "link": "x", "origin": "live"}
LAG: Final = {"alertname": "ConsumerLagGrowing", "severity": "warning", "topic": "telemetry"}
OUTAGE: Final = incident("RelayOutage", "warning")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With the shipped inhibitions; its notifications go nowhere."""
    tool("prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    config = {**READ, "receivers": [{"name": name} for name in RECEIVERS]}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    [port] = free_ports(1)
    with alertmanager(folder / "alertmanager.yml", port, folder) as service:
        yield service


def muted(running: Service, alerts: list[Labels], case: str) -> list[Labels]:
    """Those of the alerts that the others mute. Alertmanager learns of them in the order in which they are posted: when
    the pair of this case's own, which comes last, is mute, all are known."""
    pair = [incident("EndedBeforeLanding", "critical", case), incident("LinkDegraded", "warning", case)]
    posted = [*alerts, *pair]
    since = time.time()
    _post(running, posted, since, since + 600)
    deadline = time.monotonic() + 20
    while True:
        there = {frozenset(one["labels"].items()): one["status"] for one in running.get("/api/v2/alerts")}
        mute = [one for one in posted if there.get(frozenset(one.items()), {}).get("inhibitedBy")]
        if pair[1] in mute and all(frozenset(one.items()) in there for one in posted):
            break
        assert time.monotonic() < deadline, there
        time.sleep(0.1)
    _post(running, posted, since, time.time())
    return mute[:-1]


def _post(running: Service, alerts: list[Labels], since: float, until: float) -> None:
    body = [{"labels": one, "startsAt": _rfc3339(since), "endsAt": _rfc3339(until)} for one in alerts]
    running.post("/api/v2/alerts", body)


def _rfc3339(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


@pytest.mark.parametrize(
    "alerts, expected",
    [
        pytest.param(
            [EBL, incident("EndedBeforeLanding", "notice"), incident("EndedBeforeLanding", "warning")],
            [incident("EndedBeforeLanding", "notice"), incident("EndedBeforeLanding", "warning")],
            id="a-severity-mutes-the-lower-ones-of-the-same-incident",
        ),
        pytest.param(
            [EBL, incident("EndedBeforeLanding", "warning", vehicle="w"), incident("ClockStep", "warning")],
            [],
            id="and-no-other-vehicle-and-no-other-type",
        ),
        pytest.param(
            [EBL, *(incident(one, "warning") for one in ("LinkDegraded", "DataSilent", "SourceStuck"))],
            [incident(one, "warning") for one in ("LinkDegraded", "DataSilent", "SourceStuck")],
            id="the-end-of-a-transmission-mutes-what-led-to-it",
        ),
        pytest.param(
            [EBL, incident("LinkDegraded", "warning", "w"), incident("LinkDegraded", "warning", origin="replay")],
            [],
            id="of-the-same-vehicle-and-origin-only",
        ),
        pytest.param(
            [incident("EndedBeforeLanding", "notice"), incident("LinkDegraded", "warning")],
            [],
            id="an-expected-end-mutes-nothing",
        ),
        pytest.param(
            [{**EBL, "mission": "one"}, {**incident("LinkDegraded", "warning"), "mission": "two"}],
            [],
            id="of-the-same-mission-only",
        ),
        pytest.param([STALLED, WATERMARK, LAG], [WATERMARK, LAG], id="a-stage-that-stands-still-mutes-what-waits"),
        pytest.param(
            [NO_WORKER, WORKER_DOWN, EBL, STALLED, OUTAGE, WATERMARK],
            [WATERMARK],
            id="a-worker-that-is-down-is-never-muted-and-mutes-nothing",
        ),
    ],
)
def test_the_one_mutes_the_many(
    running: Service, request: pytest.FixtureRequest, alerts: list[Labels], expected: list[Labels]
) -> None:
    assert muted(running, alerts, request.node.name) == expected


def test_no_inhibition_names_the_worker_or_everything_critical() -> None:
    for rule in READ["inhibit_rules"]:
        assert "Worker" not in str(rule)
        assert any(matcher.startswith(("alertname", "type")) for matcher in rule["target_matchers"])
