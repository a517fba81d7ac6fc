"""Where commands and processes find the URLs of the databases: light to import, for every command asks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge.errors import StoreError
from edge.wire.names import HUB

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_VARIABLE = "FACEGATE_HUB_DATABASE"
"""The hub's; a password does not belong into the process list."""
COMMUNITY_VARIABLE = "FACEGATE_COMMUNITY_DATABASE"
"""The community's, which needs not be the hub's."""
DATABASE_FILE, DATABASE_FOLDER = "hub.db", "database"


def database_url(folder: Path) -> str:
    """Return the hub's default database: SQLite in its folder, or below it where accounts share the site.

    Raises `StoreError` where it is in both places: nobody works with one while others work with the other.
    """
    own, shared = folder / HUB / DATABASE_FILE, folder / HUB / DATABASE_FOLDER
    require_one_database(folder)
    is_shared = os.access(shared, os.X_OK) and not os.access(own, os.F_OK)
    path = shared / DATABASE_FILE if is_shared else own
    return f"sqlite:///{path.absolute()}"


def require_one_database(folder: Path) -> None:
    """Raise `StoreError` where a site has two databases of the hub, as after a backup put back beside it.

    An account that cannot see the first, such as the console's, takes the second: so nothing may go on with
    the first.
    """
    own = folder / HUB / DATABASE_FILE
    shared = folder / HUB / DATABASE_FOLDER / DATABASE_FILE
    if os.access(own, os.F_OK) and os.access(shared, os.F_OK):
        raise StoreError(
            f"{own} and {shared}: a site has one database, and this one two. The second counts where hub and "
            "console are services: to go on with it, move the first away; to put the first in its place, "
            f"stop both, move {shared} and the files {DATABASE_FILE}-wal and -shm beside it away, and run "
            "`facegate hub share`"
        )
