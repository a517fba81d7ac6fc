"""`facegate relay-guard`: the process that owns the relay line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.errors import ConfigError
from edge.relay.guard import Guard, Pulse, listening, stop_signals
from edge.relay.line import RelayLine, lgpio_factory, mock_factory, strict_gpiod_warning
from edge.relay.rest import rest_line
from edge.relay.table import LockTable, read_lock_table
from edge.runtime.notify import Notifier

if TYPE_CHECKING:
    from edge.relay.line import Line

DEFAULT_CONFIG = Path("/etc/facegate/config.toml")


@click.command("relay-guard")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="Configuration; the table [lock] is read.",
)
@click.option("--socket", type=click.Path(path_type=Path), help="Listen here instead of lock.guard_socket.")
@click.option("--rest", is_flag=True, help="Put the relay at rest and exit.")
@click.option("--allow-mock", is_flag=True, help='Accept pin_factory = "mock" in a service: nothing moves.')
def relay_guard(config: Path, socket: Path | None, rest: bool, allow_mock: bool) -> None:
    """Own the relay line, in a process of its own.

    The relay falls when its time is up, when the caller dies or is silent for 500 ms, and when
    this process is told to stop. `facegate run` is the caller.

    Example: facegate relay-guard --config /etc/facegate/config.toml
    """
    table = read_lock_table(config)
    if rest:
        rest_line(table)
        return
    with stop_signals() as stop, listening(socket or table.guard_socket) as listener:
        line = claim(table, allow_mock=allow_mock)
        try:
            _announce(table)
            notifier = Notifier(os.environ)
            notifier.ready()
            guard = Guard(Pulse(line, table.max_unlock_seconds), listener, stop, _log, notifier.watchdog)
            guard.serve()
        finally:
            line.close()


def claim(table: LockTable, *, allow_mock: bool = False) -> Line:
    """Return the relay line of `table`, claimed at rest. Raises `LockError` or `ConfigError`."""
    if table.pin_factory == "mock":
        factory = mock_factory(os.environ, allow_in_service=allow_mock)
    elif table.pin_factory == "lgpio":
        factory = lgpio_factory(table.chip)
    else:
        raise ConfigError(f"lock.pin_factory = {table.pin_factory!r}: must be lgpio or mock")
    return RelayLine.claim(table.pin, table.wiring, factory)


def _announce(table: LockTable) -> None:
    _log(f"GPIO{table.pin} at rest; {table.wiring}; never longer than {table.max_unlock_seconds:g} s")
    warning = strict_gpiod_warning()
    if warning is not None:
        _log(f"WARNING: {warning}")


def _log(text: str) -> None:
    click.echo(f"relay-guard: {text}", err=True)
