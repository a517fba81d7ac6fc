"""`facegate events`: show, follow and verify the door journal."""

from __future__ import annotations

import re
import time
from collections import deque
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.data_dir import data_option
from edge.cli.site_time import clock_time, door_zone, typed_time, zone_option
from edge.cli.table import padded
from edge.domain import Reason
from edge.errors import did_you_mean
from edge.events import Kind
from edge.identity import narrow
from edge.lazy_group import ToldGroup
from edge.store.chain import ChainRow, to_event
from edge.store.reader import JOURNAL_FILE, JournalReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from edge.domain import DoorEvent

PAGE = 500
FOLLOW_SECONDS = 0.5
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_since(
    ctx: click.Context,
    param: click.Parameter,
    value: str | None,
) -> datetime | None:
    """Return the moment meant by `30m`, `2h`, `7d` or a day or time: in the zone in which times are told."""
    if value is None:
        return None
    try:
        if match := re.fullmatch(r"(\d+)([smhd])", value):
            return datetime.now(UTC) - timedelta(**{UNITS[match[2]]: int(match[1])})
        return typed_time(value, ctx.params["zone"] if "zone" in ctx.params else door_zone()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r}: give 30m, 2h, 7d or 2026-01-31T08:00", ctx, param) from None


def parse_kinds(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Return the kinds and groups of kinds that were named; refuse one that no event can have."""
    groups = {kind.rpartition(".")[0] for kind in Kind}
    for word in value:
        if word not in groups and word not in set(Kind):
            known = did_you_mean(word, [*sorted(groups), *Kind], cutoff=0.5)
            raise click.BadParameter(f"{word}: there are no such events{known}", ctx, param)
    return value


def parse_reason(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return the reason that was named; refuse one that no event can have."""
    if value is not None and value not in set(Reason):
        raise click.BadParameter(f"{value}: there is no such reason{did_you_mean(value, Reason)}", ctx, param)
    return value


@click.group(cls=ToldGroup, invoke_without_command=True)
@data_option
@click.option("--follow", "-f", is_flag=True, help="Keep printing events as they happen.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as it travels to the broker.")
@click.option(
    "--since",
    callback=parse_since,
    metavar="TIME",
    help="Only events after TIME: 30m, 2h, 7d, or an ISO time.",
)
@click.option(
    "--kind",
    multiple=True,
    callback=parse_kinds,
    help="Only these kinds; `access` takes in `access.granted`.",
)
@click.option("--person", help="Only events of the resident with this id.")
@click.option("--reason", callback=parse_reason, help="Only events with this reason, such as no_match.")
@zone_option
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
    person: str | None,
    reason: str | None,
    zone: tzinfo | None,
    limit: int,
) -> None:
    """Show what happened at this door as a table, newest last; `facegate explain NUMBER` explains one.

    Example: facegate events --since 2h --kind access --follow
    """
    ctx.obj = data
    if ctx.invoked_subcommand:
        return
    journal = JournalReader(data / JOURNAL_FILE)
    ctx.call_on_close(journal.close)
    show = (lambda row, _event: row.envelope) if as_json else (lambda _row, event: line_of(event, zone))
    wanted = chosen(since, kind, person, reason)
    # Then the last numbers are the last events: nothing before them needs to be read.
    is_tail = limit and not (since or kind or person or reason)
    if not as_json:
        click.echo(row_of("no", f"time ({zone or 'here'})", "kind", "person", "reason", "details"))
    end = print_newest(journal, wanted, show, limit, start=max(0, newest(journal) - limit) if is_tail else 0)
    while follow:
        time.sleep(FOLLOW_SECONDS)
        for row in rows_after(journal, end):
            print_if(wanted, show, row)
            end = row.seq


@events.command()
@click.option(
    "--data",
    "here",
    type=click.Path(file_okay=False, path_type=Path),
    help="The door's data folder. [default: (the installed door's, else ~/.local/share/facegate)]",
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


def chosen(
    since: datetime | None, kinds: tuple[str, ...], person: str | None, reason: str | None
) -> Callable[[DoorEvent], bool]:
    """Return the test an event must pass to be shown."""
    whose = None if person is None else {person, narrow(person)}

    def test(event: DoorEvent) -> bool:
        if since is not None and event.at < since:
            return False
        if (whose is not None and event.resident_id not in whose) or reason not in (None, event.reason):
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
    if end and not lines:
        click.echo("none of the events fits; without options the newest 50 are shown", err=True)
    return end


def print_if(
    wanted: Callable[[DoorEvent], bool], show: Callable[[ChainRow, DoorEvent], str], row: ChainRow
) -> None:
    """Print one entry when it was asked for."""
    event = to_event(row)
    if wanted(event):
        click.echo(show(row, event))


COLUMNS = ((">", 6), ("<", 23), ("<", 22), ("<", 14), ("<", 20))
"""Side and least width of each column but the last, which has what room it needs."""
DETAILS = 80
LONGEST = 32
"""Signs of all details and of one text among them; `facegate explain` shows the rest."""


def line_of(event: DoorEvent, zone: tzinfo | None) -> str:
    """Return one event as a line of the table."""
    doubt = [] if event.clock == "synced" else [f"({event.clock} clock)"]
    text = " ".join([*doubt, details(event.data)])
    return row_of(
        str(event.seq),
        clock_time(event.at, zone),
        event.kind,
        event.resident_id or "-",
        event.reason or "-",
        text,
    )


def row_of(*cells: str) -> str:
    """Return one line of the table: number, time, kind, person, reason, details."""
    first = [padded(cell, width, side) for cell, (side, width) in zip(cells, COLUMNS, strict=False)]
    return "  ".join([*first, cells[-1]]).rstrip()


def details(data: dict[str, Any]) -> str:
    """Return the numbers and short texts of an event, as far as they fit."""
    plain = {name: value for name, value in data.items() if isinstance(value, str | int | float)}
    short = (f"{name} {shown(value)}" for name, value in plain.items() if len(str(value)) <= LONGEST)
    text = ", ".join(short)
    return text if len(text) <= DETAILS else f"{text[: DETAILS - 1]}…"


def shown(value: str | int | float) -> str:
    """Return a value as a person reads it: three decimals at most."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
