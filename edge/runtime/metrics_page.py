"""A page for Prometheus: a collector's metrics over HTTP. Needs the extra `metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector


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
        self._server, self._thread = start_http_server(int(port), host.strip("[]"), registry)
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a gauge without labels."""
    return GaugeMetricFamily(name, text, value)


def one_of(name: str, text: str, label: str, words: Iterable[str], holds: Iterable[str]) -> Metric:
    """Return a gauge that is 1 for each word that holds and 0 for the others."""
    family, now = GaugeMetricFamily(name, text, labels=[label]), set(holds)
    for word in words:
        family.add_metric([str(word)], float(str(word) in now))
    return family
