"""Working in another user's folder with that user's rights, so that root cannot be led out of it.

Whoever owns a folder can put a link where root is about to read, write or change an owner, at any
moment between two system calls. With the owner's own rights there is nothing to gain by it.
"""

from __future__ import annotations

import os
import pwd
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """The user and group a folder belongs to."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """What the user is called, or the number of one who is in no list."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    @property
    def home(self) -> str:
        """Where the user's own files are, or the root folder for one who is in no list."""
        try:
            return pwd.getpwuid(self.uid).pw_dir
        except KeyError:
            return "/"


def owner_to_become(folder: Path) -> Owner | None:
    """Return whose rights to work in `folder` with; None when this process is not root, or it is root's."""
    if os.geteuid() != 0 or not folder.is_dir():
        return None
    found = folder.stat()
    return None if found.st_uid == 0 else Owner(found.st_uid, found.st_gid)


def become(owner: Owner) -> None:
    """Become `owner`, without a way back: groups, group, user, in that order."""
    _join_groups(owner)
    os.setresgid(owner.gid, owner.gid, owner.gid)
    os.setresuid(owner.uid, owner.uid, owner.uid)
    os.environ["HOME"] = owner.home  # programs keep caches there, and may not write to root's


@contextmanager
def acting_as(owner: Owner | None) -> Iterator[None]:
    """Run the block with the rights of `owner`, then be root again; None changes nothing.

    For a command that needs both. The whole process changes: no other thread may be at work.
    """
    if owner is None:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    try:
        # Groups before the user, who may not change them any more. The real uid stays root's: that is the way
        # back.
        _join_groups(owner)
        os.setegid(owner.gid)
        os.seteuid(owner.uid)
        yield
    finally:
        # The user first: only root may change group and groups.
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def _join_groups(owner: Owner) -> None:
    if owner.name == str(owner.uid):
        os.setgroups([owner.gid])
    else:
        os.initgroups(owner.name, owner.gid)
