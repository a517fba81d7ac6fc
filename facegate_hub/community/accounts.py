"""Accounts of staff and committee: a one-time code at first, then a password and an authenticator app.

No default password, no shared account, no account that may do everything. The committee's accounts are made
by the committee; the property makes its first one and hands the code over, and the book says so. They are
kept in the staff's own store; the book has a copy of names, duties and states.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.web.accounts import (
    MOST_PASSWORD,
    new_code,
    password_digest,
    plain_code,
    require_good_password,
)
from edge.words import message
from facegate_hub.community.book import SYSTEM, Change, Doer
from facegate_hub.community.devices import forget_holder
from facegate_hub.community.duties import MAKERS, OF_SIDE, Duty, Right, Side, may
from facegate_hub.community.schema import ACCOUNTS, SECRETS
from facegate_hub.community.staff_store import CODES_MADE, COMMITTEE_BEGAN, MARKS, mark
from facegate_hub.community.totp import new_secret, step_of
from facegate_hub.database import put

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from facegate_hub.community.book import LoginStore
    from facegate_hub.community.staff_store import StaffStore, StaffWriting

FIRST = "admin"
"""The name of the account that is there before any other."""
NOBODY = b"no such account."
CODE_DAYS = 7
"""A one-time code is good for so long, as a resident's: over a weekend and a holiday, and not for whoever
finds the slip in a drawer a year later."""
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody's account: `state` is invited (a code waits), active or ended."""

    name: str
    duty: Duty
    side: Side
    state: str

    @property
    def doer(self) -> Doer:
        """Who this is in the book."""
        return Doer("account", self.name)


class StaffList:
    """Who works here. Over the book's copy it is only for showing: nobody is let in by it. Any thread."""

    def __init__(self, store: LoginStore) -> None:
        self._looked_in = store

    def all(self) -> list[Account]:
        """Return every account that has not ended, by name."""
        query = sa.select(ACCOUNTS).where(ACCOUNTS.c.state != "ended").order_by(ACCOUNTS.c.id)
        with self._looked_in.looking() as connection:
            return [_account(row) for row in connection.execute(query)]

    def one(self, name: str) -> Account | None:
        """Return an account that has not ended."""
        with self._looked_in.looking() as connection:
            return _find(connection, name)


class StaffAccounts(StaffList):
    """Every account of the console, for the processes of the property. Any thread."""

    def __init__(self, store: StaffStore) -> None:
        super().__init__(store)
        self._store = store

    def first_code(self) -> str | None:
        """Return a new code for the first account while no administrator is active; it is printed once."""
        if any(account.duty is Duty.ADMIN and account.state == "active" for account in self.all()):
            return None
        with self._store.writing() as writing:
            values: dict[str, str | int | None] = {"duty": Duty.ADMIN.value, "side": Side.PROPERTY.value}
            made = Change(ACCOUNTS, FIRST, {**values, "state": "invited"})
            writing.enter(SYSTEM, "account.made", f"account:{FIRST}", made)
            return _new_code(writing, FIRST)

    def make(self, by: Account, name: str, duty: Duty) -> str:
        """Make an account, or give an existing one a fresh start, and return its one-time code.

        Raises `CommunityRefused` for a name that cannot be, for a duty that is not theirs to give, and for
        another duty of the last account that keeps accounts of its side.
        """
        if not 0 < len(name) <= 40 or not name.isprintable() or name != name.strip():
            raise CommunityRefused(message("error.account_name"))
        with self._store.writing() as writing:
            known = _find(writing.connection, name)
            side = _side(writing.connection, by, known, duty)
            # Nobody could give the committee's last account its duty back: the property may not.
            is_maker_lost = known is not None and known.duty in MAKERS and duty is not known.duty
            if is_maker_lost and known is not None and _others(writing.connection, known) == 0:
                raise CommunityRefused(message("community.refused.last_account", name=name))
            values: dict[str, str | int | None] = {"duty": duty.value, "side": side.value}
            made = Change(ACCOUNTS, name, {**values, "state": "invited"})
            forget_holder(writing.connection, f"account:{name}")
            writing.enter(by.doer, "account.made", f"account:{name}", made, duty=duty.value)
            return _new_code(writing, name)

    def codes(self) -> dict[str, int | None]:
        """Return until when an unused code is good, UTC seconds, by account; None: it is too old."""
        now = self._store.now()
        with self._store.looking() as connection:
            rows = connection.execute(sa.select(CODES_MADE)).all()
        return {row.account: row.at + CODE_DAYS * DAY if _is_young(row.at, now) else None for row in rows}

    def begin_again(self, by: Doer, name: str) -> str | None:
        """Return a new one-time code for somebody whose phone is lost; None when there is no such account.

        For whoever runs the machine. The book records it, and the old password and app no longer work.
        """
        with self._store.writing() as writing:
            if _find(writing.connection, name) is None:
                return None
            invited = Change(ACCOUNTS, name, {"state": "invited"})
            forget_holder(writing.connection, f"account:{name}")
            writing.enter(by, "account.again", f"account:{name}", invited)
            return _new_code(writing, name)

    def end(self, by: Account, name: str) -> None:
        """End an account. Raises `CommunityRefused` for the last one that keeps accounts of its side."""
        with self._store.writing() as writing:
            known = _find(writing.connection, name)
            if known is None or not may(by.duty, Right.ACCOUNTS) or known.side is not MAKERS.get(by.duty):
                raise CommunityRefused(message("community.refused.not_yours"))
            if known.duty in MAKERS and _others(writing.connection, known) == 0:
                raise CommunityRefused(message("community.refused.last_account", name=name))
            forget_holder(writing.connection, f"account:{name}")
            writing.connection.execute(sa.delete(SECRETS).where(SECRETS.c.account == name))
            writing.connection.execute(sa.delete(CODES_MADE).where(CODES_MADE.c.account == name))
            ended = Change(ACCOUNTS, name, {"state": "ended"})
            writing.enter(by.doer, "account.ended", f"account:{name}", ended)

    def claim(self, name: str, code: str, password: str) -> bytes | None:
        """Set the password of whoever holds the code; return the secret for their app, None: a wrong code.

        The code stays good until `activate`, so that a phone that did not scan can scan again, and for
        `CODE_DAYS` at most: whoever keeps accounts then gives a new one.
        Raises `PanelRefused` for a password that breaks a rule.
        """
        with self._store.writing() as writing:
            row = _secret(writing.connection, name)
            if row is None or not _is_code(writing, row, code):
                return None
            require_good_password(name, password)
            salt, totp = secrets.token_bytes(16), new_secret()
            sealed = self._store.sealer.seal(totp, f"totp:{name}".encode())
            values = {"salt": salt, "digest": password_digest(password, salt), "totp": sealed}
            put(writing.connection, SECRETS, {"account": name, **values, "totp_used": 0})
            return totp

    def activate(self, name: str, code: str, digits: str) -> Account | None:
        """Make the account active when the app shows the right digits; None: it does not."""
        with self._store.writing() as writing:
            row, known = _secret(writing.connection, name), _find(writing.connection, name)
            if row is None or known is None or row.totp is None or not _is_code(writing, row, code):
                return None
            if not self._is_shown(writing.connection, row, digits, writing.at):
                return None
            put(writing.connection, SECRETS, {"account": name, "code": None})
            writing.connection.execute(sa.delete(CODES_MADE).where(CODES_MADE.c.account == name))
            active = Change(ACCOUNTS, name, {"state": "active"})
            writing.enter(known.doer, "account.active", f"account:{name}", active)
            if known.side is Side.COMMITTEE:
                mark(writing.connection, COMMITTEE_BEGAN, writing.at)
            return _find(writing.connection, name)

    def check(self, name: str, password: str, digits: str) -> Account | None:
        """Return the account when password and app belong to it; takes as long when they do not."""
        with self._store.looking() as connection:
            row, known = _secret(connection, name), _find(connection, name)
        # A digest is also computed for a name that does not exist: otherwise the time of the answer would
        # tell which names exist.
        salt, wanted = (row.salt, row.digest) if row is not None and row.salt else (NOBODY, NOBODY)
        is_right = hmac.compare_digest(password_digest(password[: MOST_PASSWORD + 1], salt), wanted)
        if not is_right or row is None or known is None or known.state != "active":
            return None
        with self._store.writing() as writing:
            # Read again within the commit: of two logins at once with the same six digits one succeeds.
            row = _secret(writing.connection, name)
            if row is None or not self._is_shown(writing.connection, row, digits, writing.at):
                return None
        return known

    def _is_shown(self, connection: Connection, row: Row[tuple[object, ...]], digits: str, now: int) -> bool:
        secret = self._store.sealer.open(row.totp, f"totp:{row.account}".encode())
        step = step_of(secret, digits, now, row.totp_used or 0)
        if step is not None:
            put(connection, SECRETS, {"account": row.account, "totp_used": step})
        return step is not None


def _side(connection: Connection, by: Account, known: Account | None, duty: Duty) -> Side:
    """Return the side of a new account. Raises `CommunityRefused` for an account of the other side.

    The one exception is the committee's first account: nobody of the committee exists yet who could make it.
    """
    mine = MAKERS.get(by.duty)
    is_theirs = known is None or known.side is Side.COMMITTEE
    if mine is Side.PROPERTY and duty is Duty.COMMITTEE and is_theirs and not _has_begun(connection):
        return Side.COMMITTEE
    if mine is None or duty not in OF_SIDE[mine] or (known is not None and known.side is not mine):
        raise CommunityRefused(message("community.refused.not_yours"))
    return mine


def _has_begun(connection: Connection) -> bool:
    """Return whether an account of the committee is active or ever was.

    An account that was given a fresh start counts, although its state is `invited` again.
    """
    began = sa.select(MARKS.c.name).where(MARKS.c.name == COMMITTEE_BEGAN)
    return connection.execute(began).first() is not None


def _others(connection: Connection, account: Account) -> int:
    """Return how many other active accounts keep accounts of the same side."""
    same = (
        ACCOUNTS.c.duty == account.duty.value,
        ACCOUNTS.c.state == "active",
        ACCOUNTS.c.id != account.name,
    )
    return int(connection.execute(sa.select(sa.func.count()).where(*same)).scalar_one())


def _find(connection: Connection, name: str) -> Account | None:
    row = connection.execute(
        sa.select(ACCOUNTS).where(ACCOUNTS.c.id == name, ACCOUNTS.c.state != "ended")
    ).first()
    return None if row is None else _account(row)


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(row.id, Duty(row.duty), Side(row.side), row.state)


def _secret(connection: Connection, name: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(sa.select(SECRETS).where(SECRETS.c.account == name)).first()


def _new_code(writing: StaffWriting, name: str) -> str:
    code = new_code(15)
    blank = {"salt": None, "digest": None, "totp": None, "totp_used": 0}
    put(writing.connection, SECRETS, {"account": name, "code": _digest(code), **blank})
    put(writing.connection, CODES_MADE, {"account": name, "at": writing.at})
    return code


def _is_code(writing: StaffWriting, row: Row[tuple[object, ...]], code: str) -> bool:
    """Return whether `code` is the account's and not too old."""
    query = sa.select(CODES_MADE.c.at).where(CODES_MADE.c.account == row.account)
    made_at = writing.connection.execute(query).scalar()
    is_right = row.code is not None and hmac.compare_digest(row.code, _digest(code))
    return is_right and made_at is not None and _is_young(made_at, writing.at)


def _is_young(made_at: int, now: int) -> bool:
    # On both sides: a code that was made while the clock was far ahead does not wait until it is there again.
    return abs(now - made_at) < CODE_DAYS * DAY


def _digest(code: str) -> str:
    return hashlib.sha256(plain_code(code).encode()).hexdigest()
