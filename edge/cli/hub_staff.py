"""`facegate hub staff`: what the front desk does: see events as they come, open a door."""

from __future__ import annotations

import getpass
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from edge.sync.commands import CommandType
from hub.sheets import COLUMNS
from hub.staff import Staff

if TYPE_CHECKING:
    from pathlib import Path

    from hub.reading import StoredEvent

LOOK_SECONDS = 0.5
by_option = click.option("--by", default=getpass.getuser, help="Who asks; journaled at the door.")


@click.group()
def staff() -> None:
    """Work at the front desk.

    Example: facegate hub staff open front
    """


@staff.command()
@click.option("--follow", "-f", is_flag=True, help="Keep printing as events arrive.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def watch(place: tuple[Path, str], follow: bool, as_json: bool) -> None:
    """Show the doors' events as they were stored, oldest first.

    Example: facegate hub staff watch --follow
    """
    with closing(Staff(*place)) as desk:
        news = desk.news()
        for event in desk.events():
            _show(event, as_json)
        while follow:
            for event in news.look():
                _show(event, as_json)
            time.sleep(LOOK_SECONDS)


@staff.command(name="open")
@click.argument("door")
@click.option("--seconds", type=click.FloatRange(1, 30), help="How long; default: the door's own setting.")
@by_option
@click.pass_obj
def open_(place: tuple[Path, str], door: str, seconds: float | None, by: str) -> None:
    """Open a door from here and say what physically came of it.

    Example: facegate hub staff open front --by "Front desk"
    """
    give(place, door, CommandType.UNLOCK, by, {"seconds": seconds} if seconds else {})


def give(place: tuple[Path, str], door: str, kind: CommandType, by: str, args: dict[str, Any]) -> None:
    """Give a door a command and print its answer."""
    with closing(Staff(*place)) as desk:
        text = desk.command(door, kind, by, args)
    click.echo(f"{door}: {text or 'done'}")


def _show(event: StoredEvent, as_json: bool) -> None:
    if as_json:
        click.echo(event.body)
        return
    # A door that was broken into chooses these texts: none of them may steer a terminal.
    cells = [str(getattr(event, name) or "-") for name in COLUMNS]
    click.echo("  ".join("".join(c if c.isprintable() else "?" for c in cell) for cell in cells))
