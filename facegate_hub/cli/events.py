"""`facegate hub events`: what the doors' journals say: export, doubts, retention."""

from __future__ import annotations

import getpass
import sys
from contextlib import closing
from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from edge.day_option import DAY
from edge.errors import SyncError
from edge.lazy_group import ToldGroup
from edge.runtime.json_lines import json_line
from edge.wire.shapes import printable
from facegate_hub.cli.options import json_option
from facegate_hub.reading import EventFilter
from facegate_hub.sheets import write_events
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@click.group(cls=ToldGroup)
def events() -> None:
    """Use the events that doors sent.

    Example: facegate hub events export --csv > events.csv
    """


@events.command()
@click.option("--csv/--json", "as_csv", default=True, show_default=True, help="A spreadsheet, or JSON lines.")
@click.option("--door", help="Of this door only.")
@click.option("--kind", help="Of this kind only, such as access.granted.")
@click.option("--since", type=DAY, help="From this day on.")
@click.option("--until", type=DAY, help="Before this day.")
@click.option("--timezone", "zone", default="UTC", show_default=True, help="In which days begin.")
@click.pass_obj
def export(
    place: tuple[Path, str],
    as_csv: bool,
    door: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    zone: str,
) -> None:
    """Write events to standard output, oldest first.

    Example: facegate hub events export --csv --since 2026-03-01 > march.csv
    """
    wanted = EventFilter(door, kind, _day(since, zone), _day(until, zone))
    with closing(Staff(*place)) as desk:
        if as_csv:
            write_events(desk.events(wanted), sys.stdout)
            return
        for event in desk.events(wanted):
            click.echo(event.body)


@events.command()
@click.option("--keep-days", type=click.FloatRange(min=1), required=True, help="Keep what is younger.")
@click.option("--by-this-clock", is_flag=True, help="Also where no door has told for long what time it is.")
@click.pass_obj
def prune(place: tuple[Path, str], keep_days: float, by_this_clock: bool) -> None:
    """Delete events that were stored longer ago; `hub run --keep-days` does so every day.

    It is never later than the doors' newest event says: this machine's clock may be ahead.

    Example: facegate hub events prune --keep-days 90
    """
    with closing(Staff(*place)) as desk:
        click.echo(f"{desk.forget(keep_days, trusts_clock=by_this_clock).events} events deleted")


@events.command()
@click.option("--acknowledge", is_flag=True, help="Note that they were looked at; they are shown no more.")
@click.option("--by", default=getpass.getuser, help="Who looked at them; kept with each doubt.")
@json_option
@click.pass_obj
def doubts(place: tuple[Path, str], acknowledge: bool, by: str, as_json: bool) -> None:
    """Show signs of tampering or loss in the doors' journals; exit code 1 when there are any.

    Example: facegate hub events doubts
    """
    with closing(Staff(*place)) as desk:
        found = desk.doubts()
        for doubt in found:
            times = f" ({doubt.count} times)" if (doubt.count or 1) > 1 else ""
            if as_json:
                click.echo(json_line(doubt))
                continue
            click.echo(printable(f"{doubt.device}: entry {doubt.seq} of {doubt.stream}: {doubt.what}{times}"))
        if acknowledge:
            click.echo(f"{desk.acknowledge_doubts(by, shown=[one.id for one in found])} doubts acknowledged")
            return
    if found:
        raise SyncError(f"{len(found)} doubts about the doors' journals")


def _day(at: datetime | None, zone: str) -> str | None:
    """Return the moment at which a day begins in a zone, as events are sorted: UTC, ISO form."""
    try:
        begins = None if at is None else at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except (KeyError, ValueError, OSError) as error:
        raise click.UsageError(f"--timezone {zone!r}: no such zone; use one like Asia/Shanghai") from error
    return None if begins is None else f"{begins:%Y-%m-%dT%H:%M:%S}"
