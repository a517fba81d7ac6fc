"""`facegate hub alerts`: whether alarms reach somebody outside."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from edge.errors import ConfigError, SyncError
from edge.events import Kind
from edge.lazy_group import ToldGroup
from edge.wire.names import HUB
from facegate_hub.alert_channels import FILE, load_alerts
from facegate_hub.alerts import Alert

if TYPE_CHECKING:
    from pathlib import Path


@click.group(cls=ToldGroup)
def alerts() -> None:
    """Tell people outside of alarms, as site/hub/alerts.toml says (docs/hub.md); `hub run` does so.

    Example: facegate hub alerts test
    """


@alerts.command()
@click.pass_obj
def test(place: tuple[Path, str]) -> None:
    """Send a made-up alarm on every way; exit code 1 when one was not taken.

    Example: facegate hub alerts test
    """
    path = place[0] / HUB / FILE
    if not path.exists():
        raise ConfigError(f"{path}: there is none; docs/hub.md has an example")
    site = json.loads((place[0] / "site.json").read_text())["name"]
    failed = []
    for channel in load_alerts(path, site)[0]:
        try:
            channel.send([Alert(0, "test", Kind.DOOR_FORCED, time.time(), 1, None)])
            click.echo(f"{channel.name}: taken")
        except OSError as error:
            failed.append(channel.name)
            click.echo(f"{channel.name}: {error}", err=True)
    if failed:
        raise SyncError(f"not taken: {', '.join(failed)}")
