"""`facegate explain`: why the door did what it did: one sentence, and its numbers as a table."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import data_option
from edge.cli.past import all_events
from edge.errors import StoreError
from edge.policy.explain import explain as explained
from edge.words import LANGUAGES

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import DoorEvent


@click.command()
@data_option
@click.argument("event")
@click.option("--language", "-l", type=click.Choice(LANGUAGES), default="en", show_default=True)
def explain(data: Path, event: str, language: str) -> None:
    """Tell why the door did what it did: EVENT is a number, an id (or its beginning), or `last`.

    `last` is the latest decision about a person. Every number of the entry is in the table.

    Example: facegate explain last --language zh
    """
    told = explained(find_event(data, event), language)
    click.echo(f"{told.at}  {told.sentence}")
    width = max((columns(name) for name, _ in told.facts), default=0)
    for name, value in told.facts:
        click.echo(f"  {name}{' ' * (width - columns(name))}  {value}")


def columns(text: str) -> int:
    """Return how many columns `text` takes on a terminal, where a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def find_event(data: Path, wanted: str) -> DoorEvent:
    """Return the event meant by `wanted`. Raises `StoreError` when there is none, or several."""
    found: list[DoorEvent] = []
    for event in all_events(data):
        if wanted == "last" and event.kind.startswith("access."):
            found = [event]
        elif _is_named(event, wanted):
            found.append(event)
    if wanted == "last" and not found:
        raise StoreError("last: nothing was decided about a person yet; `facegate events` shows the rest")
    if len(found) != 1:
        count = "no event" if not found else f"{len(found)} events"
        raise StoreError(f"{wanted}: {count} of that name; `facegate events` shows numbers and ids")
    return found[0]


def _is_named(event: DoorEvent, wanted: str) -> bool:
    return event.seq == int(wanted) if wanted.isdecimal() else event.id.startswith(wanted)
