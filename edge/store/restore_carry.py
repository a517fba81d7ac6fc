"""What the folder that is replaced knows better than the backup: it must not be forgotten.

A face that was withdrawn since stays erased, and a visitor pass that was used up since stays used
up. Where the old folder is too damaged to be read, the backup stands alone.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from edge.errors import StoreError
from edge.store.consent_rows import CONSENTS
from edge.store.consents import CONSENTS_FILE, ConsentLedger, erase_face
from edge.store.credentials import CREDENTIALS, CREDENTIALS_FILE, CredentialStore
from edge.store.database import open_database, open_read_only, transaction
from edge.store.residents import RESIDENTS_FILE, ResidentStore

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from edge.store.database import Schema

LOG = logging.getLogger(__name__)


def carry_withdrawals(old: Path, new: Path) -> tuple[str, ...]:
    """Withdraw in folder `new` every consent withdrawn in `old`; return whose faces were erased."""
    sql = "SELECT withdrawn_at, receipt, id FROM consents WHERE withdrawn_at NOT NULL"
    rows = _rows(old / CONSENTS_FILE, CONSENTS, sql)
    if not rows or not (new / CONSENTS_FILE).exists():
        return ()
    ConsentLedger(new / CONSENTS_FILE).close()  # a backup of an older facegate is upgraded first
    people = _withdraw(new / CONSENTS_FILE, rows)
    with closing(ResidentStore(new / RESIDENTS_FILE)) as store:
        return tuple(who for who in people if erase_face(store, who).templates)


def carry_pass_uses(old: Path, new: Path) -> None:
    """Count in folder `new` every use of a visitor pass that `old` has counted."""
    rows = _rows(old / CREDENTIALS_FILE, CREDENTIALS, "SELECT id, uses, until FROM pass_uses")
    if not rows:
        return
    sql = (
        "INSERT INTO pass_uses VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET uses = max(uses, excluded.uses)"
    )
    CredentialStore(new / CREDENTIALS_FILE).close()  # as above
    with closing(open_database(new / CREDENTIALS_FILE, CREDENTIALS)) as file, transaction(file):
        file.executemany(sql, rows)


def _withdraw(path: Path, rows: list[Any]) -> list[str]:
    """Mark these consents; return who has none in force after it."""
    mark = "UPDATE consents SET withdrawn_at = ?, receipt = ? WHERE id = ? AND withdrawn_at IS NULL"
    ended = (
        "SELECT resident_id FROM consents GROUP BY resident_id"
        " HAVING sum(withdrawn_at IS NULL) = 0 ORDER BY resident_id"
    )
    with closing(open_database(path, CONSENTS)) as connection:
        with transaction(connection):
            connection.executemany(mark, rows)
        return [row[0] for row in connection.execute(ended)]


def _rows(path: Path, schema: Schema, sql: str) -> list[Any]:
    """Return the rows of a file that may be missing or damaged: then there are none."""
    if not path.exists():
        return []
    try:
        with closing(open_read_only(path, schema, older=True)) as connection:
            return connection.execute(sql).fetchall()
    except (StoreError, sqlite3.Error) as error:
        LOG.warning("%s cannot be read any more, the backup stands alone: %s", path, error)
        return []
