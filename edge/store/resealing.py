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
from edge.store.consent_rows import CONSENTS, FILE_OF_CONSENTS
from edge.store.consent_rows import migrating as consents_migrating
from edge.store.contexts import context_of, device_context, record_context
from edge.store.database import NO_FUNCTIONS, open_database, transaction
from edge.store.face_book import FACE_BOOK_FILE, FACES
from edge.store.resident_rows import FILE_OF_RESIDENTS, NAME, RECORD, RESIDENTS
from edge.store.resident_rows import migrating as residents_migrating

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
    with ExitStack() as stack:
        files = [
            (stack.enter_context(closing(open_database(path, schema, functions=functions))), renew)
            for path, schema, functions, renew in (
                (folder / FILE_OF_RESIDENTS, RESIDENTS, residents_migrating(keyring), _renew_residents),
                (folder / FILE_OF_CONSENTS, CONSENTS, consents_migrating(keyring), _renew_consents),
                (folder / FACE_BOOK_FILE, FACES, NO_FUNCTIONS, _renew_face_book),
            )
            if path.exists()
        ]
        for _ in range(MOST_ROUNDS):
            with suppress(sqlite3.OperationalError):  # somebody writes all the time: once more
                if _round(files, keyring):
                    return
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
    """Seal a resident file anew and return how many values that changed."""
    count = 0
    for table, column, kind in (("residents", "name", NAME), ("roster", "text", RECORD)):
        rows = connection.execute(f"SELECT id, {column} FROM {table}").fetchall()  # noqa: S608
        for identity, sealed in rows:
            again = keyring.renewed(sealed, record_context(kind, identity))
            if again is not None:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (again, identity))  # noqa: S608
                count += 1
    for key, who, model, sealed in connection.execute(
        "SELECT id, resident_id, model_id, sealed FROM templates"
    ).fetchall():
        again = keyring.renewed(sealed, context_of(who, model))
        if again is not None:
            connection.execute("UPDATE templates SET sealed = ? WHERE id = ?", (again, key))
            count += 1
    return count


def _renew_consents(connection: sqlite3.Connection, keyring: Keyring) -> int:
    """Do so for a consent file."""
    count = 0
    for identity, sealed in connection.execute("SELECT id, sealed FROM consents").fetchall():
        again = keyring.renewed(sealed, record_context("consent", identity))
        if again is not None:
            connection.execute("UPDATE consents SET sealed = ? WHERE id = ?", (again, identity))
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
