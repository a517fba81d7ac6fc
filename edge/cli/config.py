"""`facegate config`: what the service would really use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edge.cli.run import config_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@config_option
def config(config: Path) -> None:
    """Check the settings and print the effective ones, secrets masked.

    Every mistake is listed at once; the exit code is then 78.

    Example: facegate config --config /etc/facegate/config.toml
    """
    from edge.config import describe, load_settings
    from edge.service.checked import require_startable

    settings = load_settings(config)
    click.echo(describe(settings))
    require_startable(settings)
