"""Who may use the panel: named accounts with a role, no default password, a one-time code at first."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from edge.errors import PanelRefused
from edge.events import Kind
from edge.store.account_rows import ACCOUNT_COLUMNS, ACCOUNTS
from edge.store.bound_ways import BoundWays
from edge.store.key_source import keyring_of
from edge.store.keyring import BOUND_HOUSE
from edge.store.shared import SharedDatabase
from edge.store.untold import KeepsUntold, UntoldEvent, keep_untold
from edge.words import message

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

LEAST_PASSWORD = 10
"""Characters. With the login's back-off, guessing ten characters is out of reach."""

MOST_PASSWORD = 256
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
"""71 ms and 16 MiB on the machine it was chosen on: dear for a guesser, bearable for a small board."""

HASHING = threading.Lock()
"""One password at a time: forty at once would take 640 MiB of a board that has one gibibyte."""

CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that is mistaken for something else
CODE_LETTERS = 10  # 50 bits

PUT_ACCOUNT = f"INSERT OR REPLACE INTO accounts ({ACCOUNT_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608


class Role(StrEnum):
    """What an account may do: everything, people, or look."""

    INSTALLER = "installer"
    STAFF = "staff"
    AUDITOR = "auditor"


class AccountRow(NamedTuple):
    """An account as it is stored; the digest is useless as a password."""

    name: str
    role: str
    salt: bytes
    digest: bytes


def _nobody() -> None:
    """Tell nobody."""


class Accounts(KeepsUntold):
    """The accounts of one door, in one file. Any thread.

    The file may also be changed by a command on the machine while the page is served. An account whose row
    this door did not write counts for nothing: nobody logs in with it, `report` hears whose they are, and
    `facegate account set` makes it count again. Raises `StoreError` where nobody can tell who wrote a row.
    """

    def __init__(
        self, path: Path, report: Callable[[tuple[str, ...]], object] = lambda _edited: None
    ) -> None:
        self._file = SharedDatabase(path, ACCOUNTS, after_mending=(), begins_anew=False)
        self._ways = BoundWays(lambda: keyring_of(path.parent), BOUND_HOUSE, report)
        self._first_code = new_code()

    @property
    def first_code(self) -> str | None:
        """What the device prints while there is no account; None from the first one on, whoever made it."""
        with self._file.using() as connection:
            is_any = connection.execute("SELECT 1 FROM accounts LIMIT 1").fetchone() is not None
        return None if is_any else self._first_code

    @property
    def edited(self) -> tuple[str, ...]:
        """Whose accounts were last found to be written by somebody else than this door."""
        return self._ways.edited

    def all(self) -> dict[str, Role]:
        """Return the role of every account that counts."""
        return {row.name: Role(row.role) for row in self._rows()}

    def _rows(self) -> list[AccountRow]:
        with self._file.using() as connection:
            sql = f"SELECT {ACCOUNT_COLUMNS} FROM accounts ORDER BY name"  # noqa: S608
            rows = connection.execute(sql).fetchall()
        ours = self._ways.ours("accounts", rows)
        return [AccountRow(name, role, salt, digest) for role, name, salt, digest, _bound in ours]

    def claim(self, code: str, name: str, password: str, tell: Callable[[], object] = _nobody) -> bool:
        """Make the first installer for the holder of the printed code; False for a wrong code.

        `tell` as in `put`. Raises `PanelRefused` for a name or password that cannot be.
        """
        wanted = self.first_code
        if wanted is None or not hmac.compare_digest(plain_code(code).encode(), plain_code(wanted).encode()):
            return False
        self.put(name, Role.INSTALLER, password, tell)
        return True

    def put(self, name: str, role: Role, password: str, tell: Callable[[], object] = _nobody) -> AccountRow:
        """Make an account or change it, and return it as it is stored.

        Raises `PanelRefused` naming the rule that is broken. `tell` writes it down: called when nothing
        stands against it and before it counts, so that a power cut leaves no account of which the journal
        does not know. Where that raises nothing is changed.
        """
        if not (0 < len(name) <= 64) or not name.isprintable() or name != name.strip():
            raise PanelRefused(message("error.account_name"))
        require_good_password(name, password)
        salt = secrets.token_bytes(16)
        row = AccountRow(name, role.value, salt, password_digest(password, salt))
        with self._file.writing() as connection:
            # Inside the write: two installers who demote each other at once would leave none.
            if role is not Role.INSTALLER:
                self._require_another_installer(name)
            tell()
            self._store(connection, row)
        return row

    def remove(self, name: str, by: str) -> None:
        """Remove an account. Raises `PanelRefused` for the last installer: nobody could get in.

        It counts at once, whatever the journal does; that `by` did it is kept to be told (`untold`).
        """
        told = UntoldEvent(Kind.PANEL_ACCOUNT_REMOVED, None, {"by": by, "account": name})
        with self._file.writing() as connection:
            self._require_another_installer(name)
            if connection.execute("DELETE FROM accounts WHERE name = ?", (name,)).rowcount:
                keep_untold(connection, told)

    def _require_another_installer(self, name: str) -> None:
        installers = [other for other, role in self.all().items() if role is Role.INSTALLER]
        if installers == [name]:
            raise PanelRefused(message("error.last_installer", name=name))

    def kept(self, name: str) -> AccountRow | None:
        """Return an account that counts as it is stored, to be put back; None when there is none."""
        return next((row for row in self._rows() if row.name == name), None)

    def put_back(
        self, row: AccountRow, after: AccountRow | None = None, tell: Callable[[], object] = _nobody
    ) -> None:
        """Store an account as it was, with its former password and role; `tell` as in `put`.

        `after` is what was made of it (None: it was removed). Raises `PanelRefused` when it is something else
        by now: a newer change, perhaps of a password that somebody knew, is not undone with the older one.
        """
        with self._file.writing() as connection:
            if self.kept(row.name) != after:
                raise PanelRefused(message("error.undo_changed", name=row.name))
            if row.role != Role.INSTALLER:
                self._require_another_installer(row.name)
            tell()
            self._store(connection, row)

    def _store(self, connection: sqlite3.Connection, row: AccountRow) -> None:
        columns = (row.role, row.name, row.salt, row.digest)
        connection.execute(PUT_ACCOUNT, self._ways.bound("accounts", columns))

    def check(self, name: str, password: str) -> Role | None:
        """Return the role when name and password belong together; takes as long when they do not."""
        # A digest is made for a name that does not exist, too; no digest equals the empty one.
        row = self.kept(name) or AccountRow(name, "", b"no such account.", b"")
        given = password_digest(password[: MOST_PASSWORD + 1], row.salt)
        return Role(row.role) if hmac.compare_digest(given, row.digest) else None

    def close(self) -> None:
        """Close the files. Safe to call twice."""
        self._ways.close()
        self._file.close()


def require_good_password(name: str, password: str) -> None:
    """Raise `PanelRefused` for a password that is too short, too long or holds the account's name."""
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise PanelRefused(message("error.password_length", least=LEAST_PASSWORD, most=MOST_PASSWORD))
    if name.lower() in password.lower():
        raise PanelRefused(message("error.password_name"))


def new_code(letters: int = CODE_LETTERS) -> str:
    """Return a one-time code for people to copy, in groups of five, such as `7KQ2M-XW9AB`."""
    drawn = "".join(secrets.choice(CODE_ALPHABET) for _ in range(letters))
    return "-".join(drawn[at : at + 5] for at in range(0, letters, 5))


def plain_code(typed: str) -> str:
    """Return a code as it was meant, however it was typed."""
    return typed.strip().upper().replace("-", "").replace(" ", "")


def password_digest(password: str, salt: bytes) -> bytes:
    """Return the digest of a password; letters with accents count the same however they were typed (NFC)."""
    typed = unicodedata.normalize("NFC", password).encode()
    with HASHING:
        return hashlib.scrypt(typed, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=32)
