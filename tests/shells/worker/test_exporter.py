"""What a scrape sees."""

import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from pipeline import metrics
from pipeline.metrics import METRICS, Sample, births
from pipeline.shells.settings import Settings
from pipeline.shells.worker import exporter as exporter_module
from pipeline.shells.worker.exporter import Exporter, ExporterError, Server
from pipeline.shells.worker.supervisor import with_a_port
from tests.deploy.tools import tool


@pytest.fixture
def exporter() -> Exporter:
    made = Exporter()
    made.bear([*births("worker"), *births("link", "rover-a"), *births("vehicle", "ingenuity")])
    return made


@pytest.fixture
def state() -> dict[str, str]:
    return {"live": "", "ready": "not ready: state of links is being read back"}


@pytest.fixture
def server(exporter: Exporter, state: dict[str, str]) -> Iterator[Server]:
    running = exporter.serve("127.0.0.1", 0, live=lambda: state["live"], ready=lambda: state["ready"])
    yield running
    running.close()


def get(server: Server, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_every_series_is_there_at_0_before_the_first_record(server: Server) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    for metric in METRICS:
        assert f"# HELP {metric.name} " in text
    assert 'relay_frames_total{disposition="bad",link="rover-a",origin="live",reason="fecf"} 0.0' in text
    assert 'relay_records_rejected_total{reason="program_fault"} 0.0' in text
    assert 'relay_batch_records_bucket{le="200.0",stage="watch"} 0.0' in text
    assert "_created" not in text
    # What is not known has no series.
    assert not [line for line in text.splitlines() if line.startswith(("relay_altitude_meters", "relay_flight_info"))]


def test_a_counter_goes_up_by_its_samples_and_a_gauge_becomes_them(exporter: Exporter, server: Server) -> None:
    for value in (2, 3):
        exporter.apply([
            Sample(metrics.LATE, ("rover-a", "live"), value), Sample(metrics.MISSING, ("ingenuity", "live"), value),
        ])  # fmt: skip
    text = get(server, "/metrics")[1]
    assert 'relay_frames_late_total{link="rover-a",origin="live"} 5.0' in text
    assert 'relay_frames_missing{origin="live",vehicle="ingenuity"} 3.0' in text


def test_what_is_shown_of_a_vehicle_is_what_was_given_last_and_nothing_else(exporter: Exporter, server: Server) -> None:
    def flight(name: str) -> Sample:
        return Sample(metrics.FLIGHT_INFO, ("ingenuity", name, "live"), 1)

    exporter.show("ingenuity/live", [flight("71"), Sample(metrics.ALTITUDE, ("ingenuity", "live"), 12)])
    exporter.show("ingenuity/replay", [Sample(metrics.ALTITUDE, ("ingenuity", "replay"), 7)])
    exporter.show("ingenuity/live", [flight("72")])
    text = get(server, "/metrics")[1]
    assert 'relay_flight_info{flight="72",origin="live",vehicle="ingenuity"} 1.0' in text
    assert 'flight="71"' not in text
    assert 'relay_altitude_meters{origin="live"' not in text
    assert 'relay_altitude_meters{origin="replay",vehicle="ingenuity"} 7.0' in text
    exporter.show("ingenuity/live", [])
    assert 'origin="live",vehicle="ingenuity"} 1.0' not in get(server, "/metrics")[1]


def test_promtool_finds_no_fault_in_any_metric(exporter: Exporter, server: Server) -> None:
    """With every series that can be absent there too. Exit status 3 where a name is against the conventions."""
    for one in METRICS:
        exporter.apply([Sample(one, tuple(f"a {label}" for label in one.labels), 1)])
    page = get(server, "/metrics")[1]
    subprocess.run([tool("promtool"), "check", "metrics"], input=page, text=True, check=True, timeout=30)


def test_ready_says_why_not(server: Server, state: dict[str, str]) -> None:
    assert get(server, "/ready") == (503, "not ready: state of links is being read back\n")
    state["ready"] = ""
    assert get(server, "/ready") == (200, "ready\n")
    assert get(server, "/live") == (200, "live\n")
    assert get(server, "/") == (404, "there is /metrics, /live, /ready\n")


def test_a_client_that_says_nothing_or_no_http_leaves_no_trace_in_the_log(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exporter_module._SilentHandler, "timeout", 0.2)
    for said in (b"", b"GET /live", b"\x16\x03\x01\x02\x00\x01", b"GET /" + b"a" * 70_000 + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), 10) as client:
            client.settimeout(10)
            client.sendall(said)
            with suppress(ConnectionResetError):
                while client.recv(4096):  # until the server has had enough
                    pass
    assert get(server, "/live") == (200, "live\n")
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_one_clear_line(exporter: Exporter, server: Server) -> None:
    with pytest.raises(ExporterError, match=rf"cannot be served at 127\.0\.0\.1:{server.port}: .*--metrics-port"):
        exporter.serve("127.0.0.1", server.port, live=str, ready=str)


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_that_is_not_of_this_machine_is_one_clear_line(exporter: Exporter, host: str) -> None:
    settings = with_a_port(Settings(metrics_host=host, metrics_port=0))
    with pytest.raises(ExporterError, match=r"Choose an address of this machine with --metrics-host"):
        exporter.serve(settings.metrics_host, settings.metrics_port, live=str, ready=str)


def test_nobody_on_another_address_reaches_it_unless_it_is_told_so() -> None:
    """All of 127.0.0.0/8 is this machine: another address of it stands for the network."""
    assert Settings().metrics_host == "127.0.0.1"
    assert not _answers_elsewhere("127.0.0.1")
    assert _answers_elsewhere("0.0.0.0")


def _answers_elsewhere(host: str) -> bool:
    server = Exporter().serve(host, 0, live=str, ready=str)
    try:
        socket.create_connection(("127.0.0.2", server.port), 5).close()
    except ConnectionRefusedError:
        return False
    finally:
        server.close()
    return True
