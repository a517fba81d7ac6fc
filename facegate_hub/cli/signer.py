"""`facegate hub signer`: the process that has the key; `principal`, `group`: whom it knows, and where."""

from __future__ import annotations

import pwd
import signal
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from edge.day_option import DAY
from edge.errors import ConfigError, SyncError
from edge.lazy_group import ToldGroup
from edge.runtime.json_lines import json_line
from edge.runtime.log_limit import set_up_log
from edge.runtime.stop_signals import stop_on_signals
from facegate_hub.cli.attached import attached_option, is_left_alone
from facegate_hub.cli.options import json_option
from facegate_hub.signer.client import open_desk, open_signer, socket_path
from facegate_hub.signer.principals import KINDS
from facegate_hub.signer.rights import ROLES, Permission
from facegate_hub.signer.server import SignerServer

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--hub-user", help="Account of the hub, when it is another one than this.")
@attached_option
@click.pass_obj
def signer(place: tuple[Path, str], hub_user: str | None, attached: int | None) -> None:
    """Hold the signing key, check who asks for what, and sign; `hub run` starts one where none runs.

    On a site of more than one account give it one of its own: facegate provision signer ./site --user NAME

    Example: facegate hub signer --hub-user facegate-hub
    """
    set_up_log(with_time=True)
    desk = open_desk(place[0], frozenset() if hub_user is None else frozenset({_uid(hub_user)}))
    server = SignerServer(desk, socket_path(place[0]))
    ended = threading.Event()
    stop_on_signals(ended, signal.SIGTERM, signal.SIGINT)
    server.start()
    click.echo("signer running")
    while not ended.wait(1.0) and not is_left_alone(attached):
        pass
    server.stop()
    desk.engine.dispose()


@click.group(cls=ToldGroup)
def principal() -> None:
    """Say who may ask the signer for what: people and programs, their roles, doors and hours.

    Example: facegate hub principal add Anna --account anna --role desk --doors @lobby
    """


@principal.command(name="add")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="person",
    show_default=True,
    help="Somebody, or a program of the house.",
)
@click.option("--account", help="Their account on this machine: then they need no token.")
@click.option("--role", type=click.Choice(list(ROLES)), help="What they may; more with `grant`.")
@click.option("--doors", default="*", show_default=True, help="A door, a group as @lobby, or * for all.")
@click.pass_obj
def add(
    place: tuple[Path, str], name: str, kind: str, account: str | None, role: str | None, doors: str
) -> None:
    """Add a person or a program.

    Example: facegate hub principal add "Night guard" --role guard --doors @gates
    """
    with closing(open_signer(place[0])) as client:
        client.change("add", name=name, kind=kind, account=account)
        if role is not None:
            try:
                client.change("grant", name=name, role=role, doors=doors, wanted={})
            except SyncError as error:
                way = f"facegate hub principal grant {name!r} --role {role}"
                raise SyncError(f"{name} is added, but may do nothing yet: {error}; then: {way}") from error
    click.echo(f"{name}: added; a token: facegate hub principal token {name!r}")


@principal.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(list(ROLES)),
    default="none",
    show_default=True,
    help="A set of rights by name; none: those of --may alone.",
)
@click.option("--may", help=f"Rights beside the role's, with commas: {', '.join(Permission)}.")
@click.option("--doors", default="*", show_default=True, help="A door, a group as @lobby, or * for all.")
@click.option("--hours", default="", help="When, such as: mon-fri 07:00-19:00, sat 09:00-12:00.")
@click.option("--per-minute", type=click.IntRange(1, 600), help="How many commands at most.")
@click.option("--until", type=DAY, help="Until this day (UTC).")
@click.pass_obj
def grant(place: tuple[Path, str], /, name: str, role: str, doors: str, **options: Any) -> None:
    """Allow somebody something, at some doors, in some hours.

    Example: facegate hub principal grant Anna --role guard --doors @gates --hours "mon-fri 20:00-06:00"
    """
    until = options["until"]
    wanted = {
        "may": [word.strip() for word in (options["may"] or "").split(",") if word.strip()],
        "hours": options["hours"],
        "per_minute": options["per_minute"],
        "until": None if until is None else until.replace(tzinfo=UTC).timestamp(),
    }
    with closing(open_signer(place[0])) as client:
        client.change("grant", name=name, role=role, doors=doors, wanted=wanted)
    click.echo(f"{name}: granted")


@principal.command()
@click.argument("number", type=int)
@click.pass_obj
def revoke(place: tuple[Path, str], number: int) -> None:
    """Take a grant back; `list` shows the numbers.

    Example: facegate hub principal revoke 3
    """
    with closing(open_signer(place[0])) as client:
        client.change("revoke", grant=number)
    click.echo(f"grant {number}: taken back")


@principal.command()
@click.argument("name")
@click.pass_obj
def token(place: tuple[Path, str], name: str) -> None:
    """Print a new secret for somebody, once; they put it into FACEGATE_TOKEN. The one before ends.

    Example: facegate hub principal token Anna
    """
    with closing(open_signer(place[0])) as client:
        click.echo(client.change("token", name=name))


@principal.command()
@click.argument("name")
@click.password_option(help="Asked for, twice, when left out; what is typed here others can see.")
@click.pass_obj
def password(place: tuple[Path, str], name: str, password: str) -> None:
    """Let somebody log in at the console; asks for the password.

    Example: facegate hub principal password Anna
    """
    with closing(open_signer(place[0])) as client:
        client.change("password", name=name, password=password)
    click.echo(f"{name}: may log in; sessions that were open have ended")


@principal.command()
@click.argument("name")
@click.pass_obj
def end(place: tuple[Path, str], name: str) -> None:
    """Let somebody do nothing any more, at once.

    Example: facegate hub principal end Anna
    """
    with closing(open_signer(place[0])) as client:
        client.change("end", name=name)
    click.echo(f"{name}: may do nothing any more")


@principal.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per principal, then the rules.")
@click.pass_obj
def list_(place: tuple[Path, str], as_json: bool) -> None:
    """Show everybody, their grants, and the rules of the site.

    Example: facegate hub principal list
    """
    with closing(open_signer(place[0])) as client:
        found = client.register()
    if as_json:
        for one in (*found["principals"], {"rules": found["rules"]}):
            click.echo(json_line(one))
        return
    for one in found["principals"]:
        ways = [f"account {one['account']}"] if one["account"] else []
        ways += [word for word in ("token", "password") if one[f"has_{word}"]]
        ended = "ended" if one["ended_at"] else ", ".join(ways) or "no way in yet"
        click.echo(f"{one['name']} ({one['kind']}; {ended})")
        for grant in one["grants"]:
            click.echo(f"  {grant['id']}: {_told(grant)}")
    for name, value in found["rules"].items():
        click.echo(f"{name} = {value}")


@principal.command()
@click.argument("name")
@click.argument("value")
@click.pass_obj
def rule(place: tuple[Path, str], name: str, value: str) -> None:
    """Set a rule of the site: timezone, how many people a command takes, doors where residents answer rings.

    Example: facegate hub principal rule persons.evacuation 2

    Example: facegate hub principal rule rings "lobby-3 @gates"
    """
    with closing(open_signer(place[0])) as client:
        client.change("rule", name=name, value=value)
    click.echo(f"{name} = {value}")


@click.group(cls=ToldGroup)
def group() -> None:
    """Put doors into groups, for which rights are granted and to which commands are given.

    Example: facegate hub group set lobby front back
    """


@group.command(name="set")
@click.argument("name")
@click.argument("doors", nargs=-1)
@click.pass_obj
def set_(place: tuple[Path, str], name: str, doors: tuple[str, ...]) -> None:
    """Let a group have exactly these doors; without doors it is removed.

    Example: facegate hub group set lobby front back
    """
    with closing(open_signer(place[0])) as client:
        client.set_group(name, list(doors))
    click.echo(f"@{name}: {', '.join(doors) or 'removed'}")


@group.command(name="list")
@json_option
@click.pass_obj
def list_groups(place: tuple[Path, str], as_json: bool) -> None:
    """Show the groups and their doors.

    Example: facegate hub group list
    """
    with closing(open_signer(place[0])) as client:
        for name, doors in client.groups().items():
            row = {"group": name, "doors": doors}
            click.echo(json_line(row) if as_json else f"@{name}: {', '.join(doors)}")


def _told(grant: dict[str, Any]) -> str:
    until = grant["until"]
    parts = [
        grant["role"] if grant["role"] != "none" else "",
        grant["may"],
        f"at {grant['doors']}",
        grant["hours"],
        f"{grant['per_minute']} a minute" if grant["per_minute"] else "",
        f"until {datetime.fromtimestamp(until, UTC):%Y-%m-%d}" if until else "",
    ]
    return ", ".join(part for part in parts if part)


def _uid(account: str) -> int:
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError as error:
        raise ConfigError(f"--hub-user {account}: this machine has no such account") from error
