"""`facegate account`: who may log in to the door's page, for whoever has the board itself."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import data_option
from edge.cli.door_files import COMMAND_LINE, tell_journal, tell_taken_back
from edge.cli.json_option import json_option
from edge.errors import StoreError
from edge.lazy_group import ToldGroup
from edge.runtime.json_lines import json_line
from edge.store.account_rows import ACCOUNTS_FILE
from edge.web.accounts import Accounts, Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@click.group(cls=ToldGroup)
def account() -> None:
    """Show, make, change and remove accounts of the door's page.

    The way back in when a password is forgotten. It needs no login: whoever may write the
    door's data folder has the door anyway. The running page follows at once.

    Example: facegate account list
    """


@account.command("list")
@json_option
@data_option
def list_accounts(data: Path, as_json: bool) -> None:
    """Show every account and its role; never a password.

    Example: facegate account list
    """
    with _accounts(data) as accounts:
        for name, role in accounts.all().items():
            row = {"name": name, "role": role, "is_edited": False}
            click.echo(json_line(row) if as_json else f"{role:<9}  {name}")
        for name in accounts.edited:
            if as_json:
                click.echo(json_line({"name": name, "role": None, "is_edited": True}))
                continue
            click.echo(f"edited     {name}: not by this door, and counts for nothing until it is set anew")
        if not accounts.all() and not accounts.edited:
            click.echo("no account yet: the page shows how to make the first one", err=True)


@account.command("set")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Needed for a new account.")
@data_option
def set_(name: str, role: str | None, data: Path) -> None:
    """Give NAME a new password, which is asked for, and a role; make the account when there is none.

    Example: facegate account set ines --role installer
    """
    from edge.events import Kind

    with _accounts(data) as accounts:
        wanted = accounts.all().get(name) if role is None else Role(role)
        if wanted is None:
            raise StoreError(
                f"{name}: there is no such account; facegate account list shows them, --role makes one"
            )
        password = click.prompt("password", hide_input=True, confirmation_prompt=True)
        told = {"account": name, "role": wanted.value}
        accounts.put(name, wanted, password, lambda: tell_journal(data, Kind.PANEL_ACCOUNT_CHANGED, **told))
    click.echo(f"{name}: {wanted}, with the new password; whoever was logged in as {name} is logged out")


@account.command()
@click.argument("name")
@data_option
def remove(name: str, data: Path) -> None:
    """Remove NAME's account. The last installer's stays: nobody could look after the door.

    Example: facegate account remove ines
    """
    with _accounts(data) as accounts:
        if name not in accounts.all():
            raise StoreError(f"{name}: there is no such account; facegate account list shows them")
        # Before it is told, as with a lost card: it must not stay good while the journal cannot be written.
        accounts.remove(name, COMMAND_LINE)
    click.echo(f"{name}: removed")
    tell_taken_back(data)


@contextmanager
def _accounts(data: Path) -> Iterator[Accounts]:
    path = data / ACCOUNTS_FILE
    if not path.exists():
        raise StoreError(
            f"{path}: there is no such file; switch the page on ([panel] enabled) and start the door once"
        )
    with closing(Accounts(path)) as accounts:
        yield accounts
