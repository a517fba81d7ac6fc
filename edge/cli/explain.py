"""`facegate explain`: why the door did what it did, in one paragraph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import data_option
from edge.cli.past import all_events
from edge.errors import StoreError
from edge.policy.explain import Language
from edge.policy.explain import explain as explained

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import DoorEvent


@click.command()
@data_option
@click.argument("event")
@click.option("--language", "-l", type=click.Choice(["en", "zh"]), default="en", show_default=True)
def explain(data: Path, event: str, language: Language) -> None:
    """Say why the door did what it did: EVENT is a number, an id (or its beginning), or `last`.

    `last` is the latest decision about a person. Every number of the entry is told.

    Example: facegate explain last --language zh
    """
    click.echo(explained(find_event(data, event), language))


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
