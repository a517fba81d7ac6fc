"""The book: each change and its entry in a hash chain are one commit; the chain alone can rebuild the tables.

An entry never contains free text, names or pictures, only their marks: SHA-256 over a random salt, the owner
and the content. Erasing somebody deletes salt and content; the marks that remain reveal nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from edge.errors import StoreError
from edge.store.payload import canonical
from facegate_hub.community.schema import CONTENTS, LEDGER
from facegate_hub.database import in_parts, one_at_a_time, put, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection, Engine, Row

    from edge.ports import Clock
    from edge.store.sealer import Sealer

GENESIS = "0" * 64
SALT_BYTES = 16
"""A short text could be guessed from a bare hash; with the salt gone it cannot."""


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does something: `kind` person, account, slip (of paper), code, command or system."""

    kind: str
    id: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind


SYSTEM = Doer("system")


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry as it is read: `at` UTC seconds, `say` what it tells of itself."""

    seq: int
    at: int
    actor: str
    kind: str
    subject: str
    say: dict[str, Any]
    hash: str


@dataclass(slots=True)
class Writing:
    """One commit in the making."""

    connection: Connection
    at: int
    _sealer: Sealer
    _kept: list[str] = field(default_factory=list)
    _gone: list[str] = field(default_factory=list)

    def keep(self, content: str | bytes, owner: str) -> str:
        """Store a text or picture of `owner`, sealed, and return its mark; the next entry names it."""
        plain = content.encode() if isinstance(content, str) else content
        salt = secrets.token_bytes(SALT_BYTES)
        mark = mark_of(salt, owner, plain)
        row = {"mark": mark, "owner": owner, "salt": salt, "sealed": self._sealer.seal(plain, mark.encode())}
        self.connection.execute(sa.insert(CONTENTS).values(**row))
        self._kept.append(mark)
        return mark

    def drop(self, *conditions: sa.ColumnElement[bool]) -> int:
        """Delete contents for ever and return how many; the next entry names their marks."""
        found = list(self.connection.execute(sa.select(CONTENTS.c.mark).where(*conditions)).scalars())
        self.connection.execute(sa.delete(CONTENTS).where(*conditions))
        self._gone += found
        return len(found)

    def enter(self, actor: Doer, kind: str, subject: str, *rows: Change | RowRemoval, **say: Any) -> int:
        """Set rows or take them out, add the entry that says so, and return its number."""
        for one in rows:
            if one.values is None:
                self.connection.execute(sa.delete(one.table).where(one.table.c.id == one.id))
            else:
                put(self.connection, one.table, {"id": one.id, **one.values})
        body = {"rows": [[one.table.name, one.id, one.values] for one in rows], "say": say}
        body |= {"kept": self._kept, "gone": self._gone}
        # `verify` expects each mark in exactly one entry: the one written right after it was kept or dropped.
        self._kept, self._gone = [], []
        last = self.connection.execute(
            sa.select(LEDGER.c.seq, LEDGER.c.hash).order_by(LEDGER.c.seq.desc()).limit(1)
        ).first()
        seq, prev = (last.seq + 1, last.hash) if last else (1, GENESIS)
        fields = [seq, self.at, str(actor), kind, subject, canonical(body), prev]
        self.connection.execute(sa.insert(LEDGER).values([*fields, entry_hash(fields)]))
        return int(seq)


@dataclass(frozen=True, slots=True)
class Change:
    """Values for some columns of one row of a projection; the row is made when it is not there."""

    table: sa.Table
    id: str
    values: dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class RowRemoval:
    """One row of a projection that is taken out; an entry holds null where a change has its values."""

    table: sa.Table
    id: str
    values: None = None


class LoginWriting(Protocol):
    """One commit of a place where logins are kept."""

    @property
    def connection(self) -> Connection:
        """Where it is written."""

    @property
    def at(self) -> int:
        """When, in UTC seconds."""

    def enter(self, actor: Doer, kind: str, subject: str, *rows: Change, **say: Any) -> object:
        """Set rows, and have the book say so."""


class LoginStore(Protocol):
    """Where logins are kept: residents' in the book's database, staff's in one of their own."""

    @property
    def engine(self) -> Engine:
        """Its database."""

    @property
    def secret(self) -> bytes:
        """What must be the same after a restart is made with it."""

    def now(self) -> int:
        """Return the time in UTC seconds."""

    def writing(self) -> AbstractContextManager[LoginWriting]:
        """Give one commit; an error undoes all of it."""

    def looking(self) -> AbstractContextManager[Connection]:
        """Give a connection for looking only."""


class Book:
    """The community's database, which is written to in whole commits. Any thread.

    `secret` derives values that must be the same in every process and after a restart, such as form tokens.
    """

    def __init__(self, engine: Engine, sealer: Sealer, clock: Clock, secret: bytes) -> None:
        self.engine = engine
        self.sealer = sealer
        self.clock = clock
        self.secret = secret

    def now(self) -> int:
        """Return the time in UTC seconds."""
        return int(self.clock.now().timestamp())

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Give one commit; an error undoes all of it."""
        with self.engine.begin() as connection:
            # Lock before the last entry is read. Otherwise two writers would both append to the same entry,
            # and the chain would fork.
            one_at_a_time(connection, LEDGER)
            yield Writing(connection, self.now(), self.sealer)

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Give a connection for looking only, which sees one moment."""
        with reading(self.engine) as connection:
            yield connection

    def texts(self, connection: Connection, marks: set[str]) -> dict[str, str]:
        """Return what these marks stand for; those that were erased are not among them."""
        wanted, found = sorted(marks - {""}), dict[str, str]()
        for some in in_parts(wanted):
            query = sa.select(CONTENTS.c.mark, CONTENTS.c.sealed).where(CONTENTS.c.mark.in_(some))
            for row in connection.execute(query):
                found[row.mark] = self.sealer.open(row.sealed, row.mark.encode()).decode()
        return found

    def text(self, connection: Connection, mark: str | None) -> str | None:
        """Return what a mark stands for; None when it was erased."""
        return self.texts(connection, {mark}).get(mark) if mark else None

    def picture(self, connection: Connection, mark: str) -> bytes | None:
        """Return the picture of a mark; None when it was erased."""
        query = sa.select(CONTENTS.c.sealed).where(CONTENTS.c.mark == mark)
        sealed = connection.execute(query).scalar()
        return None if sealed is None else self.sealer.open(sealed, mark.encode())

    def entries(self, connection: Connection, subject: str) -> list[LedgerEntry]:
        """Return every entry about one subject, oldest first."""
        query = sa.select(LEDGER).where(LEDGER.c.subject == subject).order_by(LEDGER.c.seq)
        return [read_entry(row) for row in connection.execute(query)]

    def newest(self, connection: Connection, count: int) -> list[LedgerEntry]:
        """Return the last entries, newest first."""
        query = sa.select(LEDGER).order_by(LEDGER.c.seq.desc()).limit(count)
        return [read_entry(row) for row in connection.execute(query)]

    def head(self, connection: Connection) -> tuple[int, str]:
        """Return number and hash of the last entry; (0, zeros) of an empty book."""
        query = sa.select(LEDGER.c.seq, LEDGER.c.hash).order_by(LEDGER.c.seq.desc()).limit(1)
        last = connection.execute(query).first()
        return (last.seq, last.hash) if last else (0, GENESIS)


def mark_of(salt: bytes, owner: str, plain: bytes) -> str:
    """Return the mark of a content."""
    return hashlib.sha256(salt + owner.encode() + b"\0" + plain).hexdigest()


def entry_hash(fields: list[Any]) -> str:
    """Return the hash of an entry: over its number, time, actor, kind, subject, body and the hash before."""
    return hashlib.sha256(canonical(fields).encode()).hexdigest()


def read_entry(row: Row[Any]) -> LedgerEntry:
    """Return a row of the chain as an entry. Raises `StoreError` when its body is none."""
    try:
        say = json.loads(row.body)["say"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"entry {row.seq} of the book cannot be read; run: hub community verify") from error
    return LedgerEntry(row.seq, row.at, row.actor, row.kind, row.subject, say, row.hash)
