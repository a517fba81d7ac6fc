"""The option `--data`: the folder that holds the journal and the residents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge.errors import StoreError
from edge.state_folder import state_folder
from edge.store.acting import acting_as, become, owner_to_become

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.store.acting import Owner

PROGRAM = Path(__file__)

F = TypeVar("F", bound="Callable[..., Any]")


def data_option(command: F) -> F:
    """Add `--data DIR`; the command gets a `data: Path`.

    Root becomes the folder's owner for good, before anything is opened: what is made there stays readable
    for the service, and no link in it leads root anywhere.
    """
    return _option(_as_owner)(command)


def data_option_as_root(command: F) -> F:
    """Add `--data DIR` for a command that also writes where only root may.

    It has to work inside the folder with `edge.store.acting.acting_as`.
    """
    return _option(_as_root)(command)


def _option(callback: Callable[[click.Context, click.Parameter, Path], Path] | None) -> Callable[[F], F]:
    return click.option(
        "--data",
        callback=callback,
        is_eager=True,
        type=click.Path(file_okay=False, path_type=Path),
        default=state_folder,
        show_default="the installed door's, else ~/.local/share/facegate",
        help="The door's data folder.",
    )


def work_as_owner(data: Path, *read: Path) -> None:
    """Become the folder's owner for good, where root runs this and it is somebody else's.

    The keys that systemd keeps for the door are opened first, as only root may.

    Raises `StoreError` where the owner cannot read this program, since half of it is loaded only when it is
    needed, or one of the files and folders that are to be `read`.
    """
    owner = owner_to_become(data)
    _open_credentials(data, owner)
    if owner is None:
        return
    if not _is_readable(PROGRAM, owner):
        raise StoreError(
            f"{PROGRAM.parents[2]}: {owner.name} cannot read the program here; "
            "use /opt/facegate/bin/facegate, or put the checkout where everybody may read it"
        )
    for path in read:
        if not _is_readable(path, owner):
            raise StoreError(
                f"{path}: {owner.name}, to whom {data} belongs, cannot read it; "
                "copy it to where everybody may read it"
            )
    click.echo(f"working as {owner.name}, to whom {data} belongs", err=True)
    become(owner)


def _is_readable(path: Path, owner: Owner) -> bool:
    with acting_as(owner):
        return os.access(path, os.R_OK, effective_ids=True)


def _as_owner(_context: click.Context, _parameter: click.Parameter, data: Path) -> Path:
    work_as_owner(data)
    return data


def _as_root(_context: click.Context, _parameter: click.Parameter, data: Path) -> Path:
    _open_credentials(data, owner_to_become(data))
    return data


def _open_credentials(data: Path, owner: Owner | None) -> None:
    from edge.store.key_source import KEY_SOURCE_FILE, open_credentials

    if (data / KEY_SOURCE_FILE).exists():
        open_credentials(data, owner)
