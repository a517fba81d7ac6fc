"""`facegate hub`: the property's side, where staff see doors, open them, and keep the roster."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from edge.errors import ConfigError
from edge.extras import way_to_install
from edge.lazy_group import LazyGroup
from facegate_hub.database_urls import DATABASE_VARIABLE, database_url

if find_spec("sqlalchemy") is None:
    raise ConfigError(f"the hub needs SQLAlchemy; {way_to_install('hub')}")

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module:attribute, one line for the overview)
    "run": ("facegate_hub.cli.run:run", "Serve the doors until stopped; starts the signer, too."),
    "worker": (
        "facegate_hub.cli.run:worker",
        "Run one of several processes that share the storing of events.",
    ),
    "signer": (
        "facegate_hub.cli.signer:signer",
        "Run the process that holds the signing key and checks rights.",
    ),
    "keys": (
        "facegate_hub.cli.keys:keys",
        "Run the server that hands doors their keys (storage.key = site).",
    ),
    "console": ("facegate_hub.cli.community:console", "Serve the console for staff and committee."),
    "page": ("facegate_hub.cli.community:page", "Serve the page for residents' phones."),
    "doors": (
        "facegate_hub.cli.doors:doors",
        "Show every door: online or not, and whether its roster is up to date.",
    ),
    "name-door": ("facegate_hub.cli.doors:name_door", "Give a door a name and a place for people."),
    "share": (
        "facegate_hub.cli.share:share",
        "Set the file rights that console and page need to run as other users.",
    ),
    "group": ("facegate_hub.cli.signer:group", "Put doors into groups, for rights and commands."),
    "command": ("facegate_hub.cli.doors:command", "Give doors or groups of doors a command."),
    "config": ("facegate_hub.cli.config:config", "Change a door's settings from here."),
    "diagnostics": ("facegate_hub.cli.config:diagnostics", "Ask a door how it is, in full, as JSON."),
    "allow-unproven": (
        "facegate_hub.cli.doors:allow_unproven",
        "Accept events of a door that does not sign them.",
    ),
    "shut-out": ("facegate_hub.cli.doors:shut_out", "Ignore a door that was broken into."),
    "retire": ("facegate_hub.cli.doors:retire", "Take a door that is gone off the list."),
    "roster": ("facegate_hub.cli.roster:roster", "Import and remove the people who may enter."),
    "faces": ("facegate_hub.cli.faces:faces", "Look at faces that several doors know; list more."),
    "person": ("facegate_hub.cli.inbox:person", "Show, export and erase what is stored of somebody."),
    "events": ("facegate_hub.cli.events:events", "Export, check and delete the events that doors sent."),
    "staff": ("facegate_hub.cli.staff:staff", "Open doors and watch events, as at the front desk."),
    "alarms": ("facegate_hub.cli.inbox:alarms", "List, take and close alarms and doubts."),
    "alerts": ("facegate_hub.cli.alerts:alerts", "Send alarms by mail or webhook."),
    "audit": ("facegate_hub.cli.audit:audit", "Show who asked for what, and check that record."),
    "principal": (
        "facegate_hub.cli.signer:principal",
        "Set who may open, lock down, change people and settings.",
    ),
    "community": (
        "facegate_hub.cli.community:community",
        "Tickets, notices and accounts of residents and staff.",
    ),
}


@click.command(cls=LazyGroup, commands_table=COMMANDS)
@click.option(
    "--site",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("site"),
    show_default=True,
    help="Folder made by `facegate provision site`.",
)
@click.option(
    "--database",
    envvar=DATABASE_VARIABLE,
    show_envvar=True,
    help="SQLAlchemy URL; default: SQLite in the site's hub folder.",
)
@click.pass_context
def hub(ctx: click.Context, site: Path, database: str | None) -> None:
    """Run the property's side: the roster of people, every door's events, commands to doors.

    Example: facegate hub --site ./site run
    """
    ctx.obj = (site, database or database_url(site))
