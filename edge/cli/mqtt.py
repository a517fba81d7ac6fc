"""`facegate mqtt`: what travels between door and property, for those who build on it."""

from __future__ import annotations

import click

from edge.lazy_group import ToldGroup


@click.group(cls=ToldGroup)
def mqtt() -> None:
    """Describe the door's topics and payloads.

    Example: facegate mqtt asyncapi
    """


@mqtt.command()
def asyncapi() -> None:
    """Print the AsyncAPI 3 document of every topic and payload.

    Example: facegate mqtt asyncapi > asyncapi.json
    """
    from edge.wire.asyncapi import as_text

    click.echo(as_text(), nl=False)
