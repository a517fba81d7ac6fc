"""`facegate events`: show, follow and verify the door journal."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import data_option
from edge.store.chain import ChainRow, to_event
from edge.store.reader import JOURNAL_FILE, JournalReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.domain import DoorEvent

PAGE = 500
FOLLOW_SECONDS = 0.5
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_since(
    ctx: click.Context,
    param: click.Parameter,
    value: str | None,
) -> datetime | None:
    """Return the moment meant by `30m`, `2h`, `7d` or an ISO time (local when it names no zone)."""
    if value is None:
        return None
    if match := re.fullmatch(r"(\d+)([smhd])", value):
        return datetime.now(UTC) - timedelta(**{UNITS[match[2]]: int(match[1])})
    try:
        return datetime.fromisoformat(value).astimezone()
    except ValueError:
        raise click.BadParameter(f"{value!r}: give 30m, 2h, 7d or 2026-01-31T08:00", ctx, param) from None


@click.group(invoke_without_command=True)
@data_option
@click.option("--follow", "-f", is_flag=True, help="Keep printing events as they happen.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as it travels to the broker.")
@click.option(
    "--since",
    callback=parse_since,
    metavar="TIME",
    help="Only events after TIME: 30m, 2h, 7d, or an ISO time.",
)
@click.option("--kind", multiple=True, help="Only these kinds; `access` takes in `access.granted`.")
@click.option(
    "--limit", "-n", type=click.IntRange(0), default=50, show_default=True, help="Newest N; 0 for all."
)
@click.pass_context
def events(
    ctx: click.Context,
    data: Path,
    follow: bool,
    as_json: bool,
    since: datetime | None,
    kind: tuple[str, ...],
    limit: int,
) -> None:
    """Show what happened at this door, newest last.

    Example: facegate events --since 2h --kind access --follow
    """
    ctx.obj = data
    if ctx.invoked_subcommand:
        return
    journal = JournalReader(data / JOURNAL_FILE)
    ctx.call_on_close(journal.close)
    show = (lambda row, _event: row.envelope) if as_json else (lambda _row, event: line_of(event))
    wanted = chosen(since, kind)
    is_tail = limit and not since and not kind
    end = print_newest(journal, wanted, show, limit, start=newest(journal) - limit if is_tail else 0)
    while follow:
        time.sleep(FOLLOW_SECONDS)
        for row in rows_after(journal, end):
            print_if(wanted, show, row)
            end = row.seq


@events.command()
@click.option(
    "--data", "here", type=click.Path(file_okay=False, path_type=Path), help="Folder of the journal."
)
@click.pass_obj
def verify(data: Path, here: Path | None) -> None:
    """Check every entry against the hash chain; exit code 1 names the first bad one.

    A tail that was cut off with care cannot be seen here, only by the side that received the
    events.

    Example: facegate events verify
    """
    path = (here or data) / JOURNAL_FILE
    with closing(JournalReader(path)) as journal:
        count = journal.verify()
        click.echo(f"{path}: {count} entries, chain intact")
        if last := journal.last():
            click.echo(f"newest: {last.seq} of stream {last.stream}, hash {last.hash}")


def chosen(since: datetime | None, kinds: tuple[str, ...]) -> Callable[[DoorEvent], bool]:
    """Return the test an event must pass to be shown."""

    def test(event: DoorEvent) -> bool:
        if since is not None and event.at < since:
            return False
        return not kinds or any(event.kind == kind or event.kind.startswith(f"{kind}.") for kind in kinds)

    return test


def newest(journal: JournalReader) -> int:
    """Return the number of the newest entry, 0 when there is none."""
    last = journal.last()
    return last.seq if last else 0


def rows_after(journal: JournalReader, after: int) -> Iterator[ChainRow]:
    """Yield every entry after a number, a page at a time."""
    while page := journal.rows(after, PAGE):
        yield from page
        after = page[-1].seq


def print_newest(
    journal: JournalReader,
    wanted: Callable[[DoorEvent], bool],
    show: Callable[[ChainRow, DoorEvent], str],
    limit: int,
    start: int,
) -> int:
    """Print the newest `limit` chosen entries after `start`; return the number of the last one read."""
    end, lines = start, deque[str](maxlen=limit or None)
    for row in rows_after(journal, start):
        end = row.seq
        event = to_event(row)
        if wanted(event):
            lines.append(show(row, event))
    for line in lines:
        click.echo(line)
    return end


def print_if(
    wanted: Callable[[DoorEvent], bool], show: Callable[[ChainRow, DoorEvent], str], row: ChainRow
) -> None:
    """Print one entry when it was asked for."""
    event = to_event(row)
    if wanted(event):
        click.echo(show(row, event))


def line_of(event: DoorEvent) -> str:
    """Return one event for people: number, local time, kind, who, why, and its numbers."""
    at = event.at.astimezone().isoformat(sep=" ", timespec="milliseconds")
    doubt = "" if event.clock == "synced" else f" ({event.clock} clock)"
    who = [event.resident_id] if event.resident_id else []
    why = [event.reason] if event.reason else []
    rest = [json.dumps(event.data, ensure_ascii=False, sort_keys=True)] if event.data else []
    return "  ".join([f"{event.seq:>6}  {at}{doubt}  {event.kind}", *who, *why, *rest])
