"""`facegate hub staff`: what the front desk does: see events as they come, open a door."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from edge.errors import SyncError
from edge.lazy_group import ToldGroup
from edge.wire.commands import CommandType
from facegate_hub.clerk import DATABASE_FAILS, said
from facegate_hub.cli.options import by_option, last_option
from facegate_hub.orders import WAITING
from facegate_hub.sheets import COLUMNS
from facegate_hub.signer.rights import GROUP
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from facegate_hub.reading import News, StoredEvent

LOOK_SECONDS = 0.5
FAILING_SECONDS = 5.0
WIDTHS = (16, 7, 27, 24, 16, 0)
"""Of the columns of the table, as wide as their usual content."""


@click.group(cls=ToldGroup)
def staff() -> None:
    """Work at the front desk.

    Example: facegate hub staff open front
    """


@staff.command()
@click.option("--follow", "-f", is_flag=True, help="Keep printing as events arrive.")
@last_option(20, "How many to begin with.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def watch(place: tuple[Path, str], follow: bool, last: int, as_json: bool) -> None:
    """Show the doors' last events, oldest first, and new ones as they are stored.

    Example: facegate hub staff watch --follow
    """
    with closing(Staff(*place)) as desk:
        news = desk.news()
        for event in desk.latest(last):
            _show(event, as_json)
        while follow:
            for event in _looked(news):
                _show(event, as_json)
            time.sleep(LOOK_SECONDS)


def _looked(news: News) -> list[StoredEvent]:
    """Return what is new; nothing while the database fails, which is told: it comes with a later look."""
    try:
        return news.look()
    except DATABASE_FAILS as error:
        click.echo(f"the database fails ({said(error)}); events are shown once it works", err=True)
        time.sleep(FAILING_SECONDS)
        return []


@staff.command(name="open")
@click.argument("doors", nargs=-1, required=True, metavar="DOOR...")
@click.option("--seconds", type=click.FloatRange(1, 30), help="How long; default: the door's own setting.")
@by_option
@click.pass_obj
def open_(place: tuple[Path, str], doors: tuple[str, ...], seconds: float | None, by: str) -> None:
    """Open doors or groups of doors from here and say what physically came of it.

    Example: facegate hub staff open front --by "Front desk"
    """
    give(place, doors, CommandType.UNLOCK, by, {"seconds": seconds} if seconds else {})


def give(
    place: tuple[Path, str], doors: Sequence[str], kind: CommandType, by: str, args: dict[str, Any]
) -> None:
    """Give doors and groups a command, and print each answer as it comes. Raises for any that failed."""
    with closing(Staff(*place)) as desk:
        if len(doors) == 1 and not doors[0].startswith(GROUP):
            text = desk.command(doors[0], kind, by, args)
            click.echo(f"{doors[0]}: {text or 'done'}")
            return
        failed = []
        for one in desk.orders.follow(desk.orders.give(doors, kind, by, args)):
            if one.status in {"done", WAITING}:
                click.echo(f"{one.door}: {one.text or 'done'}")
            else:
                failed.append(one.door)
                click.echo(f"{one.door}: {one.status}: {one.text}", err=True)
    if failed:
        raise SyncError(f"not done at {', '.join(failed)}")


def _show(event: StoredEvent, as_json: bool) -> None:
    if as_json:
        click.echo(event.body)
        return
    # On a broker without access list anybody chooses a door's name: it must not steer a terminal.
    cells = [(str(getattr(event, name) or "-"), width) for name, width in zip(COLUMNS, WIDTHS, strict=True)]
    shown = ("".join(c if c.isprintable() else "?" for c in cell).ljust(width) for cell, width in cells)
    click.echo("  ".join(shown).rstrip())
