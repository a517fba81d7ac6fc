"""`facegate hub run` and `worker`: the processes that serve the doors."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from edge.errors import ConfigError
from edge.extras import way_to_install
from edge.runtime.log_limit import set_up_log
from edge.runtime.stop_signals import stop_on_signals
from edge.site.provision import Site
from facegate_hub.cli.attached import attached_option, is_left_alone
from facegate_hub.crew import Crew, launcher
from facegate_hub.service import EventWorker, Hub, broker_settings, community_came
from facegate_hub.signer.child import SignerChild

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMUNITY_SECONDS = 10.0
"""Between two looks for a community that was not there when the hub began."""


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(0, 64),
    default=0,
    show_default=True,
    help="Processes that store events; 0: this one. Each needs `facegate provision worker`.",
)
@click.option("--share", help="Name of the workers' group at the broker; default: the site's secret one.")
@click.option("--keep-days", type=click.FloatRange(min=1), help="Delete older events every day.")
@click.option("--metrics", metavar="HOST:PORT", help="Serve numbers to Prometheus, such as 127.0.0.1:9465.")
@click.pass_obj
def run(
    place: tuple[Path, str], workers: int, share: str | None, keep_days: float | None, metrics: str | None
) -> None:
    """Serve the doors until stopped; starts the signer, too, where none runs and the key may be read.

    Example: facegate hub run --workers 3
    """
    broker_settings(place[0])  # a folder that is no site is told before anything is made in it
    ended = _ended_by_a_signal()
    with ExitStack() as stack:
        signing = SignerChild(place[0])
        stack.callback(signing.stop)
        signing.start()
        while not ended.is_set():  # once more when the community has come
            _run(place, (workers, share), keep_days, metrics, ended)


def _run(
    place: tuple[Path, str],
    crew_of: tuple[int, str | None],
    keep_days: float | None,
    metrics: str | None,
    ended: threading.Event,
) -> None:
    workers, share = crew_of
    service = Hub(*place, stores_events=not workers, keep_days=keep_days)
    if workers and share is None:
        Site(place[0]).share(make=True)
    crew = Crew(workers, launcher(*place, share))
    with ExitStack() as stack:
        if metrics is not None:
            stack.callback(_publish(service, metrics))
        crew.start()
        _serve(service, "hub running", ended, until=_community(service, place[0]))
        crew.stop()


def _community(service: Hub, folder: Path) -> Callable[[], bool]:
    """Return what tells that a hub which began without the community is to begin anew, with it."""
    look_at = time.monotonic() + COMMUNITY_SECONDS

    def has_come() -> bool:
        nonlocal look_at
        if service.has_community or time.monotonic() < look_at:
            return False
        look_at = time.monotonic() + COMMUNITY_SECONDS
        if came := community_came(folder):
            click.echo("the community is there: the hub begins anew with it")
        return came

    return has_come


@click.command()
@click.argument("number", type=click.IntRange(1, 999))
@click.option("--share", help="Name of the workers' group at the broker; default: the site's secret one.")
@attached_option
@click.pass_obj
def worker(place: tuple[Path, str], number: int, share: str | None, attached: int | None) -> None:
    """Store events, one of several that divide them; beside `hub run --workers`, or on another machine.

    Example: facegate hub worker 4
    """
    ended = _ended_by_a_signal()
    _serve(EventWorker(*place, number, share), f"worker {number} running", ended, attached)


def _publish(service: Hub, listen: str) -> Callable[[], None]:
    """Serve the hub's metrics and return what ends that. Raises `ConfigError`."""
    try:
        from edge.runtime.metrics_page import MetricsPage
        from facegate_hub.metrics import HubCollector

        ingest = service.ingest.status if service.ingest else None
        collector = HubCollector(
            service.engine, service.roster.state, service.client.status, ingest, service.waiting
        )
        return MetricsPage(listen, collector).close
    except ImportError as error:
        raise ConfigError(f"--metrics needs a package; {way_to_install('metrics')}") from error
    except (OSError, OverflowError, ValueError) as error:
        raise ConfigError(f"--metrics {listen}: {error}; give HOST:PORT with a port that is free") from error


def _ended_by_a_signal() -> threading.Event:
    """Return what a signal to end sets; first of all, so that one during the start leaves no child behind."""
    ended = threading.Event()
    stop_on_signals(ended, signal.SIGTERM, signal.SIGINT)
    return ended


def _serve(
    service: Hub | EventWorker,
    said: str,
    ended: threading.Event,
    attached: int | None = None,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Serve until `ended` is set, whoever started us is gone, or `until` says so."""
    set_up_log(with_time=True)
    service.start()
    click.echo(said)
    while not is_left_alone(attached) and not ended.wait(1.0) and not until():
        pass
    service.stop()
