"""`facegate hub share`: let console and page run with accounts of their own."""

from __future__ import annotations

import grp
from typing import TYPE_CHECKING

import click

from edge.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--staff-group", default="facegate-staff", show_default=True, help="Hub and console are in it.")
@click.option(
    "--community-group", default="facegate-community", show_default=True, help="Hub, console and page are."
)
@click.pass_obj
def share(place: tuple[Path, str], staff_group: str, community_group: str) -> None:
    """Let hub, console and page work on one site, each with an account of its own; the site's owner runs it.

    The service facegate-site does so before each start of theirs.

    Example: facegate hub --site /var/lib/facegate-hub/site share
    """
    from facegate_hub.shared_site import Groups, share_site

    share_site(place[0], Groups(_group(staff_group), _group(community_group)))
    click.echo(f"{place[0]}: shared with {staff_group} and {community_group}")


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise ConfigError(f"group {name}: this machine has none of this name; install.sh makes it") from error
