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
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from edge.store.database import Schema

LOG = logging.getLogger(__name__)


def carry_withdrawals(old: Path, new: Path) -> tuple[str, ...]:
    """Withdraw in folder `new` every consent withdrawn in `old`; return whose faces were erased."""
    sql = "SELECT withdrawn_at, receipt, id FROM consents WHERE withdrawn_at NOT NULL"
    rows = _rows(old / CONSENTS_FILE, CONSENTS, sql)
    mark = "UPDATE consents SET withdrawn_at = ?, receipt = ? WHERE id = ? AND withdrawn_at IS NULL"
    return _withdraw(new, mark, rows)


def apply_withdrawals(new: Path, withdrawn: Mapping[str, str]) -> tuple[str, ...]:
    """Withdraw what was given before these times (resident id -> ISO 8601, UTC); return whose faces went."""
    rows = [(at, who, at) for who, at in withdrawn.items()]
    mark = (
        "UPDATE consents SET withdrawn_at = ?"
        " WHERE resident_id = ? AND withdrawn_at IS NULL AND julianday(given_at) <= julianday(?)"
    )
    return _withdraw(new, mark, rows)


def carry_pass_uses(old: Path, new: Path) -> None:
    """Count in folder `new` every use of a visitor pass that `old` has counted."""
    rows = _rows(old / CREDENTIALS_FILE, CREDENTIALS, "SELECT id, uses, until FROM pass_uses")
    if not rows:
        return
    sql = (
        "INSERT INTO pass_uses VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET uses = max(uses, excluded.uses)"
    )
    CredentialStore(new / CREDENTIALS_FILE).close()  # upgrades it
    with closing(open_database(new / CREDENTIALS_FILE, CREDENTIALS)) as file, transaction(file):
        file.executemany(sql, rows)


def _withdraw(new: Path, mark: str, rows: list[Any]) -> tuple[str, ...]:
    """Mark consents in folder `new`, then erase the faces of who has none in force."""
    if not rows or not (new / CONSENTS_FILE).exists():
        return ()
    with closing(ConsentLedger(new / CONSENTS_FILE)) as ledger:  # upgrades what an older facegate wrote
        with closing(open_database(new / CONSENTS_FILE, CONSENTS)) as file, transaction(file):
            file.executemany(mark, rows)
        ended = sorted(ledger.withdrawn())
    with closing(ResidentStore(new / RESIDENTS_FILE)) as store:
        return tuple(who for who in ended if erase_face(store, who).templates)


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
