"""`facegate relay-guard`: the process that owns the relay line.

It reads `[lock]` with the standard library alone: the guard loads neither pydantic nor numpy.
`facegate config` checks the same file in full.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.errors import ConfigError
from edge.relay.guard import Guard, Pulse, listening, stop_signals
from edge.relay.line import RelayLine, Wiring, lgpio_factory, mock_factory, strict_gpiod_warning
from edge.runtime.notify import Notifier

if TYPE_CHECKING:
    from edge.relay.line import Line

DEFAULT_CONFIG = Path("/etc/facegate/config.toml")


@dataclass(frozen=True, slots=True)
class LockTable:
    """The table `[lock]` of the configuration, as far as the guard needs it."""

    pin: int
    wiring: Wiring
    pin_factory: str
    chip: int | None
    max_unlock_seconds: float
    guard_socket: Path


@click.command("relay-guard")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="Configuration; the table [lock] is read.",
)
@click.option("--socket", type=click.Path(path_type=Path), help="Listen here instead of lock.guard_socket.")
@click.option("--once", is_flag=True, help="Stop when the first caller has gone (started by a program).")
@click.option("--rest", is_flag=True, help="Put the relay at rest and exit (systemd's ExecStopPost).")
@click.option("--allow-mock", is_flag=True, help='Accept pin_factory = "mock" in a service: nothing moves.')
def relay_guard(config: Path, socket: Path | None, once: bool, rest: bool, allow_mock: bool) -> None:
    """Own the relay line, in a process of its own.

    The relay falls when its time is up, when the caller dies or is silent for 500 ms, and when
    this process is told to stop. `facegate run` is the caller.

    Example: facegate relay-guard --config /etc/facegate/config.toml
    """
    table = read_lock_table(config)
    if rest:
        claim(table, allow_mock=allow_mock).close()
        return
    with stop_signals() as stop, listening(socket or table.guard_socket) as listener:
        line = claim(table, allow_mock=allow_mock)
        try:
            _announce(table)
            notifier = Notifier(os.environ)
            notifier.ready()
            guard = Guard(Pulse(line, table.max_unlock_seconds), listener, stop, _log, notifier.watchdog)
            guard.serve(once=once)
        finally:
            line.close()


def read_lock_table(path: Path) -> LockTable:
    """Return the relay's settings in `path`. Raises `ConfigError` that names the key and the rule."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["lock"]
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; see systemd/config.toml for an example") from error
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: no table [lock] can be read: {error}; run facegate config") from error
    if table.get("driver") == "dry-run":
        raise ConfigError(f'{path}: lock.driver = "dry-run" needs no guard; set it to "gpio" to move a relay')
    return _checked(path, table)


def _checked(path: Path, table: dict[str, Any]) -> LockTable:
    missing = [key for key in ("pin", "active_high", "lock_wiring") if key not in table]
    if missing:
        raise ConfigError(f"{path}: lock.{', lock.'.join(missing)} must be set: see docs/install.md")
    expected = {"pin": int, "active_high": bool, "pin_factory": str, "gpio_chip": int}
    for key, kind in expected.items():
        if key in table and type(table[key]) is not kind:
            raise ConfigError(f"{path}: lock.{key} = {table[key]!r}: must be {kind.__name__}")
    return LockTable(
        pin=table["pin"],
        wiring=Wiring(table["lock_wiring"], table["active_high"], table.get("relay_contact")),
        pin_factory=table.get("pin_factory", "lgpio"),
        chip=table.get("gpio_chip"),
        max_unlock_seconds=_cap(path, table),
        guard_socket=Path(table.get("guard_socket", "/run/facegate/relay.sock")),
    )


def _cap(path: Path, table: dict[str, Any]) -> float:
    seconds = table.get("max_unlock_seconds", 30.0)
    if not isinstance(seconds, int | float) or not 1 <= seconds <= 60:
        raise ConfigError(f"{path}: lock.max_unlock_seconds = {seconds!r}: must be 1 to 60 seconds")
    return float(seconds)


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
