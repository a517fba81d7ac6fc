"""Lets hub, console and page work on one site, each with an account of its own.

All of it belongs to the hub's account. What the console needs too is of the group `staff`; what the page
needs as well is of the group `community`. Keys that open doors or speak for the hub are in neither: they
keep the rights they were made with. A folder that others write to has the setgid bit, so that what they make
there is the group's (`edge.durable.let_group`).
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.durable import sync_folder
from edge.errors import StoreError
from edge.site.signing import SIGNER
from edge.wire.names import HUB
from facegate_hub.community.database import FOLDER as COMMUNITY
from facegate_hub.community.staff_store import FOLDER as STAFF
from facegate_hub.community.staff_store import TERMS_FILE
from facegate_hub.database_urls import DATABASE_FILE, DATABASE_FOLDER, require_one_database

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DATABASES = {"*.db": 0o660, "*.db-*": 0o660}
KEYS = {"*.key": 0o640, "*.crt": 0o640}
"""Of the folders staff and community alone: what opens texts, and certificates of the pages."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Numbers of the groups: `staff` has hub and console in it, `community` hub, console and page."""

    staff: int
    community: int


@dataclass(frozen=True, slots=True)
class Shared:
    """A folder that a group shares: its mode, and modes by pattern of what is in it."""

    folder: Path
    group: int
    mode: int
    inside: Mapping[str, int]


def share_site(site: Path, groups: Groups) -> None:
    """Give the groups what they need of a site that is this account's; run again it changes nothing.

    Makes the site's folder, and those of staff and community, where there are none. What belongs to another
    account is left alone. Raises `StoreError` when the hub's database cannot be put where the console reaches
    it: all else is done by then.
    """
    for folder in (site, site / STAFF, site / COMMUNITY):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (site / HUB).is_dir() and not (site / HUB / DATABASE_FILE).exists():
        (site / HUB / DATABASE_FOLDER).mkdir(mode=0o700, exist_ok=True)
    for shared in _shared(site, groups):
        if shared.folder.is_symlink() or not os.access(shared.folder, os.R_OK | os.X_OK):
            continue  # not there, or the signer's account has it
        for pattern, mode in shared.inside.items():
            for path in shared.folder.glob(pattern):
                _give(path, shared.group, mode)
        _give(shared.folder, shared.group, shared.mode)
    _move_database(site / HUB, groups.staff)


def _shared(site: Path, groups: Groups) -> tuple[Shared, ...]:
    """Return all of it; folders within before those that lead there."""
    staff, hub = groups.staff, site / HUB
    terms = {TERMS_FILE: 0o644}  # the page, which is not in the group, is shown this file
    return (
        Shared(site / COMMUNITY, groups.community, 0o2770, DATABASES | KEYS),
        Shared(site / STAFF, staff, 0o2770, DATABASES | KEYS | terms),
        Shared(hub / DATABASE_FOLDER, staff, 0o2770, DATABASES),
        Shared(hub, staff, 0o710, {"ca.crt": 0o640, "rules.toml": 0o640}),
        # For the socket that `hub run` keeps there, and nothing else in it.
        Shared(site / SIGNER, staff, 0o710, {"*.db": 0o600, "*.db-*": 0o600, "*.key": 0o600}),
        Shared(site / "broker", staff, 0o2710, {"crl.pem": 0o640}),
        Shared(site / "doors", staff, 0o2750, {"*": 0o2710}),
        Shared(site, staff, 0o750, {"site.json": 0o640}),
    )


def _give(path: Path, group: int, mode: int) -> None:
    """Let a folder or file of this account be of a group, with this mode; no link, no file with two names."""
    with suppress(FileNotFoundError, PermissionError):
        if path.is_symlink():
            return
        # What is changed is the file that was looked at, by its descriptor: another account of the group may
        # put something else under this name in between. Without O_NONBLOCK a FIFO there would hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            is_file = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            if found.st_uid != os.geteuid() or not (is_file or stat.S_ISDIR(found.st_mode)):
                return
            if found.st_gid != group:
                os.fchown(descriptor, -1, group)
            if stat.S_IMODE(found.st_mode) != mode:
                os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)


def _move_database(hub: Path, group: int) -> None:
    """Put the hub's database into a folder of its own: who writes to it makes files beside it."""
    old, new = hub / DATABASE_FILE, hub / DATABASE_FOLDER / DATABASE_FILE
    if not old.exists():
        return
    require_one_database(hub.parent)
    try:
        with closing(sqlite3.connect(old, timeout=5.0, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = DELETE")  # what its log holds goes into the file
            database.execute("BEGIN EXCLUSIVE")
            # Not before: where the folder is, and no database in it, the console would begin one.
            new.parent.mkdir(mode=0o700, exist_ok=True)
            old.rename(new)
    except sqlite3.Error as error:
        raise StoreError(f"{old}: {error}; stop whatever has it open, and try again") from error
    for folder in (hub, new.parent):
        sync_folder(folder)
    _give(new, group, 0o660)
    _give(new.parent, group, 0o2770)
