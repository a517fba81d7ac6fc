"""Where a site's signing key lies: in a folder of its own, which the signer's account alone needs to read."""

from __future__ import annotations

import os
import pwd
import shutil
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.site.hand_over import hand_over

if TYPE_CHECKING:
    from pathlib import Path

SIGNER, KEY, NEXT_KEY = "signer", "signing.key", "signing.next.key"
OLD_PLACE = "hub"
"""Where sites of older versions have the key."""


def signing_key(folder: Path) -> Path:
    """Return the file of the key that signs; of a site that was never moved, where older versions put it."""
    own, old = folder / SIGNER / KEY, folder / OLD_PLACE / KEY
    try:
        return own if own.exists() or not old.exists() else old
    except PermissionError:  # the folder is the signer's own
        return own


def signing_folder(folder: Path) -> Path:
    """Return the signer's folder of a site; made if need be, for its account alone."""
    own = folder / SIGNER
    if not os.path.lexists(own):
        own.mkdir(mode=0o700)
    return own


def move_key(folder: Path, account: str | None = None, home: Path | None = None) -> Path:
    """Put the key, and what the signer remembers, into the signer's own folder, and return that.

    With `account` (as root) it lies in `home/signer` and belongs to that account alone; in the site a link
    stays. Does nothing that was done. Raises `ConfigError` naming what is missing, before anything is moved.
    """
    if not signing_key(folder).exists():
        raise ConfigError(f"{signing_key(folder)}: there is no key; is {folder} a provisioned site?")
    own = signing_folder(folder)
    for name in (KEY, NEXT_KEY):
        old = folder / OLD_PLACE / name
        if old.exists() and not (own / name).exists():
            old.rename(own / name)
    return own if account is None or home is None else _give_away(own, account, home / SIGNER)


def _give_away(own: Path, account: str, place: Path) -> Path:
    """Move the signer's folder to another place, for another account."""
    if os.geteuid() != 0:
        raise ConfigError(f"giving the key to {account} takes root")
    try:
        user = pwd.getpwnam(account)
    except KeyError as error:
        raise ConfigError(f"{account}: this machine has no such account") from error
    if not own.is_symlink():
        if place.exists():
            raise ConfigError(f"{place}: another site's signer is there")
        place.parent.mkdir(mode=0o700, exist_ok=True)
        os.chown(place.parent, user.pw_uid, user.pw_gid)
        # `rename` would fail where the accounts' homes are on another file system.
        shutil.move(own, place)
        own.symlink_to(place.absolute())
    # With what lies in folders there: what the programs of the house may.
    within = [path for path in place.iterdir() if path.is_dir() and not path.is_symlink()]
    for folder in (place, *within):
        hand_over(folder, (user.pw_uid, user.pw_gid))
    return place
