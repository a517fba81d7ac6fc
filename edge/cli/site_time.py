"""The option `--zone`: the time zone in which a command tells times."""

from __future__ import annotations

import tomllib
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from edge.sheet_cells import moment_in, needs_zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

F = TypeVar("F", bound="Callable[..., Any]")

SETTINGS = Path("/etc/facegate/config.toml")
"""Where an installed door has its settings (systemd/)."""


def zone_option(command: F) -> F:
    """Add `--zone NAME`; the command gets a `zone`, None for this machine's own.

    Without the option it is `door.timezone` of the installed door, where there is one.
    """
    return click.option(
        "--zone",
        callback=_named,
        is_eager=True,  # before times that are typed in it
        metavar="NAME",
        help=f"Tell times in this zone, such as Asia/Shanghai.  [default: {SETTINGS}, else this machine's]",
    )(command)


def clock_time(at: datetime, zone: tzinfo | None) -> str:
    """Return a moment as the clocks of `zone` (None: this machine's) showed it, to the millisecond."""
    return at.astimezone(zone).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def typed_time(text: str, zone: tzinfo | None) -> datetime:
    """Return the moment that somebody typed, as lists have it: 2026/12/1, 2026年12月1日 18:00 or an ISO time.

    Without a zone of its own it is one of `zone`, None: this machine's. Raises ValueError, `OverflowError`.
    """
    at = moment_in(text, zone or UTC, is_end=False)
    return at if zone is not None or not needs_zone(text) else at.replace(tzinfo=None).astimezone()


def _named(ctx: click.Context, param: click.Parameter, name: str | None) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else door_zone()
    except (ZoneInfoNotFoundError, ValueError):
        rule = "no such time zone; an IANA name such as Asia/Shanghai"
        raise click.BadParameter(f"{name}: {rule}", ctx, param) from None


def door_zone() -> tzinfo | None:
    """Return the installed door's zone; None where there is no door, or its file cannot be read."""
    try:
        return ZoneInfo(tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["door"]["timezone"])
    except (OSError, ValueError, KeyError, TypeError, ZoneInfoNotFoundError):
        return None
