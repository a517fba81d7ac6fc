"""Browsers that are logged in: each a random cookie, listed to its holder, ended by them at any time."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.schema import DEVICES, PASSKEYS

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Doer, LoginStore, LoginWriting

DAY = 86_400
RESIDENT_SECONDS = 180 * DAY
"""A phone that is not used for so long is forgotten."""
STAFF_SECONDS = 30 * 60
"""A console that nobody touches."""
STAFF_MOST_SECONDS = 10 * 3600
"""A shift, whoever touches it."""
ROLL_EVERY = 24
"""The time of the last use is stored once in this fraction of the idle time: a page view is no write."""
MOST_LABEL = 80


@dataclass(frozen=True, slots=True)
class Device:
    """One browser: `label` is what it said it is, times are UTC seconds."""

    id: str
    holder: str
    label: str
    made_at: int
    used_at: int
    until: int

    def is_idle(self, now: int) -> bool:
        """Return whether it has not been used for so long that it may only receive news."""
        idle = now - self.used_at
        # Of staff on both sides of now: nobody knows how long a console was left alone while the clock went
        # back. A resident's phone goes on, whose half a year is no matter of hours.
        return (abs(idle) if self.holder.startswith("account:") else idle) >= _idle_seconds(self.holder)


class Devices:
    """Who is logged in where: residents by the book, staff by their own store. Any thread, any process."""

    def __init__(self, store: LoginStore) -> None:
        self._store = store

    def begin(self, holder: Doer, label: str) -> str:
        """Return the cookie of a new device."""
        with self._store.writing() as writing:
            return begin_device(writing, holder, label)

    def find(self, token: str, *, is_use: bool = True, looks_on: bool = False) -> Device | None:
        """Return the device of a cookie while its session is valid; `is_use` extends the session.

        Requests that a page makes by itself are no use: a page left open would stay logged in to the limit.
        With `looks_on` an idle device of staff is returned as well.
        """
        if not token:
            return None
        now = self._store.now()
        with self._store.looking() as connection:
            row = connection.execute(sa.select(DEVICES).where(DEVICES.c.token == _digest(token))).first()
        if row is None or row.until <= now:
            return None
        # Begun while the clock was ahead: a shift would last until it is there again. A clock that is set by
        # some seconds ends no session.
        if row.holder.startswith("account:") and row.until > now + STAFF_MOST_SECONDS + STAFF_SECONDS:
            return None
        device = Device(row.id, row.holder, row.label, row.made_at, row.used_at, row.until)
        if device.is_idle(now):
            return device if looks_on else None
        if is_use and now - device.used_at > _idle_seconds(device.holder) // ROLL_EVERY:
            self._roll(device, now)
        return device

    def _roll(self, device: Device, now: int) -> None:
        until = _until(device.holder, device.made_at, now)
        rolled = sa.update(DEVICES).where(DEVICES.c.id == device.id).values(used_at=now, until=until)
        # Not through `writing`: the book has no entry for using a page.
        with self._store.engine.begin() as connection:
            connection.execute(rolled)

    def all(self, holder: Doer) -> list[Device]:
        """Return a holder's devices, newest first."""
        query = sa.select(DEVICES).where(DEVICES.c.holder == str(holder), DEVICES.c.until > self._store.now())
        with self._store.looking() as connection:
            rows = connection.execute(query.order_by(DEVICES.c.made_at.desc())).all()
        return [Device(row.id, row.holder, row.label, row.made_at, row.used_at, row.until) for row in rows]

    def end(self, holder: Doer, device: str) -> None:
        """Log one device of a holder out."""
        self._end(holder, "device.ended", DEVICES.c.id == device)

    def end_all(self, holder: Doer, but: str = "") -> None:
        """Log all devices of a holder out, but for one."""
        self._end(holder, "device.ended", DEVICES.c.id != but)

    def forget(self, by: Doer, holder: Doer) -> int:
        """Log all devices of a holder out, and take their passkeys away; return how many devices.

        For who has lost a phone: `by` is the one who does it for them, and stands in the book.
        """
        with self._store.writing() as writing:
            mine = sa.select(sa.func.count()).select_from(DEVICES).where(DEVICES.c.holder == str(holder))
            count: int = writing.connection.execute(mine).scalar_one()
            forget_holder(writing.connection, str(holder))
            writing.enter(by, "device.ended", str(holder), count=count)
        return count

    def _end(self, holder: Doer, kind: str, which: sa.ColumnElement[bool]) -> None:
        with self._store.writing() as writing:
            gone = writing.connection.execute(
                sa.delete(DEVICES).where(DEVICES.c.holder == str(holder), which)
            ).rowcount
            if gone:
                writing.enter(holder, kind, str(holder), count=gone)


def begin_device(writing: LoginWriting, holder: Doer, label: str) -> str:
    """Begin a device within a commit and return its cookie; those whose time is up are forgotten."""
    token = secrets.token_urlsafe(32)
    connection: Connection = writing.connection
    connection.execute(sa.delete(DEVICES).where(DEVICES.c.until <= writing.at))
    values = {
        "id": secrets.token_hex(8),
        "token": _digest(token),
        "holder": str(holder),
        "label": label[:MOST_LABEL],
        "made_at": writing.at,
        "used_at": writing.at,
        "until": _until(str(holder), writing.at, writing.at),
    }
    connection.execute(sa.insert(DEVICES).values(**values))
    writing.enter(holder, "device.begun", str(holder))
    return token


def forget_holder(connection: Connection, holder: str) -> None:
    """Log out every browser of a holder and delete their passkeys: no earlier login works any more."""
    for table in (DEVICES, PASSKEYS):
        connection.execute(sa.delete(table).where(table.c.holder == holder))


def _idle_seconds(holder: str) -> int:
    return STAFF_SECONDS if holder.startswith("account:") else RESIDENT_SECONDS


def _until(holder: str, made_at: int, used_at: int) -> int:
    """Return when a device is forgotten, whatever it still asks."""
    return made_at + STAFF_MOST_SECONDS if holder.startswith("account:") else used_at + RESIDENT_SECONDS


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
