"""/metrics, /live and /ready over HTTP, in a thread of their own: they answer while the event loop works. Knows
prometheus-client; what is measured comes as samples (`pipeline.metrics`), what is ready is asked of the worker."""

import errno
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, make_wsgi_app
from prometheus_client.metrics import MetricWrapperBase

from pipeline.errors import RelayWatchError
from pipeline.metrics import METRICS, Metric, Sample, Series

Check = Callable[[], str]
"""Why not; empty: all is well."""
_PATHS: Final = "/metrics, /live, /ready"


class ExporterError(RelayWatchError):
    """The port of the exporter cannot be used."""


class Exporter:
    """The samples of one process, and the server that shows them."""

    def __init__(self) -> None:
        # Without: a second series a counter, which says when this process began to count.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._metrics = {metric.name: _metric(metric, self.registry) for metric in METRICS}
        self._series: dict[tuple[str, tuple[str, ...]], Any] = {}
        """(metric, labels) → its series: `labels()` costs more than the counting."""
        self._shown: dict[str, set[tuple[str, tuple[str, ...]]]] = {}

    def bear(self, series: Iterable[Series]) -> None:
        """From now on they are there: at 0, where nothing was measured yet."""
        for metric, labels in series:
            self._of(metric, labels)

    def apply(self, samples: Iterable[Sample]) -> None:
        """Counters go up by the sample, gauges become it, histograms count it where it belongs."""
        for metric, labels, value in samples:
            one = self._of(metric, labels)
            if metric.kind == "counter":
                one.inc(value)
            elif metric.kind == "gauge":
                one.set(value)
            else:
                one.observe(value)

    def show(self, scope: str, samples: Iterable[Sample]) -> None:
        """The gauges of one link or vehicle, all of them: what was shown of it before and is not among them goes."""
        before, shown = self._shown.get(scope, set()), set()
        for metric, labels, value in samples:
            self._of(metric, labels).set(value)
            shown.add((metric.name, labels))
        for name, labels in before - shown:
            del self._series[name, labels]
            self._metrics[name].remove(*labels)
        self._shown[scope] = shown

    def _of(self, metric: Metric, labels: tuple[str, ...]) -> Any:
        found = self._series.get((metric.name, labels))
        if found is None:
            whole: Any = self._metrics[metric.name]
            found = self._series[metric.name, labels] = whole.labels(*labels) if labels else whole
        return found

    def serve(self, host: str, port: int, *, live: Check, ready: Check) -> "Server":
        """Raises ExporterError where the address cannot be had; port 0 takes any free one."""
        metrics_page: Any = make_wsgi_app(self.registry)
        checks = {"/live": live, "/ready": ready}

        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "/")
            if path == "/metrics":
                page: Iterable[bytes] = metrics_page(environ, start_response)
                return page
            check = checks.get(path)
            if check is None:
                return _answer(start_response, "404 Not Found", f"there is {_PATHS}")
            reason = check()
            status = "503 Service Unavailable" if reason else "200 OK"
            return _answer(start_response, status, reason or path.removeprefix("/"))

        try:
            httpd = make_server(host, port, application, _ThreadingServer, _SilentHandler)
        except (OSError, OverflowError) as fault:
            is_taken = isinstance(fault, OSError) and fault.errno in (errno.EADDRINUSE, errno.EACCES)
            instead = (
                "another port with --metrics-port (RELAYWATCH_METRICS_PORT), 0 for any free one"
                if is_taken
                else "an address of this machine with --metrics-host (RELAYWATCH_METRICS_HOST)"
            )
            raise ExporterError(f"{_PATHS} cannot be served at {host}:{port}: {fault}. Choose {instead}") from None
        return Server(httpd)


@dataclass(slots=True)
class Server:
    """The HTTP server in its thread."""

    httpd: WSGIServer

    def __post_init__(self) -> None:
        threading.Thread(target=self.httpd.serve_forever, name="exporter", daemon=True).start()

    @property
    def port(self) -> int:
        return self.httpd.server_port

    def close(self) -> None:
        self.httpd.shutdown()
        self.httpd.server_close()


def _metric(metric: Metric, registry: CollectorRegistry) -> MetricWrapperBase:
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(metric.name, metric.help, metric.labels, registry=registry)


def _answer(start_response: Any, status: str, text: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that says nothing, or goes away, is no event: it would be a traceback in the log."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _SilentHandler(WSGIRequestHandler):
    timeout = 10
    """Seconds a client may take to ask."""

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (the base class's name)
        """Every scrape would be a line in the log."""
