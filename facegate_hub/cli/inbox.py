"""`facegate hub alarms`: what doors raised, who sees to it; `person`: what is stored of somebody."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from edge.lazy_group import ToldGroup
from edge.runtime.json_lines import json_line
from edge.wire.shapes import printable
from facegate_hub.cli.options import json_option, last_option
from facegate_hub.inbox import InboxKind, InboxState
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from pathlib import Path

    from facegate_hub.inbox import InboxItem

doubts_option = click.option(
    "--doubts", "inbox", flag_value=InboxKind.DOUBTS, default=InboxKind.ALARMS, help="The other inbox."
)
note_option = click.option("--note", default="", help="A word about it; kept with it.")


@click.group(cls=ToldGroup)
def alarms() -> None:
    """Work on the inbox of alarms (with --doubts: of doubts about journals).

    Example: facegate hub alarms list
    """


@alarms.command(name="list")
@doubts_option
@click.option("--closed", is_flag=True, help="Those that are closed.")
@last_option(50)
@json_option
@click.pass_obj
def list_(place: tuple[Path, str], inbox: InboxKind, closed: bool, last: int, as_json: bool) -> None:
    """Show what somebody has to look at, newest first.

    Example: facegate hub alarms list
    """
    states = [InboxState.CLOSED] if closed else [InboxState.OPEN, InboxState.ACKNOWLEDGED]
    with closing(Staff(*place)) as desk:
        for item in desk.inbox.items(InboxKind(inbox), states, last):
            click.echo(json_line(item) if as_json else printable(_line(item)))


@alarms.command()
@click.argument("number", type=int)
@doubts_option
@click.pass_obj
def acknowledge(place: tuple[Path, str], number: int, inbox: InboxKind) -> None:
    """See to an alarm oneself; who already does is named.

    Example: facegate hub alarms acknowledge 12
    """
    with closing(Staff(*place)) as desk:
        desk.see_to(InboxKind(inbox), number)
    click.echo(f"{number}: yours")


@alarms.command(name="hand-over")
@click.argument("number", type=int)
@click.argument("to")
@doubts_option
@note_option
@click.pass_obj
def hand_over(place: tuple[Path, str], number: int, to: str, inbox: InboxKind, note: str) -> None:
    """Let somebody else see to an alarm.

    Example: facegate hub alarms hand-over 12 "Night guard" --note "the strike is loose"
    """
    with closing(Staff(*place)) as desk:
        desk.hand_over(InboxKind(inbox), number, to, note)
    click.echo(f"{number}: {to} sees to it")


@alarms.command()
@click.argument("number", type=int)
@doubts_option
@note_option
@click.pass_obj
def close(place: tuple[Path, str], number: int, inbox: InboxKind, note: str) -> None:
    """Close an alarm, with what was found.

    Example: facegate hub alarms close 12 --note "strike replaced"
    """
    with closing(Staff(*place)) as desk:
        desk.close_item(InboxKind(inbox), number, note)
    click.echo(f"{number}: closed")


@click.group(cls=ToldGroup)
def person() -> None:
    """Show, export and erase what is stored of somebody.

    Example: facegate hub person export flat-1203 > flat-1203.jsonl
    """


@person.command()
@click.argument("identity")
@click.pass_obj
def export(place: tuple[Path, str], identity: str) -> None:
    """Write all that is stored of somebody, as JSON lines: their record, then events, oldest first.

    Example: facegate hub person export flat-1203 > flat-1203.jsonl
    """
    with closing(Staff(*place)) as desk:
        is_known = False
        for one in desk.person_data(identity):
            is_known = True
            click.echo(json.dumps(one, ensure_ascii=True, sort_keys=True))
    if not is_known:
        click.echo(f"{identity}: nothing is stored of them here; is the number right?", err=True)


@person.command()
@click.argument("identity")
@click.confirmation_option(prompt="What the events say of them cannot be brought back. Erase it?")
@click.pass_obj
def erase(place: tuple[Path, str], identity: str) -> None:
    """Take somebody who has left out of all stored events; the events' place in their chain stays.

    Example: facegate hub person erase flat-1203 --yes
    """
    with closing(Staff(*place)) as desk:
        click.echo(f"{desk.erase_person_events(identity)} events erased")


def _line(item: InboxItem) -> str:
    at = datetime.fromtimestamp(item.at, UTC).isoformat(timespec="seconds")
    times = f" ({item.count} times)" if item.count > 1 else ""
    silent = " SILENT: nothing of it may be heard or seen at the door" if item.is_silent else ""
    held = f", {item.holder}" if item.holder else ""
    told = " ".join(part for part in (item.what, item.resident or "", item.note or "") if part)
    return f"{item.id:5} {at} {item.device:16} {item.kind}{times}  {item.state}{held}  {told}{silent}"
