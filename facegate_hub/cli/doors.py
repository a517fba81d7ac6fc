"""`facegate hub doors` and what is told to doors: names, commands, being shut out."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from edge.runtime.json_lines import json_line
from edge.wire.commands import CommandType
from facegate_hub.cli.options import by_option, json_option
from facegate_hub.cli.staff import give
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@json_option
@click.pass_obj
def doors(place: tuple[Path, str], as_json: bool) -> None:
    """Show every door: online or not, when it was heard, and how far behind its roster is.

    Example: facegate hub doors
    """
    with closing(Staff(*place)) as desk:
        running = desk.hub()
        if running is not None and not running.is_serving:
            why = running.problem or f"it was last heard {running.age_seconds:.0f} s ago"
            click.echo(f"the hub does not serve the doors: {why}; they are shown as they were", err=True)
        for door in desk.doors():
            if as_json:
                click.echo(json_line(door))
                continue
            roster = f"roster {door.behind} revisions behind" if door.behind else "roster up to date"
            heard = f"{roster}, heard {door.seen_at}" if door.seen_at else "never heard"
            line = f"{door.id:20} {door.availability or 'unknown':8} {heard}"
            click.echo(f"{line}  {door.problem}" if door.problem else line)


@click.command(name="shut-out")
@click.argument("door")
@click.option("--because", default="told so", show_default=True, help="Why; shown beside the door.")
@click.option("--end", is_flag=True, help="Listen to it again.")
@click.pass_obj
def shut_out(place: tuple[Path, str], door: str, because: str, end: bool) -> None:
    """Listen to a door no more that was broken into; it keeps its events.

    Example: facegate hub shut-out garage --because "panel was opened"
    """
    with closing(Staff(*place)) as desk:
        if end:
            desk.let_in_again(door)
            click.echo(f"{door}: listened to again")
            return
        desk.shut_out(door, because)
    click.echo(
        f"{door}: shut out; now make its certificate worthless: facegate provision revoke {place[0]} {door}"
    )


@click.command(name="allow-unproven")
@click.argument("door")
@click.option("--because", default="an older version", show_default=True, help="Why; noted in the audit.")
@click.option("--end", is_flag=True, help="Doubt its events again while it proves none.")
@click.pass_obj
def allow_unproven(place: tuple[Path, str], door: str, because: str, end: bool) -> None:
    """Take the events of a door that does not sign them: one of an older version, or without certificate.

    It ends by itself with the first event that the door signs.

    Example: facegate hub allow-unproven garage --because "updated next week"
    """
    with closing(Staff(*place)) as desk:
        desk.allow_unproven(door, None if end else because)
    click.echo(f"{door}: events without proof are {'doubted' if end else 'taken'}")


@click.command(name="name-door")
@click.argument("door")
@click.argument("name")
@click.option("--at", "where", default="", help="Where it is.")
@click.pass_obj
def name_door(place: tuple[Path, str], door: str, name: str, where: str) -> None:
    """Give a door a name and a place for people.

    Example: facegate hub name-door front "Front door" --at "House 3, ground floor"
    """
    with closing(Staff(*place)) as desk:
        desk.name_door(door, name, where)
    click.echo(f"{door}: {name}")


@click.command()
@click.argument("door")
@click.pass_obj
def retire(place: tuple[Path, str], door: str) -> None:
    """Take a door that is no longer there off the list; its events stay.

    Example: facegate hub retire garage
    """
    with closing(Staff(*place)) as desk:
        desk.retire(door)
    click.echo(f"{door}: retired")


@click.command()
@click.argument(
    "kind", type=click.Choice([kind.value for kind in CommandType if kind != CommandType.CHALLENGE])
)
@click.argument("doors", nargs=-1, required=True, metavar="DOOR...")
@click.option("--minutes", type=click.FloatRange(1, 60), help="For enrol_window: how long; default 10.")
@by_option
@click.pass_obj
def command(
    place: tuple[Path, str], kind: str, doors: tuple[str, ...], minutes: float | None, by: str
) -> None:
    """Give doors or groups of doors a command, such as lockdown; each answers when it has done it.

    Example: facegate hub command enrol_window front --minutes 20
    """
    if minutes is not None and kind != CommandType.ENROL_WINDOW:
        raise click.UsageError(f"--minutes means nothing to {kind}")
    give(place, doors, CommandType(kind), by, {} if minutes is None else {"minutes": minutes})
