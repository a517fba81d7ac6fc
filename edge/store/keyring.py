"""One key per person: destroying it destroys every copy of the templates, backups included.

The keys lie in a file of their own, each wrapped by the site's key. Back up `residents.db`, not
this file: then a withdrawn person is beyond reach in every backup ever made.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import StoreError
from edge.store.database import Schema, open_database, transaction
from edge.store.sealer import KEY_BYTES, AesGcmSealer
from edge.store.vectors import person_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.store.site_key import KeyFile, SiteKey

KEYS_FILE = "keys.db"
"""Its name inside the data folder."""

KEYS = Schema(
    name="keyring",
    application_id=0x46474B31,  # "FGK1"
    migrations=(
        (
            "CREATE TABLE person_keys (resident_id TEXT PRIMARY KEY, wrapped BLOB NOT NULL)",
            "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), key_id TEXT NOT NULL)",
        ),
    ),
)


class Keyring:
    """Seals each person's templates with a key of his own. A `Sealer`; any thread, several processes.

    Raises `StoreError` when the file is damaged or the site's key is not the one it was wrapped with.
    """

    def __init__(self, path: Path, site_key: SiteKey) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_database(path, KEYS)
        self._wrap = AesGcmSealer(self._current(site_key))
        self.protection = site_key.protection

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return `plain` sealed with the key of the person `context` names, made when there is none."""
        person = person_of(context)
        with self._using() as connection, transaction(connection):
            wrapped = self._wrapped(person)
            if wrapped is None:
                wrapped = self._wrap.seal(secrets.token_bytes(KEY_BYTES), _context(person))
                connection.execute("INSERT INTO person_keys VALUES (?, ?)", (person, wrapped))
        return self._unwrapped(person, wrapped).seal(plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain bytes. Raises `StoreError` when the person's key was destroyed."""
        person = person_of(context)
        with self._using():
            wrapped = self._wrapped(person)
        if wrapped is None:
            raise StoreError("the key of this person was destroyed")
        return self._unwrapped(person, wrapped).open(sealed, context)

    def forget(self, person: str) -> str | None:
        """Destroy a person's key for good; return its fingerprint, or None when there was none.

        The bytes are overwritten in the file and gone from its log when this returns.
        """
        with self._using() as connection:
            with transaction(connection):
                wrapped = self._wrapped(person)
                connection.execute("DELETE FROM person_keys WHERE resident_id = ?", (person,))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return None if wrapped is None else hashlib.sha256(wrapped).hexdigest()[:16]

    def people(self) -> tuple[str, ...]:
        """Return who has a key."""
        with self._using() as connection:
            rows = connection.execute("SELECT resident_id FROM person_keys ORDER BY 1").fetchall()
        return tuple(row[0] for row in rows)

    def rewrap(self, new_key: bytes) -> int:
        """Wrap every key with `new_key` in one step and return how many; nobody is enrolled again."""
        wrap = AesGcmSealer(new_key)
        with self._using() as connection, transaction(connection):
            rows = connection.execute("SELECT resident_id, wrapped FROM person_keys").fetchall()
            for person, wrapped in rows:
                plain = self._wrap.open(wrapped, _context(person))
                again = wrap.seal(plain, _context(person))
                connection.execute(
                    "UPDATE person_keys SET wrapped = ? WHERE resident_id = ?", (again, person)
                )
            connection.execute("UPDATE head SET key_id = ?", (_key_id(new_key),))
            self._wrap = wrap
        return len(rows)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._connection.close()

    def _current(self, site_key: SiteKey) -> bytes:
        """Return the key this file is wrapped with, out of those the site offers."""
        keys = site_key.keys()
        with self._using() as connection:
            connection.execute("INSERT OR IGNORE INTO head VALUES (1, ?)", (_key_id(keys[0]),))
            (wanted,) = connection.execute("SELECT key_id FROM head").fetchone()
        for key in keys:
            if _key_id(key) == wanted:
                return key
        raise StoreError(
            f"{self._path}: wrapped with another site key ({wanted}); restore that key, or remove the file"
            " and enrol everybody again"
        )

    def _wrapped(self, person: str) -> bytes | None:
        sql = "SELECT wrapped FROM person_keys WHERE resident_id = ?"
        row = self._connection.execute(sql, (person,)).fetchone()
        return None if row is None else bytes(row[0])

    def _unwrapped(self, person: str, wrapped: bytes) -> AesGcmSealer:
        return AesGcmSealer(self._wrap.open(wrapped, _context(person)))

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._connection
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: cannot use the keyring: {error}") from error


def rotate(keyring: Keyring, file: KeyFile) -> int:
    """Change the site key in `file` and return how many keys were wrapped anew.

    A power cut at any moment leaves a key on disk that opens the keyring.
    """
    count = keyring.rewrap(file.stage())
    file.settle()
    return count


def _context(person: str) -> bytes:
    return f"facegate person key\0{person}".encode()


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"facegate site key\0" + key).hexdigest()[:16]
