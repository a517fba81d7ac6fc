"""All of a data folder sealed anew with fresh keys: an old copy of the keys opens nothing that comes later.

Safe against a power cut at any moment: fresh keys lie beside the former ones until nothing is left that
only those open. Every step can be done again. The door may run meanwhile: whoever writes seals within
the transaction, and while the former keys go nobody writes.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

from edge.errors import StoreError
from edge.store.account_rows import ACCOUNT_WAYS, ACCOUNTS, ACCOUNTS_FILE, NOTICE_WAYS
from edge.store.consent_rows import COLUMNS, CONSENTS, FILE_OF_CONSENTS, bound_consent
from edge.store.consent_rows import migrating as consents_migrating
from edge.store.contexts import context_of, device_context, record_context
from edge.store.database import NO_FUNCTIONS, open_database, transaction
from edge.store.face_book import FACE_BOOK_FILE, FACES
from edge.store.keyring import BOUND_ALL, BOUND_HOUSE, BOUND_WAYS
from edge.store.mode_rows import MODE_FILE, rebind_mode
from edge.store.resident_rows import (
    FILE_OF_RESIDENTS,
    NAME,
    RECORD,
    RESIDENT_COLUMNS,
    RESIDENTS,
    TEMPLATE_COLUMNS,
    bound_resident,
    bound_template,
)
from edge.store.resident_rows import migrating as residents_migrating
from edge.store.way_rows import CREDENTIALS, CREDENTIALS_FILE, PASSES, WAYS, bound_way, renewed_way
from edge.store.way_rows import migrating as ways_migrating

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.store.keyring import Keyring

    Renew = Callable[[sqlite3.Connection, Keyring], int]

MOST_ROUNDS = 10
"""Rounds until nothing is left: a second one has what was written during the first."""


def reseal(folder: Path, keyring: Keyring) -> None:
    """Make fresh keys, seal all of the folder with them, and destroy the former keys.

    What nothing opens any more stays as it is. Raises `KeyUnavailable` or `StoreError` when it cannot be
    done now; then it goes on when it is called again.
    """
    keyring.begin_renewal()
    rebind_mode(folder / MODE_FILE, keyring)
    with ExitStack() as stack:
        files = [
            (stack.enter_context(closing(open_database(path, schema, functions=functions))), renew)
            for path, schema, functions, renew in (
                (folder / FILE_OF_RESIDENTS, RESIDENTS, residents_migrating(keyring), _renew_residents),
                (folder / FILE_OF_CONSENTS, CONSENTS, consents_migrating(keyring), _renew_consents),
                (folder / CREDENTIALS_FILE, CREDENTIALS, ways_migrating(folder), _renew_ways),
                (folder / ACCOUNTS_FILE, ACCOUNTS, NO_FUNCTIONS, _renew_accounts),
                (folder / FACE_BOOK_FILE, FACES, NO_FUNCTIONS, _renew_face_book),
            )
            if path.exists()
        ]
        try:
            for _ in range(MOST_ROUNDS):
                with suppress(sqlite3.OperationalError):  # somebody writes all the time: once more
                    if _round(files, keyring):
                        return
        except sqlite3.Error as error:
            raise StoreError(f"{folder}: a file is damaged and has to be mended first: {error}") from error
    raise StoreError(f"{folder}: people were changed all the time while their keys were; try again")


def _round(files: Sequence[tuple[sqlite3.Connection, Renew]], keyring: Keyring) -> bool:
    """Seal anew what is there; destroy the former keys if nothing needs them, and say whether that is so."""
    for connection, renew in files:
        with transaction(connection):
            renew(connection, keyring)
    with ExitStack() as locks:
        for connection, _renew in files:
            locks.enter_context(transaction(connection))
        if any([renew(connection, keyring) > 0 for connection, renew in files]):  # noqa: C419 - each of them
            return False
        keyring.settle_renewal()
    return True


def _renew_residents(connection: sqlite3.Connection, keyring: Keyring) -> int:
    """Seal and bind a resident file anew and return how many rows that changed."""
    count = 0
    for identity, sealed in connection.execute("SELECT id, text FROM roster").fetchall():
        again = keyring.renewed(sealed, record_context(RECORD, identity))
        if again is not None:
            connection.execute("UPDATE roster SET text = ? WHERE id = ?", (again, identity))
            count += 1
    sql = f"SELECT {RESIDENT_COLUMNS} FROM residents"  # noqa: S608
    for row in connection.execute(sql).fetchall():
        again = keyring.renewed(row[1], record_context(NAME, row[0]))
        fresh = (row[0], again or row[1], *row[2:])
        if (mark := _renewed_mark(keyring, bound_resident(row), bound_resident(fresh), row[-1])) or again:
            values = (fresh[1], mark or row[-1], row[0])
            connection.execute("UPDATE residents SET name = ?, mark = ? WHERE id = ?", values)
            count += 1
    sql = f"SELECT {TEMPLATE_COLUMNS}, id FROM templates"  # noqa: S608
    for *row, number in connection.execute(sql).fetchall():
        again = keyring.renewed(row[5], context_of(row[0], row[1]))
        fresh = (*row[:5], again or row[5])
        mark = _renewed_mark(keyring, bound_template(tuple(row)), bound_template(fresh), row[-1])
        if mark or again:
            values = (fresh[5], mark or row[-1], number)
            connection.execute("UPDATE templates SET sealed = ?, mark = ? WHERE id = ?", values)
            count += 1
    return count


def _renew_consents(connection: sqlite3.Connection, keyring: Keyring) -> int:
    """Do so for a consent file; only what is in force is bound."""
    count = 0
    for row in connection.execute(f"SELECT {COLUMNS} FROM consents").fetchall():  # noqa: S608
        again = keyring.renewed(row[4], record_context("consent", row[0]))
        fresh = (*row[:4], again or row[4])
        mark = None
        if row[3] is None:
            mark = _renewed_mark(keyring, bound_consent(row), bound_consent(fresh), row[-1])
        if mark or again:
            values = (fresh[4], mark or row[-1], row[0])
            connection.execute("UPDATE consents SET sealed = ?, mark = ? WHERE id = ?", values)
            count += 1
    return count


def _renew_ways(connection: sqlite3.Connection, keyring: Keyring) -> int:
    """Do so for the marks of PINs, cards and passes."""
    return _renew_marks(connection, keyring, WAYS, BOUND_WAYS) + PASSES.renew(connection, keyring)


def _renew_accounts(connection: sqlite3.Connection, keyring: Keyring) -> int:
    """Do so for the marks of the page's accounts and of the display's notice."""
    notices = _renew_marks(connection, keyring, NOTICE_WAYS, BOUND_ALL)
    return notices + _renew_marks(connection, keyring, ACCOUNT_WAYS, BOUND_HOUSE)


def _renew_marks(
    connection: sqlite3.Connection, keyring: Keyring, ways: Sequence[tuple[str, str, str]], since: bytes
) -> int:
    count = 0
    for name, table, columns in ways:
        rows = connection.execute(f"SELECT {columns}, rowid FROM {table}").fetchall()  # noqa: S608
        for *row, number in rows:
            mark = renewed_way(keyring, bound_way(name, tuple(row[:-1])), row[-1], since)
            if mark is not None:
                connection.execute(f"UPDATE {table} SET bound = ? WHERE rowid = ?", (mark, number))  # noqa: S608
                count += 1
    return count


def _renew_face_book(connection: sqlite3.Connection, keyring: Keyring) -> int:
    """Do so for a book of shared faces."""
    count = 0
    for name, sealed in connection.execute("SELECT name, sealed FROM secrets").fetchall():
        again = keyring.renewed(sealed, device_context(name))
        if again is not None:
            connection.execute("UPDATE secrets SET sealed = ? WHERE name = ?", (again, name))
            count += 1
    rows = connection.execute("SELECT consent, person, model, sealed FROM held").fetchall()
    for consent, person, model, sealed in rows:
        again = keyring.renewed(sealed, context_of(person, model))
        if again is not None:
            connection.execute("UPDATE held SET sealed = ? WHERE consent = ?", (again, consent))
            count += 1
    return count


def _renewed_mark(keyring: Keyring, row: bytes, fresh: bytes, mark: bytes | None) -> bytes | None:
    """Return the newest key's mark of a row that is ours; None when it has it, or is somebody else's."""
    newest = keyring.bind(fresh)
    return newest if newest != mark and keyring.is_ours(row, mark) else None
