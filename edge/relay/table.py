"""The table `[lock]` of the configuration, read with the standard library alone.

The guard and what puts the relay at rest after it must start fast and load little: neither
pydantic nor numpy. `facegate config` checks the same file in full.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import kept_files
from edge.errors import ConfigError
from edge.extras import placed
from edge.relay.line import Wiring


@dataclass(frozen=True, slots=True)
class LockTable:
    """What the guard needs to know of the lock."""

    pin: int
    wiring: Wiring
    pin_factory: str
    chip: int | None
    max_unlock_seconds: float
    guard_socket: Path


def read_lock_table(path: Path) -> LockTable:
    """Return the relay's settings in `path`. Raises `ConfigError` that names the key and the rule.

    Where a card that fails does not give the file they are those that the guard had before: a relay whose
    line nobody knows stays energised.
    """
    try:
        table: Any = tomllib.loads(kept_files.read(path).decode("utf-8-sig"))["lock"]
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file; see {placed('systemd/config.toml')} for an example"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: no table [lock] can be read: {error}; run facegate config") from error
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: lock = {table!r}: must be a table, [lock]; run facegate config")
    if table.get("driver") == "dry-run":
        raise ConfigError(f'{path}: lock.driver = "dry-run" needs no guard; set it to "gpio" to move a relay')
    return _checked(path, table)


def _checked(path: Path, table: dict[str, Any]) -> LockTable:
    missing = [key for key in ("pin", "active_high", "lock_wiring") if key not in table]
    if missing:
        raise ConfigError(
            f"{path}: lock.{', lock.'.join(missing)} must be set: see {placed('docs/install.md')}"
        )
    expected = {
        "pin": int,
        "gpio_chip": int,
        "active_high": bool,
        **dict.fromkeys(("pin_factory", "lock_wiring", "relay_contact", "guard_socket"), str),
    }
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
    # True is an int to Python, and would be a cap of one second.
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 1 <= seconds <= 60:
        raise ConfigError(f"{path}: lock.max_unlock_seconds = {seconds!r}: must be 1 to 60 seconds")
    return float(seconds)
