"""Where commands and processes find the URLs of the databases: light to import, for every command asks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge.wire.names import HUB

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_VARIABLE = "FACEGATE_HUB_DATABASE"
"""The hub's; a password does not belong into the process list."""
COMMUNITY_VARIABLE = "FACEGATE_COMMUNITY_DATABASE"
"""The community's, which needs not be the hub's."""
DATABASE_FILE, DATABASE_FOLDER = "hub.db", "database"


def database_url(folder: Path) -> str:
    """Return the hub's default database: SQLite in its folder, or below it where accounts share the site."""
    own, shared = folder / HUB / DATABASE_FILE, folder / HUB / DATABASE_FOLDER
    is_shared = os.access(shared, os.X_OK) and not os.access(own, os.F_OK)
    path = shared / DATABASE_FILE if is_shared else own
    return f"sqlite:///{path.absolute()}"
