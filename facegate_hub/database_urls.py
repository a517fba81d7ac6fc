"""Where commands and processes find the URLs of the databases: light to import, for every command asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.wire.names import HUB

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_VARIABLE = "FACEGATE_HUB_DATABASE"
"""The hub's; a password does not belong into the process list."""
COMMUNITY_VARIABLE = "FACEGATE_COMMUNITY_DATABASE"
"""The community's, which needs not be the hub's."""


def database_url(folder: Path) -> str:
    """Return the hub's default database: SQLite in the hub's own folder."""
    return f"sqlite:///{(folder / HUB / 'hub.db').absolute()}"
