"""`facegate keys`: where the key comes from that opens the faces, and changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import data_option
from edge.lazy_group import ToldGroup

if TYPE_CHECKING:
    from pathlib import Path


@click.group(cls=ToldGroup)
def keys() -> None:
    """Look after the key that opens the faces stored here.

    Example: facegate keys status
    """


@keys.command()
@data_option
def status(data: Path) -> None:
    """Show where the key comes from, what that protects against, and how many people have a face here.

    Example: facegate keys status
    """
    from contextlib import closing

    from edge.store.key_source import keyring_of, read_source

    source = read_source(_existing(data))
    with closing(keyring_of(data)) as keyring:
        click.echo(f"source: {source.kind} {source.server}".rstrip())
        click.echo(f"protection: {keyring.protection}")
        click.echo(f"keys of people: {len(keyring.people())}")
    if source.former is not None:
        click.echo(f"being changed from {source.former.kind}: start the door to finish it")


@keys.command()
@data_option
def rotate(data: Path) -> None:
    """Change the key; every person's key is wrapped anew and nobody is enrolled again.

    The door may run meanwhile. Losing power at any moment loses nothing.

    Example: facegate keys rotate
    """
    from edge.store.key_source import change_key

    click.echo(f"changed; {change_key(_existing(data))} people's keys are wrapped with the new one")


@keys.command()
@data_option
def weaken(data: Path) -> None:
    """Put the key into a file on the card, from a TPM or the site's server; a stolen card then tells all.

    It needs the present key: with a TPM run it with sudo, which opens it.
    Set storage.key = "file" as well, or the next start takes it off the card again. The door tells it in
    the event of its next start.

    Example: facegate keys weaken
    """
    from edge.store.key_source import KeySource, use_source

    if use_source(_existing(data), KeySource("file"), may_weaken=True):
        click.echo("the key is in a file on the card now: who has the card has the faces")
    else:
        click.echo("the key was in a file already")


def _existing(data: Path) -> Path:
    from edge.errors import StoreError
    from edge.store.keyring import KEYS_FILE

    if not (data / KEYS_FILE).exists():
        raise StoreError(f"{data}: no keys here; name the door's folder with --data")
    return data
