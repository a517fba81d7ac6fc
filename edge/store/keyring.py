"""One key per person, and one for the door's records: destroyed keys destroy every copy of what they sealed.

The keys lie in a file of their own. Each person's is wrapped by the site's key; the one that seals
names and consents by the local key, which is the same unless the site's key comes over the network:
who may enter with PIN or card must be known without any network.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import KeyUnavailable, StoreDamaged, StoreError, StoreUnavailable
from edge.store.contexts import RECORDS, is_devices, person_of
from edge.store.database import Schema
from edge.store.sealer import KEY_BYTES, AesGcmSealer
from edge.store.shared import SharedDatabase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from edge.store.site_key import SiteKey

LOG = logging.getLogger(__name__)

KEYS_FILE = "keys.db"
"""Its name inside the data folder."""

BOUND_RECORDS = b"facegate record key of bound rows"
BOUND_WAYS = b"facegate record key of bound rows, ways in too"
BOUND_HOUSE = b"facegate record key of bound rows, ways in, accounts and mode too"
BOUND_ALL = b"facegate record key of bound rows, ways in, accounts, mode, passes and words too"
"""What the key of the records is wrapped for once every row is bound, once PINs and cards are as well, once
the page's accounts and the commanded mode are, and once passes and what the display says are:
without the wrapping key nobody who has the card makes it one of a folder in which something is still to be
bound."""
BINDINGS = (BOUND_RECORDS, BOUND_WAYS, BOUND_HOUSE, BOUND_ALL)
"""In the order in which versions of this program learned to bind."""

KEY_TABLES = ("next_keys", "person_keys")
"""Where keys lie, the newest first."""

KEYS = Schema(
    name="keyring",
    application_id=0x46474B31,  # "FGK1"
    migrations=(
        (
            "CREATE TABLE person_keys (resident_id TEXT PRIMARY KEY, wrapped BLOB NOT NULL)",
            "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), key_id TEXT NOT NULL)",
        ),
        # A row: something was destroyed, and the file is still to be written anew.
        ("CREATE TABLE debts (one INTEGER PRIMARY KEY CHECK (one = 1))",),
        # Fresh keys while everything is being sealed anew; they seal, and both open.
        ("CREATE TABLE next_keys (resident_id TEXT PRIMARY KEY, wrapped BLOB NOT NULL)",),
    ),
)


@dataclass(frozen=True, slots=True)
class _RecordKey:
    sealer: AesGcmSealer
    bound: int
    """How many of `BINDINGS` were done to the rows it marks."""

    def binds(self, since: bytes) -> bool:
        return self.bound > BINDINGS.index(since)


class Keyring:
    """Seals each person's templates with a key of their own. A `Sealer`; any thread, several processes.

    `local_key` wraps the key of the records; by default it is the site's key. Raises
    `StoreError` when the site's key is not the one it was wrapped with, `KeyUnavailable` from `seal`,
    `open` and `rewrap` while the site's key cannot be had or the file cannot be read. Of a damaged file
    what can be read goes on; `is_patient` as in `SharedDatabase`. `is_strict` where the key is not on the
    card: then a row of which nothing shows that we wrote it counts for nothing, also while no key can be had.
    """

    def __init__(
        self,
        path: Path,
        site_key: SiteKey,
        local_key: SiteKey | None = None,
        *,
        is_patient: bool = False,
        is_strict: bool = False,
    ) -> None:
        self._path = path
        self._is_strict = is_strict
        self._site_key, self._local_key = site_key, local_key
        self._wrap: tuple[str, AesGcmSealer] | None = None
        self._records: dict[bytes, _RecordKey] = {}
        self.protection = site_key.protection
        self._file = SharedDatabase(path, KEYS, after_mending=(), is_patient=is_patient)
        with suppress(StoreUnavailable):
            self._file.check()
        with suppress(StoreUnavailable), self._file.using() as connection:
            if self._file.problem is None and connection.execute("SELECT 1 FROM debts").fetchone():
                self._forget_old_pages(connection)  # a power cut came between destroying keys and this
        with suppress(KeyUnavailable, StoreUnavailable), self._file.using():
            # A key of another site is found now, at the start, rather than when a visitor stands at the door.
            self._site_wrap()

    @property
    def problem(self) -> str | None:
        """Why no key can be made or destroyed now, None when they can as far as is known."""
        return self._file.problem

    @property
    def _connection(self) -> sqlite3.Connection:
        """The connection that the block around lends."""
        return self._file.connection

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return `plain` sealed with the key `context` asks for, made when there is none."""
        person = person_of(context)
        if person == RECORDS:
            return self._record_sealers()[0].seal(plain, context)
        with self._file.writing():
            sealers = self._sealers_of(person) or [self._new_sealer(person, self._site_wrap())]
        return sealers[0].seal(plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain bytes. Raises `StoreError` when the person's key was destroyed."""
        sealers = self._sealers_for(person_of(context))
        for sealer in sealers[:-1]:
            with suppress(StoreError):
                return sealer.open(sealed, context)
        return sealers[-1].open(sealed, context)

    def bind(self, row: bytes) -> bytes:
        """Return the mark that shows that we wrote this row."""
        return self._record_sealers()[0].bind(row)

    def is_ours(self, row: bytes, mark: bytes | None, since: bytes = BOUND_RECORDS) -> bool:
        """Return whether we wrote this row; of a folder whose rows are not bound yet, True.

        `since` is the one of `BINDINGS` from which on rows of this kind are bound.

        Without a key nobody can tell: True where the key lies on the card anyway, so that a lost one locks
        nobody out, and else `StoreError` (`KeyUnavailable`).
        """
        try:
            keys = self._record_keys()
        except StoreError:
            if self._is_strict:
                raise
            return True
        # The oldest of the keys is the one under which rows without a mark may still lie.
        return any(key.sealer.is_ours(row, mark) for key in keys) or not keys[-1].binds(since)

    @property
    def is_bound(self) -> bool:
        """Whether every row in the folder has been bound. Raises `StoreError` when no key can be had."""
        return self.binds(BINDINGS[-1])

    def binds(self, since: bytes) -> bool:
        """Return whether all rows that are bound since then have been. Raises `StoreError` likewise."""
        return all(key.binds(since) for key in self._record_keys())

    @property
    def is_remote(self) -> bool:
        """Whether the site's key comes over the network; the key of the records never does."""
        return self._site_key.is_remote

    @property
    def has_site_key(self) -> bool:
        """Whether the site's key in use can be had without asking the network."""
        with _as_key(), self._file.using() as connection:
            row = connection.execute("SELECT key_id FROM head").fetchone()
        if row is None:
            return False
        is_known = self._wrap is not None and self._wrap[0] == row[0]
        return is_known or any(key_id(key) == row[0] for key in self._site_key.at_hand())

    @contextmanager
    def while_keys_stay(self) -> Iterator[None]:
        """Let nobody change the keys during the block. Raises `StoreError` when the file cannot be locked."""
        self._record_keys()
        with self._file.writing():
            yield

    def renewed(self, sealed: bytes, context: bytes) -> bytes | None:
        """Return what was sealed, sealed anew; None when that is done, or when nothing opens it any more.

        For `edge.store.resealing`. Raises `KeyUnavailable`.
        """
        try:
            newest, *former = self._sealers_for(person_of(context))
        except KeyUnavailable:
            raise
        except StoreError:
            return None
        with suppress(StoreError):
            newest.open(sealed, context)
            return None
        for sealer in former:
            with suppress(StoreError):
                return newest.seal(sealer.open(sealed, context), context)
        return None

    def forget(self, person: str) -> str | None:
        """Destroy a person's key; return its fingerprint, or None when there was none.

        The bytes are overwritten in the file and gone from its log when this returns. Needs no key.
        """
        with self._file.using():
            wrapped = self._wrapped(person)
        self.forget_all([person])
        return hashlib.sha256(wrapped[0]).hexdigest()[:16] if wrapped else None

    def forget_all(self, people: Iterable[str]) -> None:
        """Destroy the keys of several people at once: the file is written anew only once."""
        rows = [(person,) for person in people]
        with self._file.writing() as connection:
            for table in KEY_TABLES:
                connection.executemany(f"DELETE FROM {table} WHERE resident_id = ?", rows)  # noqa: S608
            # In the same commit: if the power goes before the old pages are gone, the next start makes up for
            # it.
            connection.execute("INSERT OR IGNORE INTO debts VALUES (1)")
        with self._file.using() as connection:
            self._forget_old_pages(connection)

    def people(self) -> tuple[str, ...]:
        """Return who has a key. Needs no site key."""
        with self._file.using() as connection:
            rows = connection.execute(
                "SELECT resident_id FROM person_keys UNION SELECT resident_id FROM next_keys ORDER BY 1"
            ).fetchall()
        return tuple(row[0] for row in rows if row[0] != RECORDS and not is_devices(row[0]))

    def make_keys(self, people: Iterable[str]) -> None:
        """Have a key for each of them, made in one step where there is none."""
        with self._file.writing():
            for person in people:
                if not self._wrapped(person):
                    self._new_sealer(person, self._site_wrap())

    @property
    def is_renewing(self) -> bool:
        """Whether fresh keys wait for everything to be sealed with them."""
        with self._file.using():
            return self._is_renewing()

    def begin_renewal(self) -> None:
        """Make a fresh key for everybody and the records: from now on they seal, and both open."""
        self._record_sealers()
        with self._file.writing() as connection:
            if self._is_renewing():
                return
            wrap, local = self._site_wrap(), self._local_wrap(self._wrapped(RECORDS)[0])
            people = [row[0] for row in connection.execute("SELECT resident_id FROM person_keys")]
            fresh = [
                (one, wrap.seal(secrets.token_bytes(KEY_BYTES), _context(one)))
                for one in people
                if one != RECORDS
            ]
            fresh.append((RECORDS, local.seal(secrets.token_bytes(KEY_BYTES), BINDINGS[-1])))
            connection.executemany("INSERT INTO next_keys VALUES (?, ?)", fresh)

    def settle_renewal(self) -> None:
        """Destroy the former keys; everything that is to be opened again is sealed with the fresh ones."""
        with self._file.writing() as connection:
            if not self._is_renewing():
                return
            connection.execute("DELETE FROM person_keys")
            connection.execute("INSERT INTO person_keys SELECT resident_id, wrapped FROM next_keys")
            connection.execute("DELETE FROM next_keys")
            connection.execute("INSERT OR IGNORE INTO debts VALUES (1)")
        with self._file.using() as connection:
            self._forget_old_pages(connection)

    def rewrap(self, site_key: bytes, local_key: bytes | None = None) -> int:
        """Wrap every person's key with `site_key` in one step and return how many; nobody is enrolled again.

        The key of the records is wrapped with `local_key`, by default the same.
        """
        wrap, local = AesGcmSealer(site_key), AesGcmSealer(local_key or site_key)
        self._record_sealers()
        with self._file.writing() as connection:
            count = self._rewrap_all(connection, "person_keys", wrap, local)
            self._rewrap_all(connection, "next_keys", wrap, local)
            connection.execute("UPDATE head SET key_id = ?", (key_id(site_key),))
            connection.execute("INSERT OR IGNORE INTO debts VALUES (1)")
        with self._file.using() as connection:
            self._forget_old_pages(connection)
        return count

    def is_wrapped_with(self, site_key: bytes) -> bool:
        """Return whether this key is the one in use."""
        with self._file.using() as connection:
            row = connection.execute("SELECT key_id FROM head").fetchone()
        return row is not None and row[0] == key_id(site_key)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()

    def _forget_old_pages(self, connection: sqlite3.Connection) -> None:
        """Write the file anew: `secure_delete` leaves copies of rows in the gaps of pages that were split.

        In random trials 4 of 2,780 deleted keys were found in the file without this.
        """
        try:
            # In this order: while a debt is noted the next start does this again.
            connection.execute("VACUUM")
            connection.execute("DELETE FROM debts")
        except sqlite3.OperationalError as error:
            LOG.warning("%s: old pages leave it at the next change: %s", self._path, error)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _rewrap_all(
        self, connection: sqlite3.Connection, table: str, wrap: AesGcmSealer, local: AesGcmSealer
    ) -> int:
        rows = connection.execute(f"SELECT resident_id, wrapped FROM {table}").fetchall()  # noqa: S608
        for person, wrapped in rows:
            is_local = person == RECORDS
            old = self._local_wrap(wrapped) if is_local else self._site_wrap()
            new = local if is_local else wrap
            key, context = _record_key(old, wrapped) if is_local else _key_of(old, person, wrapped)
            again = new.seal(key, context)
            connection.execute(f"UPDATE {table} SET wrapped = ? WHERE resident_id = ?", (again, person))  # noqa: S608
        return sum(person != RECORDS and not is_devices(person) for person, _ in rows)

    def _site_wrap(self) -> AesGcmSealer:
        """Return what opens persons' keys now: another process may have changed the site's key."""
        row = self._connection.execute("SELECT key_id FROM head").fetchone()
        if row is None:
            row = (key_id(self._site_key.keys()[0]),)
            self._connection.execute("INSERT OR IGNORE INTO head VALUES (1, ?)", row)
        if self._wrap is None or self._wrap[0] != row[0]:
            self._wrap = (row[0], AesGcmSealer(self._current(row[0])))
        return self._wrap[1]

    def _current(self, wanted: str) -> bytes:
        """Return the key this file is wrapped with: one at hand, or one the site offers when asked twice."""
        # Asked once more: a key from the network may come out of a cache first, see `RemoteKey.keys`.
        for offer in (self._site_key.at_hand, self._site_key.keys, self._site_key.keys):
            for key in offer():
                if key_id(key) == wanted:
                    return key
        raise StoreError(
            f"{self._path}: wrapped with another site key ({wanted}); restore that key, or remove the file"
            " and enrol everybody again"
        )

    def _sealers_for(self, person: str) -> list[AesGcmSealer]:
        """Return what may open something of this person, the newest first; at least one."""
        if person == RECORDS:
            return self._record_sealers()
        with _as_key(), self._file.using():
            sealers = self._sealers_of(person)
        if not sealers:
            raise StoreError("the key of this person was destroyed")
        return sealers

    def _record_sealers(self) -> list[AesGcmSealer]:
        """Return what opens records, the newest first."""
        return [key.sealer for key in self._record_keys()]

    def _record_keys(self) -> list[_RecordKey]:
        """Return the keys of the records, the newest first; another process may have changed them."""
        try:
            with _as_key(), self._file.using():
                wrapped = self._wrapped(RECORDS)
        except KeyUnavailable:
            # What was read before still opens names, PINs and cards while the file cannot be read.
            if self._records:
                return list(self._records.values())
            raise
        if not wrapped:
            return [self._new_record_key()]
        # Unwrapped once, and again only when the file holds other wrapped keys.
        if list(self._records) != wrapped:
            self._records = {one: self._unwrapped_record(one) for one in wrapped}
        return list(self._records.values())

    def _unwrapped_record(self, wrapped: bytes) -> _RecordKey:
        if known := self._records.get(wrapped):
            return known
        key, context = _record_key(self._local_wrap(wrapped), wrapped)
        return _RecordKey(AesGcmSealer(key), BINDINGS.index(context) + 1 if context in BINDINGS else 0)

    def _new_record_key(self) -> _RecordKey:
        """Make the key of the records; rows are bound with it at the next start, if it is not strict."""
        with self._file.writing():
            if wrapped := self._wrapped(RECORDS):  # another process may just have made it
                return self._unwrapped_record(wrapped[0])
            context = BINDINGS[-1] if self._is_strict else _context(RECORDS)
            sealer = self._new_sealer(RECORDS, AesGcmSealer(self._local_keys()[0]), context)
            return _RecordKey(sealer, len(BINDINGS) if self._is_strict else 0)

    def _local_wrap(self, wrapped: bytes) -> AesGcmSealer:
        """Return the first of the local keys that opens the records' key."""
        for key in self._local_keys():
            wrap = AesGcmSealer(key)
            with suppress(StoreError):
                _record_key(wrap, wrapped)
                return wrap
        raise StoreError(
            f"{self._path}: the key of the records is wrapped with another key; restore that one"
        )

    def _local_keys(self) -> Sequence[bytes]:
        return (self._local_key or self._site_key).keys()

    def _new_sealer(self, person: str, wrap: AesGcmSealer, context: bytes | None = None) -> AesGcmSealer:
        # While everything is being sealed anew a new person's key is a fresh one as well.
        table = "next_keys" if self._is_renewing() else "person_keys"
        key = secrets.token_bytes(KEY_BYTES)
        self._connection.execute(
            f"INSERT INTO {table} VALUES (?, ?)",  # noqa: S608
            (person, wrap.seal(key, context or _context(person))),
        )
        return AesGcmSealer(key)

    def _sealers_of(self, person: str) -> list[AesGcmSealer]:
        return [_unwrapped(self._site_wrap(), person, wrapped) for wrapped in self._wrapped(person)]

    def _wrapped(self, person: str) -> list[bytes]:
        """Return a person's wrapped keys, the newest first."""
        found = [
            self._connection.execute(
                f"SELECT wrapped FROM {table} WHERE resident_id = ?",  # noqa: S608
                (person,),
            ).fetchone()
            for table in KEY_TABLES
        ]
        return [bytes(row[0]) for row in found if row is not None]

    def _is_renewing(self) -> bool:
        return self._connection.execute("SELECT 1 FROM next_keys LIMIT 1").fetchone() is not None


@contextmanager
def _as_key() -> Iterator[None]:
    """Raise `KeyUnavailable` for a keyring that cannot be read now: nobody needs to enrol again."""
    try:
        yield
    except (StoreUnavailable, StoreDamaged) as error:
        raise KeyUnavailable(str(error)) from error


def key_id(key: bytes) -> str:
    """Return the name of a site key: tells keys apart and gives nothing away."""
    return hashlib.sha256(b"facegate site key\0" + key).hexdigest()[:16]


def _record_key(wrap: AesGcmSealer, wrapped: bytes) -> tuple[bytes, bytes]:
    """Return the key of the records and what it was wrapped for. Raises `StoreError`."""
    for context in reversed(BINDINGS):
        with suppress(StoreError):
            return wrap.open(wrapped, context), context
    return _key_of(wrap, RECORDS, wrapped)


def _key_of(wrap: AesGcmSealer, person: str, wrapped: bytes) -> tuple[bytes, bytes]:
    return wrap.open(wrapped, _context(person)), _context(person)


def _context(person: str) -> bytes:
    return f"facegate person key\0{person}".encode()


def _unwrapped(wrap: AesGcmSealer, person: str, wrapped: bytes) -> AesGcmSealer:
    return AesGcmSealer(wrap.open(wrapped, _context(person)))
