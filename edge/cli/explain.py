"""`facegate explain`: why the door did what it did: one sentence, and its numbers as a table."""

from __future__ import annotations

from collections import deque
from datetime import UTC
from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import data_option
from edge.cli.json_option import json_option
from edge.cli.past import all_events
from edge.cli.site_time import zone_option
from edge.cli.table import columns, padded
from edge.errors import StoreError
from edge.policy.explain import explain as explained
from edge.runtime.json_lines import json_line
from edge.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import tzinfo
    from pathlib import Path

    from edge.domain import DoorEvent


MOST_NAMED = 8
"""How many of the events that can be meant are named, the newest first."""


@click.command()
@data_option
@click.argument("event")
@click.option(
    "--language",
    "-l",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="Language of what is told.",
)
@zone_option
@json_option
def explain(data: Path, event: str, language: str, zone: tzinfo | None, as_json: bool) -> None:
    """Tell why the door did what it did: EVENT is a number, an id (or its beginning), or `last`.

    `last` is the latest decision about a person. Every number of the entry is in the table.

    Example: facegate explain last --language zh
    """
    found = find_event(data, event)
    told = explained(found, language, zone or found.at.astimezone().tzinfo or UTC)
    if as_json:
        row = {"seq": found.seq, "id": found.id, "kind": found.kind, "at": found.at}
        told_row = {"title": told.title, "sentence": told.sentence, "facts": dict(told.facts)}
        click.echo(json_line(row | told_row | {"data": found.data}))
        return
    click.echo(f"{told.at}  {told.sentence}")
    width = max((columns(name) for name, _ in told.facts), default=0)
    for name, value in told.facts:
        click.echo(f"  {padded(name, width)}  {value}")


def find_event(data: Path, wanted: str) -> DoorEvent:
    """Return the event meant by `wanted`. Raises `StoreError` when there is none, or several."""
    if not wanted:
        raise StoreError("which event? give its number, its id or `last`")
    if wanted == "last":
        return _last_decision(data)
    newest: deque[DoorEvent] = deque(maxlen=MOST_NAMED)
    count = 0
    for event in all_events(data):
        if _is_named(event, wanted):
            newest.append(event)
            count += 1
    if not count:
        raise StoreError(f"{wanted}: no event of that name; `facegate events` shows numbers and ids")
    if count > 1:
        raise StoreError(_which_one(wanted, newest, count))
    return newest[0]


def _last_decision(data: Path) -> DoorEvent:
    found = deque((one for one in all_events(data) if one.kind.startswith("access.")), maxlen=1)
    if not found:
        raise StoreError("last: nothing was decided about a person yet; `facegate events` shows the rest")
    return found[0]


def _is_named(event: DoorEvent, wanted: str) -> bool:
    # Ids are hexadecimal: the beginning of one may look like a number.
    return event.id.startswith(wanted) or (wanted.isdecimal() and event.seq == int(wanted))


def _which_one(wanted: str, newest: Collection[DoorEvent], count: int) -> str:
    named = "; ".join(
        f"{one.id} (number {one.seq}, {one.kind}, {one.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)"
        for one in reversed([*newest])
    )
    more = f"; and {count - len(newest)} before them" if count > len(newest) else ""
    return f"{wanted}: {count} events can be meant, give one's whole id: {named}{more}"
