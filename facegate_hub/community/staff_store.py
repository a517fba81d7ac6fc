"""What only the property's own processes may write: staff's accounts, logins, passkeys and notices.

The residents' page writes to the community's database, and a SQLite file has one set of permissions: whoever
takes the page over can write any row of it. So everything that gives power over others is stored in a
database of its own, in the site's folder `staff`, which the page's service cannot read. The book gets a copy,
with an entry for each change. The copy may have been tampered with, so nobody is let in by it.

Each change is committed here first, together with the entry that the book is to get. The entry is passed on
at once, or later while the community's database cannot be written: blocking that database locks no staff out.
"""

from __future__ import annotations

import hmac
import json
import logging
import stat
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.durable import let_group, like_folder, make_folder, write_whole
from edge.errors import StoreError
from edge.store.sealer import AesGcmSealer, file_key
from facegate_hub.community.book import SYSTEM, Change, Doer
from facegate_hub.community.schema import (
    ACCOUNTS,
    CONTENTS,
    DEVICES,
    LEDGER,
    METADATA,
    NOTICES,
    PASSKEYS,
    PROJECTIONS,
    SECRETS,
)
from facegate_hub.database import open_engine, put, put_all, reading
from facegate_hub.looking import LookingThread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine, Row

    from edge.store.sealer import Sealer
    from facegate_hub.community.book import Book, Writing

LOG = logging.getLogger(__name__)

FOLDER = "staff"
"""In the site's folder: database, key, terms, and the console's certificate. The page's service sees only the
terms of it."""
DATABASE_FILE, KEY_FILE = "staff.db", "staff.key"
TERMS_FILE = "terms.toml"
BEFORE = "community"
"""Where an older version kept all of it."""
TAKEN_OVER = "staff.taken_over"
COMMITTEE_BEGAN = "committee.began"
TELL_SECONDS = 10.0
MOST_TOLD = 200
"""Entries in one commit of the book."""
LATE_SECONDS = 60
"""An entry that is told later says when it was."""

NOTICE_TEXTS = ("title_zh", "title_en", "text")
"""Columns of a notice that are marks in the book, and words here."""

STAFF = sa.MetaData()

UNTOLD = sa.Table(
    "untold",
    STAFF,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String(80), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(80), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
"""What the book has not been told yet; `body` is JSON: rows of its copy, texts by column, what to say."""

STAFF_NOTICES = sa.Table(
    "staff_notices",
    STAFF,
    sa.Column("number", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("state", "level", "buildings", "tie")),
    *(sa.Column(name, sa.Text, nullable=False) for name in NOTICE_TEXTS),
    sa.Column("begins", sa.BigInteger, nullable=False),
    sa.Column("ends", sa.BigInteger, nullable=False),
    sa.Column("drafted_by", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text),
    sa.Column("replaces", sa.Text),
)
"""Notices as staff wrote and approved them: what doors, mails and web requests tell is read here."""

ENDED_PASSES = sa.Table(
    "ended_passes",
    STAFF,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("pass_id", sa.String(16)),
    sa.Column("by", sa.String(80), nullable=False),
    sa.Column("why", sa.String(32), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
"""Visitor passes that staff ended: `pass_id` is what stands on the pass, None of one that was only a wish."""

CODES_MADE = sa.Table(
    "codes_made", STAFF, sa.Column("account", sa.String(80), primary_key=True), sa.Column("at", sa.BigInteger)
)
"""When an account's one-time code was made that has not been used."""

MARKS = sa.Table(
    "marks", STAFF, sa.Column("name", sa.String(40), primary_key=True), sa.Column("at", sa.BigInteger)
)
"""What happened once: that older data was taken over, that the committee's own accounts began."""

OWN_TABLES = (ACCOUNTS, SECRETS, PASSKEYS, DEVICES)
"""Of the same shape as in the community's database; there they are copies, or residents' own."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the book keeps or drops: `texts` by column of the entry's first row, marks that are `gone`."""

    texts: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()


NO_CONTENTS = Contents()


@dataclass(slots=True)
class StaffWriting:
    """One commit in the making: rows here, and what the book is told of them."""

    connection: Connection
    at: int

    def enter(self, actor: Doer, kind: str, subject: str, *rows: Change, **say: Any) -> None:
        """Set rows that are ours, and have the book say so."""
        for one in rows:
            put(self.connection, one.table, {"id": one.id, **one.values})
        self.tell(actor, kind, subject, rows, **say)

    def tell(
        self,
        actor: Doer,
        kind: str,
        subject: str,
        rows: tuple[Change, ...] = (),
        contents: Contents = NO_CONTENTS,
        **say: Any,
    ) -> None:
        """Have the book set rows of its copy, and keep or drop what they stand for."""
        told = [[one.table.name, one.id, one.values] for one in rows]
        found = {"rows": told, "texts": dict(contents.texts), "gone": list(contents.gone), "say": say}
        body = json.dumps(found, ensure_ascii=False)
        values = {"at": self.at, "actor": str(actor), "kind": kind, "subject": subject, "body": body}
        self.connection.execute(sa.insert(UNTOLD).values(**values))


class StaffStore:
    """The staff's database beside the book. Any thread; for the property's own processes alone.

    `secret` makes what must be the same after a restart, such as forms' tokens.
    """

    def __init__(self, engine: Engine, sealer: Sealer, secret: bytes, book: Book) -> None:
        self.engine = engine
        self.sealer = sealer
        self.secret = secret
        self.book = book
        self._telling = threading.Lock()

    def now(self) -> int:
        """Return the time in UTC seconds."""
        return self.book.now()

    @contextmanager
    def writing(self) -> Iterator[StaffWriting]:
        """Give one commit; an error undoes all of it. The book is told afterwards."""
        with self.engine.begin() as connection:
            yield StaffWriting(connection, self.now())
        try:
            self.tell()
        except (sa.exc.SQLAlchemyError, StoreError) as error:
            LOG.warning("the book is told later what staff did: %s", str(error).splitlines()[0])

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Give a connection for looking only, which sees one moment."""
        with reading(self.engine) as connection:
            yield connection

    def has(self, mark: str) -> bool:
        """Return whether something has happened."""
        with self.looking() as connection:
            return connection.execute(sa.select(MARKS).where(MARKS.c.name == mark)).first() is not None

    def tell(self) -> int:
        """Tell the book what it does not know yet, in order, and return how many entries that were.

        A process that is killed between the two commits tells again: an entry may appear twice, none is lost.
        """
        # One at a time in this process, so that two threads do not tell the same entries.
        with self._telling:
            if not self._untold():
                return 0
            with self.book.writing() as writing:
                # Read again under the book's lock. Another process may have told these, and later ones: told
                # once more, an older state of a notice or an account would stand over its newer one.
                rows = self._untold()
                for row in rows:
                    _enter(writing, row)
            if rows:
                with self.engine.begin() as connection:
                    connection.execute(sa.delete(UNTOLD).where(UNTOLD.c.seq <= rows[-1].seq))
        return len(rows)

    def _untold(self) -> Sequence[Row[Any]]:
        with self.looking() as connection:
            return connection.execute(sa.select(UNTOLD).order_by(UNTOLD.c.seq).limit(MOST_TOLD)).all()


class StaffTeller(LookingThread):
    """Tells the book later what it could not be told at once, in a thread of its own."""

    def __init__(self, staff: StaffStore) -> None:
        self._staff = staff
        super().__init__("staff-teller", TELL_SECONDS, "the book could not be told what staff did")

    def look(self) -> int:
        """Tell what waits, and return how many entries that were."""
        return self._staff.tell()


def open_staff(site: Path, book: Book) -> StaffStore:
    """Return the staff's database of a site; what an older version kept in the book's is taken over once.

    Raises `StoreError` or `KeyUnavailable` when it cannot be opened.
    """
    folder = site / FOLDER
    make_folder(folder)
    is_shared = bool(folder.stat().st_mode & stat.S_ISGID)  # with the account of the console
    if not is_shared:
        folder.chmod(0o700)
    key = file_key(folder / KEY_FILE)
    like_folder(folder / KEY_FILE)
    let_group(folder / KEY_FILE, 0o040)
    # A key of its own, made of the one that seals: a form's token tells nothing of that.
    secret = hmac.digest(key, b"what is not sealed", "sha256")
    try:
        engine = open_engine(f"sqlite:///{(folder / DATABASE_FILE).absolute()}")
        with engine.begin() as connection:
            METADATA.create_all(connection, list(OWN_TABLES))
            STAFF.create_all(connection)
        if not is_shared:
            (folder / DATABASE_FILE).chmod(0o600)
        store = StaffStore(engine, AesGcmSealer(key), secret, book)
        _take_over(store, folder, site / BEFORE)
        _date_codes(store)
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"staff database: {str(error).splitlines()[0]}") from error
    return store


def mark(connection: Connection, name: str, at: int) -> None:
    """Note that something has happened."""
    put(connection, MARKS, {"name": name, "at": at})


def _enter(writing: Writing, row: Row[Any]) -> None:
    body = json.loads(row.body)
    say = body["say"] | ({"was_at": row.at} if writing.at - row.at > LATE_SECONDS else {})
    changes = [Change(PROJECTIONS[table], identity, values) for table, identity, values in body["rows"]]
    for column, text in body["texts"].items():
        changes[0].values[column] = writing.keep(text, row.subject) if text else None
    if body["gone"]:
        writing.drop(CONTENTS.c.mark.in_(body["gone"]))
    kind, _, identity = row.actor.partition(":")
    writing.enter(Doer(kind, identity), row.kind, row.subject, *changes, **say)


def _take_over(store: StaffStore, folder: Path, before: Path) -> None:
    """Take over what an older version kept where the page can write; once in a site's life.

    Sessions are not: staff log in again. A staff database that was lost begins empty: what stands in the
    community's database by then may be anybody's.
    """
    if store.has(TAKEN_OVER):
        if (before / TERMS_FILE).exists():
            LOG.warning("%s is not read: terms stand in %s", before / TERMS_FILE, folder / TERMS_FILE)
        return
    book = store.book
    with store.writing() as writing:
        if writing.connection.execute(sa.select(MARKS.c.name).where(MARKS.c.name == TAKEN_OVER)).first():
            return  # another process was quicker
        with book.looking() as old:
            told = sa.select(LEDGER.c.seq).where(LEDGER.c.kind == TAKEN_OVER).limit(1)
            # The book says that a staff database was made before: if it is not there it was lost.
            if old.execute(told).first() is None:
                _copy(store, writing.connection, old)
                _take_terms(folder / TERMS_FILE, before / TERMS_FILE)
            else:
                LOG.error("the staff's database is gone: accounts begin anew, with codes that are handed out")
            count = writing.connection.execute(sa.select(sa.func.count()).select_from(ACCOUNTS)).scalar_one()
        mark(writing.connection, TAKEN_OVER, writing.at)
        writing.tell(SYSTEM, TAKEN_OVER, "account", accounts=count)
    # Only after the commit above: a process that is killed in between has the old rows twice, never not at
    # all.
    with book.engine.begin() as connection:
        connection.execute(sa.delete(SECRETS))
        # The staff's copy counts from now on: nothing that opens the console stays where the page can write.
        for table in (PASSKEYS, DEVICES):
            connection.execute(sa.delete(table).where(table.c.holder.like("account:%")))


def _date_codes(store: StaffStore) -> None:
    """Have the time of codes that an older version made begin now; it did not note when it made them."""
    undated = sa.select(SECRETS.c.account).where(
        SECRETS.c.code.is_not(None), SECRETS.c.account.not_in(sa.select(CODES_MADE.c.account))
    )
    with store.looking() as connection:
        if connection.execute(undated).first() is None:
            return
    with store.engine.begin() as connection:
        for name in list(connection.execute(undated).scalars()):
            put(connection, CODES_MADE, {"account": name, "at": store.now()})


def _take_terms(path: Path, before: Path) -> None:
    """Take the terms over by their words: a link or a second name of the file would stay the page's."""
    if before.is_file() and not before.is_symlink() and not path.exists():
        write_whole(path, before.read_bytes())
        path.chmod(0o644)  # the page, another account, is shown it
        before.unlink()


def _copy(store: StaffStore, new: Connection, old: Connection) -> None:
    put_all(new, ACCOUNTS, [dict(row) for row in old.execute(sa.select(ACCOUNTS)).mappings()])
    keys = sa.select(PASSKEYS).where(PASSKEYS.c.holder.like("account:%"))
    put_all(new, PASSKEYS, [dict(row) for row in old.execute(keys).mappings()])
    for row in old.execute(sa.select(SECRETS)).mappings():
        about = f"totp:{row['account']}".encode()
        totp = row["totp"] and store.sealer.seal(store.book.sealer.open(row["totp"], about), about)
        put(new, SECRETS, {**row, "totp": totp})
    for row in old.execute(sa.select(NOTICES)).mappings():
        texts = {name: store.book.text(old, row[name]) or "" for name in NOTICE_TEXTS}
        put(new, STAFF_NOTICES, {column.name: row[column.name] for column in STAFF_NOTICES.c} | texts)
    entered = (LEDGER.c.kind == "account.active", LEDGER.c.subject == sa.literal("account:") + ACCOUNTS.c.id)
    # Also a committee whose accounts have all ended since has begun: nobody else makes its first account
    # again.
    was_active = (ACCOUNTS.c.state == "active") | sa.exists().where(*entered)
    began = sa.select(ACCOUNTS.c.id).where(ACCOUNTS.c.side == "committee", was_active)
    if old.execute(began).first() is not None:
        mark(new, COMMITTEE_BEGAN, store.now())
