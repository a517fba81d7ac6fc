"""A database that fails for a while."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def table_away(engine: sa.Engine, table: sa.Table) -> Iterator[None]:
    """Let everything fail that reads or writes this table."""
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table.name} RENAME TO {table.name}_away"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE {table.name}_away RENAME TO {table.name}"))
