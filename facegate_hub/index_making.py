"""Indices that a new version brings to a database of years: made once, and not without a word."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

LOG = logging.getLogger(__name__)

MANY_ROWS = 300_000
"""An index of as many takes longer than anybody waits without asking: some ten seconds."""


def make_indices(connection: Connection, table: sa.Table) -> None:
    """Make the indices that a table lacks; of a large one, say so before and after, in the log.

    They are in the transaction of `connection`: a start that is cut short has made none, and begins again.
    """
    known = {one["name"] for one in sa.inspect(connection).get_indexes(table.name)}
    for index in sorted(
        (one for one in table.indexes if one.name not in known), key=lambda one: str(one.name)
    ):
        _make(connection, index, _rows(connection, table))


def _make(connection: Connection, index: sa.Index, rows: int) -> None:
    if rows < MANY_ROWS:
        index.create(connection)
        return
    LOG.warning(
        "hub database: making index %s of about %s rows, once; it takes minutes, in which nothing is stored: "
        "doors keep their events",
        index.name,
        f"{rows:,}",
    )
    began = time.monotonic()
    index.create(connection)
    LOG.warning("hub database: index %s was made in %.0f s", index.name, time.monotonic() - began)


def make_statistics(connection: Connection, table: sa.Table, name: str, columns: str) -> None:
    """Have PostgreSQL count how columns go together, such as a reason and its kind: it plans by that."""
    known = sa.text("SELECT 1 FROM pg_statistic_ext WHERE stxname = :name")
    if connection.dialect.name != "postgresql" or connection.execute(known, {"name": name}).scalar():
        return
    connection.exec_driver_sql(f"CREATE STATISTICS {name} (dependencies, mcv) ON {columns} FROM {table.name}")
    connection.exec_driver_sql(f"ANALYZE {table.name}")


def _rows(connection: Connection, table: sa.Table) -> int:
    """Return about how many rows there are, without counting them."""
    if connection.dialect.name == "postgresql":
        query = sa.text("SELECT CAST(reltuples AS bigint) FROM pg_class WHERE oid = CAST(:name AS regclass)")
        return int(connection.execute(query, {"name": table.name}).scalar() or 0)
    try:
        return int(connection.exec_driver_sql(f"SELECT max(rowid) FROM {table.name}").scalar() or 0)  # noqa: S608 - ours
    except sa.exc.OperationalError:  # a table without such numbers is none of the large ones
        return 0
