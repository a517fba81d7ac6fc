"""Whom the signer knows: people and programs, how each shows who they are, and what was granted to them."""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import pwd
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.policy.hours import GrantHours
from edge.web.accounts import LEAST_PASSWORD, MOST_PASSWORD, password_digest
from edge.wire.names import DEVICE_ID
from edge.words import message
from facegate_hub.database import put, reading
from facegate_hub.signer.rights import EVERYWHERE, GROUP, ROLES, NotPermitted, Permission
from facegate_hub.signer.tables import FIRST_VOICES, GRANTS, GROUPS, PRINCIPALS, SESSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Connection, Engine

NAME = re.compile(r"[^\W_](?:[\w .@+-]{0,62}[\w.])?")
TOKEN_BYTES = 32
SESSION_SECONDS = 12 * 3600.0
IDLE_SECONDS = 30 * 60.0
MOST_FAILURES = 5
"""Wrong passwords before each further one has to wait."""
WAIT_SECONDS = 60.0
ADD_COMMAND = "facegate hub principal add"
PROGRAM = "program"
KINDS = ("person", PROGRAM)
RESIDENT = "res."
"""Before the ids of residents who answer a ring; nobody else is called so."""
INTEGRATION = "app."
"""Before the names of integrations; nobody else is called so."""
NOBODY = 65_534
"""What the kernel shows for accounts that do not exist in our namespace."""


@dataclass(frozen=True, slots=True)
class Caller:
    """How somebody came: the account of their process, and the token they showed (None: none)."""

    uid: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What one principal may, where, when: a role's rights and `may`; `doors` is a door, `@group` or `*`."""

    id: int
    role: str
    may: frozenset[Permission]
    doors: str
    hours: GrantHours
    per_minute: int | None
    until: float | None

    @property
    def rights(self) -> frozenset[Permission]:
        """All that it allows."""
        return ROLES.get(self.role, frozenset()) | self.may


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody the signer knows now. `is_owner`: the account that could read the key itself, or root."""

    name: str
    kind: str
    grants: tuple[Grant, ...]
    is_owner: bool = False


OWNERS_GRANT = Grant(0, "admin", frozenset(), EVERYWHERE, GrantHours.parse(""), None, None)


class Principals:
    """The signer's register. Any thread; times are seconds since 1970. Raises `SyncError` where it cannot."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now

    def known(self, caller: Caller) -> Principal:
        """Return who this is: by their token, else by their account. Raises `NotPermitted` for strangers."""
        # The register comes first: an owner who was also added as a person or program has only the rights
        # that were granted to them.
        name = self._name(caller)
        if name is not None:
            return self.principal(name)
        # In a user namespace the kernel shows every account from outside as `NOBODY`: if we ran as that one,
        # each of them would pass for the owner.
        if caller.token is None and caller.uid in {0, os.geteuid()} - {NOBODY}:
            return Principal(account_name(caller.uid), "person", (OWNERS_GRANT,), is_owner=True)
        if caller.token is not None:
            raise NotPermitted(message("signer.unknown_token", command=ADD_COMMAND))
        account = account_name(caller.uid)
        raise NotPermitted(message("signer.unknown_account", account=account, command=ADD_COMMAND))

    def principal(self, name: str) -> Principal:
        """Return somebody by name. Raises `NotPermitted` for who is not there, or is no more."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(PRINCIPALS).where(PRINCIPALS.c.name == name)).first()
            grants = connection.execute(sa.select(GRANTS).where(GRANTS.c.principal == name)).all()
        if row is None or row.ended_at is not None:
            raise NotPermitted(message("signer.no_principal", name=name))
        return Principal(name, row.kind, tuple(_grant(one) for one in grants))

    def all(self) -> list[dict[str, Any]]:
        """Return everybody, as plain values: name, kind, how they come, grants; no secrets."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(PRINCIPALS).order_by(PRINCIPALS.c.name)).all()
            grants = connection.execute(sa.select(GRANTS).order_by(GRANTS.c.id)).mappings().all()
        mine: dict[str, list[dict[str, Any]]] = {}
        for one in grants:
            fields = dict(one)
            mine.setdefault(fields.pop("principal"), []).append(fields)
        return [
            {
                "name": row.name,
                "kind": row.kind,
                "account": None if row.uid is None else account_name(row.uid),
                "has_token": row.token is not None,
                "has_password": row.password is not None,
                "ended_at": row.ended_at,
                "grants": mine.get(row.name, []),
            }
            for row in rows
        ]

    def add(self, name: str, kind: str = "person", account: str | None = None) -> None:
        """Add somebody; `account` is a user of this machine. One who was ended begins anew, with no grant."""
        if not NAME.fullmatch(name) or kind not in KINDS:
            raise SyncError(f"principal {name[:70]!r}: use up to 64 letters, digits, blanks and . @ + -")
        if name.startswith((INTEGRATION, RESIDENT)):
            what = "integrations" if name.startswith(INTEGRATION) else "residents"
            raise SyncError(f"principal {name!r}: {name[:4]} is for {what}; use another name")
        uid = None if account is None else _uid(account)
        if uid == NOBODY:
            raise SyncError(f"account {account}: stands for everybody of whom nothing is known")
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(PRINCIPALS).where(PRINCIPALS.c.name == name)).first()
            if row is not None and row.ended_at is None:
                raise SyncError(f"{name}: is there already")
            taken = sa.select(PRINCIPALS.c.name).where(
                PRINCIPALS.c.uid == uid, PRINCIPALS.c.ended_at.is_(None)
            )
            if uid is not None and (other := connection.execute(taken).scalar()) is not None:
                raise SyncError(f"account {account} is {other} already")
            fresh = {"token": None, "salt": None, "password": None, "ended_at": None, "failures": 0}
            put(connection, PRINCIPALS, {"name": name, "kind": kind, "uid": uid, **fresh, "failed_at": None})

    def end(self, name: str) -> None:
        """Let somebody do nothing any more, at once: grants and sessions go with it; the name stays known."""
        self.principal(name)
        with self._engine.begin() as connection:
            mine = PRINCIPALS.c.name == name
            gone = {"ended_at": self._now(), "token": None, "password": None, "uid": None}
            connection.execute(sa.update(PRINCIPALS).where(mine).values(**gone))
            connection.execute(sa.delete(GRANTS).where(GRANTS.c.principal == name))
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.principal == name))
            _silence(connection, name)

    def grant(self, name: str, role: str, doors: str, wanted: dict[str, Any]) -> None:
        """Allow somebody a role at a door, `@group` or `*`; `wanted`: may, hours, per_minute, until."""
        self.principal(name)
        if role not in ROLES:
            raise SyncError(f"role {role!r}: there are {', '.join(ROLES)}")
        if doors != EVERYWHERE and not DEVICE_ID.fullmatch(doors.removeprefix(GROUP)):
            raise SyncError(f"doors {doors[:70]!r}: name a door, a group as @lobby, or * for all")
        may, hours = [str(right(word)) for word in wanted.get("may") or ()], wanted.get("hours") or ""
        GrantHours.parse(hours)
        rate = wanted.get("per_minute")
        if rate is not None and (type(rate) is not int or not 1 <= rate <= 600):
            raise SyncError(f"per minute {rate!r}: from 1 to 600")
        until = wanted.get("until")
        if until is not None and (type(until) not in {int, float} or not math.isfinite(until)):
            raise SyncError(f"until {until!r}: seconds since 1970, or nothing")
        row = {"principal": name, "role": role, "may": ",".join(may), "doors": doors, "hours": hours}
        with self._engine.begin() as connection:
            values = {**row, "per_minute": rate, "until": until}
            connection.execute(sa.insert(GRANTS).values(**values))

    def revoke(self, grant: int) -> None:
        """Take one grant back."""
        with self._engine.begin() as connection:
            mine = GRANTS.c.id == grant
            name = connection.execute(sa.select(GRANTS.c.principal).where(mine)).scalar()
            if name is None:
                raise SyncError(f"grant {grant}: there is none with this number")
            connection.execute(sa.delete(GRANTS).where(mine))
            _silence(connection, name)

    def new_token(self, name: str) -> str:
        """Return a new token for somebody, shown this once; the one before ends."""
        self.principal(name)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._change(name, token=_digest(token))
        return token

    def set_password(self, name: str, password: str) -> None:
        """Let somebody log in with this password; sessions that are open end."""
        self.principal(name)
        if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD or name.lower() in password.lower():
            raise SyncError(
                f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters, and not the name in it"
            )
        salt = secrets.token_bytes(16)
        self._change(name, salt=salt, password=password_digest(password, salt), failures=0)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.principal == name))

    def log_in(self, name: str, password: str) -> str:
        """Return the token of a new session, good for 12 hours or until 30 minutes passed without a call.

        Raises `NotPermitted` in one voice for a wrong name and a wrong password; after five wrong ones
        for a minute after each further one, so that guessing takes years.
        """
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(PRINCIPALS).where(PRINCIPALS.c.name == name)).first()
        now = self._now()
        if row is not None and not self._may_try(name, now):
            raise NotPermitted(message("signer.too_many_passwords"))
        # A name that is not there costs as much time as a wrong password, so that nobody learns by the clock
        # who is.
        salt, wanted = (row.salt, row.password) if row is not None and row.password else (b"nobody", b"")
        right_one = hmac.compare_digest(password_digest(password[: MOST_PASSWORD + 1], salt), wanted)
        if row is None or not right_one or row.ended_at is not None:
            raise NotPermitted(message("signer.wrong_password"))
        self._change(name, failures=0)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        session = {"token": _digest(token), "principal": name, "until": now + SESSION_SECONDS, "seen_at": now}
        with self._engine.begin() as connection:
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.until < now))
            connection.execute(sa.insert(SESSIONS).values(**session))
        return token

    def _may_try(self, name: str, now: float) -> bool:
        """Count a try before it is tried, in one statement: guesses made at once are each counted."""
        failures = sa.func.coalesce(PRINCIPALS.c.failures, 0)
        last = sa.func.coalesce(PRINCIPALS.c.failed_at, 0.0)
        # A failure that lies ahead by more than the wait is from before the clock went back. One that lies a
        # little ahead is a guess made at the same moment, and counts.
        rested = (last <= now - WAIT_SECONDS) | (last > now + WAIT_SECONDS)
        mine = (PRINCIPALS.c.name == name, (failures < MOST_FAILURES) | rested)
        counted = sa.update(PRINCIPALS).where(*mine).values(failures=failures + 1, failed_at=now)
        with self._engine.begin() as connection:
            return connection.execute(counted).rowcount == 1

    def log_out(self, token: str) -> None:
        """End a session. No error when it has ended."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.token == _digest(token)))

    def groups(self) -> dict[str, list[str]]:
        """Return the doors of each group."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(GROUPS).order_by(GROUPS.c.name, GROUPS.c.door)).all()
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row.name, []).append(row.door)
        return found

    def set_group(self, name: str, doors: Iterable[str]) -> None:
        """Let a group have exactly these doors; none: it is gone, and what was granted there is void."""
        wanted = sorted(set(doors))
        for one in (name, *wanted):
            if not DEVICE_ID.fullmatch(one):
                raise SyncError(f"{one[:70]!r}: use 1 to 64 letters, digits, _ . or -")
        with self._engine.begin() as connection:
            connection.execute(sa.delete(GROUPS).where(GROUPS.c.name == name))
            if wanted:
                connection.execute(sa.insert(GROUPS), [{"name": name, "door": door} for door in wanted])

    def _name(self, caller: Caller) -> str | None:
        """Return the name of whoever shows a token or comes from an account, None of nobody we know."""
        with reading(self._engine) as connection:
            if caller.token is None:
                mine = (PRINCIPALS.c.uid == caller.uid, PRINCIPALS.c.ended_at.is_(None))
                return connection.execute(sa.select(PRINCIPALS.c.name).where(*mine)).scalar()
            shown = _digest(caller.token)
            mine = (PRINCIPALS.c.token == shown, PRINCIPALS.c.ended_at.is_(None))
            name = connection.execute(sa.select(PRINCIPALS.c.name).where(*mine)).scalar()
        return name or self._session(shown)

    def _session(self, shown: str) -> str | None:
        now, mine = self._now(), SESSIONS.c.token == shown
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(SESSIONS).where(mine)).first()
        # Later than any session lasts: from before the clock went back by more than it is set at times.
        if row is None or not now < row.until <= now + SESSION_SECONDS + IDLE_SECONDS:
            return None
        if abs(now - row.seen_at) >= IDLE_SECONDS:
            return None
        # At most every ten seconds: otherwise each call would wait for a write to the disk.
        if abs(now - row.seen_at) > 10.0:
            with self._engine.begin() as connection:
                connection.execute(sa.update(SESSIONS).where(mine).values(seen_at=now))
        name: str = row.principal
        return name

    def _change(self, name: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.update(PRINCIPALS).where(PRINCIPALS.c.name == name).values(**values))


def right(word: str) -> Permission:
    """Return a right by its name. Raises `SyncError` naming those there are."""
    try:
        return Permission(word)
    except ValueError:
        raise SyncError(f"{word!r}: no such right; there are {', '.join(Permission)}") from None


def account_name(uid: int) -> str:
    """Return the name of an account of this machine, its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _silence(connection: Connection, name: str) -> None:
    """Forget what somebody asked for as the first of two: they may not be one of them any more."""
    connection.execute(sa.delete(FIRST_VOICES).where(FIRST_VOICES.c.principal == name))


def doors_of_group(connection: Connection, name: str) -> frozenset[str]:
    """Return the doors of a group, none when there is no such group."""
    query = sa.select(GROUPS.c.door).where(GROUPS.c.name == name)
    return frozenset(connection.execute(query).scalars())


def _grant(row: Any) -> Grant:
    may = frozenset(Permission(word) for word in row.may.split(",") if word)
    return Grant(row.id, row.role, may, row.doors, GrantHours.parse(row.hours), row.per_minute, row.until)


def _uid(account: str) -> int:
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError:
        raise SyncError(f"account {account!r}: this machine has none of this name") from None


def _digest(token: str) -> str:
    """Return the SHA-256 of a token: it is long and random, so that nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
