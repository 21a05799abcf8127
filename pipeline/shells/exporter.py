"""/metrics, /live and /ready over HTTP, in a thread of their own: they answer while the event loop works. Knows
prometheus-client; what is measured comes as samples (`pipeline.metrics`), what is ready is asked of the worker."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, make_wsgi_app
from prometheus_client.metrics import MetricWrapperBase

from pipeline.errors import RelayWatchError
from pipeline.metrics import METRICS, Metric, Sample

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
        self._series = {metric.name: _series(metric, self.registry) for metric in METRICS}
        self._children: dict[tuple[str, tuple[str, ...]], Any] = {}
        """(metric, labels) → its series: `labels()` costs more than the counting."""

    def apply(self, samples: Iterable[Sample]) -> None:
        """Counters go up by the sample, gauges become it."""
        for sample in samples:
            key = sample.metric.name, sample.labels
            child = self._children.get(key)
            if child is None:
                series: Any = self._series[sample.metric.name]
                child = self._children[key] = series.labels(*sample.labels) if sample.labels else series
            if sample.metric.kind == "counter":
                child.inc(sample.value)
            else:
                child.set(sample.value)

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
            raise ExporterError(
                f"{_PATHS} cannot be served at {host}:{port}: {fault}. Choose another with --metrics-port "
                "(RELAYWATCH_METRICS_PORT), 0 for any free one"
            ) from None
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


def _series(metric: Metric, registry: CollectorRegistry) -> MetricWrapperBase:
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(metric.name, metric.help, metric.labels, registry=registry)


def _answer(start_response: Any, status: str, text: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _SilentHandler(WSGIRequestHandler):
    timeout = 10
    """Seconds a client may take to ask."""

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (the base class's name)
        """Every scrape would be a line in the log."""
