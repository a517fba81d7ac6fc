"""A page for Prometheus: a collector's metrics over HTTP. Needs the extra `metrics`."""

from __future__ import annotations

import socket
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector


MOST_READERS = 8
"""At once: one Prometheus, its twin, and people who look. Who comes then is turned away."""

SILENT_SECONDS = 5.0


class MetricsPage:
    """Serves a collector at `http://HOST:PORT/metrics` until `close`. Raises `OSError`.

    `listen` is `host:port`; port 0 takes a free one, found in `port`. The process's own memory, CPU
    time and open files are added.
    """

    def __init__(self, listen: str, *collectors: Collector) -> None:
        host, _, port = listen.rpartition(":")
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        for collector in collectors:
            registry.register(collector)
        self._server = make_server(
            host.strip("[]"),
            int(port),
            make_wsgi_app(registry),
            _SixServer if ":" in host else _Server,
            _Handler,
        )
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._free = threading.BoundedSemaphore(MOST_READERS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        # The thread that answers gives the place back.
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: a client that left or stalled is not an error of the door."""


class _SixServer(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = SILENT_SECONDS

    def log_message(self, *_: object) -> None:
        """Log no request."""


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a gauge without labels."""
    return GaugeMetricFamily(name, text, value)


def one_of(name: str, text: str, label: str, words: Iterable[str], holds: Iterable[str]) -> Metric:
    """Return a gauge that is 1 for each word that holds and 0 for the others."""
    family, now = GaugeMetricFamily(name, text, labels=[label]), set(holds)
    for word in words:
        family.add_metric([str(word)], float(str(word) in now))
    return family
