"""Decides what is permitted: to whom, at which door, at which hour, how often, and what needs two people."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from edge.errors import SyncError
from edge.words import message
from facegate_hub.database import put, reading
from facegate_hub.signer.principals import INTEGRATION, PROGRAM, RESIDENT, doors_of_group
from facegate_hub.signer.rights import COMMANDS, EVERYWHERE, GROUP, NotPermitted, Permission
from facegate_hub.signer.tables import FIRST_VOICES, PERMITS, PRINCIPALS, RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

    from facegate_hub.signer.principals import Grant, Principal

MINUTE = 60.0
SECOND_VOICE_SECONDS = 120.0
"""How long the first of two people waits for the second."""
AGREED_SECONDS = 86_400.0
"""The same where somebody else has to look at what the first one wants: rules, a PIN, a card."""
ZONE, PERSONS, RINGS = "timezone", "persons.", "rings"
"""Rules of the site: the time zone of hours, how many people each command takes (`persons.evacuation`), and
the doors and groups of doors that residents open for who rings there."""
RULES_VOICE, WAYS_VOICE = "rules", "ways"
"""What else may take two people: access rules that are sent, PINs and cards that are given."""
VOICED = frozenset({*map(str, COMMANDS.values()), RULES_VOICE, WAYS_VOICE})
MOST_ABOUT = 20
"""Signs of a digest that tell what two people agree on, within the width of a column: 80 bits. It is the
second one's wish that is granted, so that a first one who finds another with the same gains nothing."""


class Policy:
    """What is allowed at a site. Any thread; `now` is seconds since 1970."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now

    def doors(self, wanted: list[str]) -> list[str]:
        """Return the doors that are meant: groups by their members. Raises `SyncError` for no group."""
        found: list[str] = []
        with reading(self._engine) as connection:
            for name in wanted:
                members = sorted(doors_of_group(connection, name[1:])) if name.startswith(GROUP) else [name]
                if not members:
                    raise SyncError(message("signer.no_group", name=name))
                found += members
        return list(dict.fromkeys(found))

    def require(self, principal: Principal, right: Permission, door: str | None = None) -> None:
        """Raise `NotPermitted` unless this may be done now at a door; None: at the whole site."""
        with reading(self._engine) as connection:
            self._require(connection, principal, right, door)

    def require_rate(
        self, connection: Connection, principal: Principal, right: Permission, door: str
    ) -> None:
        """Raise `NotPermitted` unless this may be asked of a door now, and was not asked too often."""
        grants = self._require(connection, principal, right, door)
        # The most generous of the grants that hold counts, and one without a rate is the most generous.
        if any(grant.per_minute is None for grant in grants):
            return
        most = max(grant.per_minute or 0 for grant in grants)
        # Up to now and not beyond: after the clock went back, what was asked before would count for as long
        # as the clock takes to be there again.
        now = self._now()
        mine = (PERMITS.c.principal == principal.name, PERMITS.c.asked_at.between(now - MINUTE, now))
        count = connection.execute(sa.select(sa.func.count()).select_from(PERMITS).where(*mine)).scalar() or 0
        if count >= most:
            raise NotPermitted(message("signer.too_often", name=principal.name, count=most))

    def scope(self, principal: Principal, right: Permission) -> list[str] | None:
        """Return the doors at which this is allowed now; None: everywhere."""
        held = [grant for grant in principal.grants if right in grant.rights and self._holds(grant)]
        if any(grant.doors == EVERYWHERE for grant in held):
            return None
        with reading(self._engine) as connection:
            names = [sorted(_covered(connection, grant)) for grant in held]
        return sorted({door for some in names for door in some})

    def partner(self, connection: Connection, principal: Principal, right: str, door: str) -> str | None:
        """Return "" where one person is enough, the first one's name for the second, None for the first.

        Two programs are not two people: whoever speaks for one of them in the hub's name speaks for all.
        """
        return self.partners(connection, principal, right, [(door, "")])[0]

    def partners(
        self, connection: Connection, principal: Principal, right: str, wishes: list[tuple[str, str]]
    ) -> list[str | None]:
        """Return `partner` of each (door, digest of what both want): for all, or with a None for none.

        Only a wish that somebody else has asked for at every door uses their voices up. Otherwise this
        person is noted as the first one at each door: were a colleague's voice at one door used up by a wish
        for two, each of them would wait for the other for ever.
        """
        if self._persons(connection, right) < 2:
            return [""] * len(wishes)
        found = [self._first_voice(connection, principal, right, wish) for wish in wishes]
        is_agreed = None not in [name for _, name in found]
        for (door, _), (kind, _) in zip(wishes, found, strict=True):
            mine = (FIRST_VOICES.c.door == door, FIRST_VOICES.c.kind == kind)
            if is_agreed:
                # Every voice goes, so that a third person begins anew and does not open with an old one.
                connection.execute(sa.delete(FIRST_VOICES).where(*mine))
            else:
                voice = {"door": door, "kind": kind, "principal": principal.name, "at": self._now()}
                put(connection, FIRST_VOICES, voice)
        return [name if is_agreed else None for _, name in found]

    def _first_voice(
        self, connection: Connection, principal: Principal, right: str, wish: tuple[str, str]
    ) -> tuple[str, str | None]:
        """Return (kind of the voice, who else asked for this at this door; None: nobody)."""
        door, about = wish
        kind = f"{right}:{about[:MOST_ABOUT]}" if about else str(right)
        patience = AGREED_SECONDS if about else SECOND_VOICE_SECONDS
        mine = (FIRST_VOICES.c.door == door, FIRST_VOICES.c.kind == kind)
        # Each kind has its own deadline: the two minutes of a command must not end what may wait for a day.
        connection.execute(sa.delete(FIRST_VOICES).where(*mine, self._is_over(patience)))
        other = sa.select(FIRST_VOICES.c.principal).where(*mine, FIRST_VOICES.c.principal != principal.name)
        if principal.kind == PROGRAM:
            programs = sa.select(PRINCIPALS.c.name).where(PRINCIPALS.c.kind == PROGRAM)
            integration = FIRST_VOICES.c.principal.startswith(INTEGRATION, autoescape=True)
            resident = FIRST_VOICES.c.principal.startswith(RESIDENT, autoescape=True)
            other = other.where(~integration, ~resident, FIRST_VOICES.c.principal.not_in(programs))
        return kind, connection.execute(other.order_by(FIRST_VOICES.c.at)).scalar()

    def forget_voices(self, connection: Connection) -> None:
        """Forget whom nobody followed within a day: nobody may ask about it again.

        Not at every question: a thousand PINs in one wish would look through all that waits a thousand times.
        """
        connection.execute(sa.delete(FIRST_VOICES).where(self._is_over(AGREED_SECONDS)))

    def _is_over(self, patience: float) -> sa.ColumnElement[bool]:
        """Return which voices are followed by nobody any more.

        Also those that lie ahead by more than the wait, from before the clock went back: they would count
        until it is there again.
        """
        now = self._now()
        return ~FIRST_VOICES.c.at.between(now - patience, now + patience)

    def rules(self) -> dict[str, str]:
        """Return what holds for the whole site, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(RULES).order_by(RULES.c.name)).all()
        return {
            row.name: row.value for row in rows if row.name in {ZONE, RINGS} or row.name.startswith(PERSONS)
        }

    def answers_rings(self, door: str) -> bool:
        """Say whether residents may open this door for who rings there: no door, unless the rules say so."""
        named = self.rules().get(RINGS, "").split()
        return EVERYWHERE in named or (bool(named) and door in self.doors(named))

    def set_rule(self, name: str, value: str) -> None:
        """Set `timezone`, `persons.evacuation` and the like (1 or 2), or `rings`. Raises `SyncError`.

        `rings` are doors and groups (`lobby-3 @gates`), `*` for all; empty for none.
        """
        if name == ZONE:
            try:
                ZoneInfo(value)
            except (KeyError, ValueError, OSError) as error:
                raise SyncError(f"{value!r}: no such zone; use a name like Asia/Shanghai") from error
        elif name == RINGS:
            self.doors([one for one in value.split() if one != EVERYWHERE])
        elif not name.startswith(PERSONS) or name.removeprefix(PERSONS) not in VOICED:
            several = ", ".join(sorted(VOICED))
            raise SyncError(f"rule {name!r}: there are {ZONE}, {RINGS} and {PERSONS} with one of {several}")
        elif value not in {"1", "2"}:
            raise SyncError(f"{name}: 1 or 2, not {value!r}")
        with self._engine.begin() as connection:
            put(connection, RULES, {"name": name, "value": value})

    def _require(
        self, connection: Connection, principal: Principal, right: Permission, door: str | None
    ) -> list[Grant]:
        """Return the grants that allow it now."""
        meant = [
            grant
            for grant in principal.grants
            if right in grant.rights and (grant.doors == EVERYWHERE or door in _covered(connection, grant))
        ]
        if not meant:
            where = message("signer.at_site") if door is None else message("signer.at_door", door=door)
            raise NotPermitted(message("signer.may_not", **_what(principal, right), where=where))
        held = [grant for grant in meant if self._holds(grant)]
        if not held:
            raise NotPermitted(message("signer.not_now", **_what(principal, right)))
        return held

    def _holds(self, grant: Grant) -> bool:
        now = self._now()
        if grant.until is not None and now >= grant.until:
            return False
        return grant.hours.is_always or grant.hours.hold(self._local(now))

    def _local(self, now: float) -> datetime:
        """Return the site's own time: of the rule, else of this machine."""
        moment, name = datetime.fromtimestamp(now, UTC), self.rules().get(ZONE)
        return moment.astimezone(ZoneInfo(name) if name else None)

    def _persons(self, connection: Connection, right: str) -> int:
        query = sa.select(RULES.c.value).where(RULES.c.name == f"{PERSONS}{right}")
        return int(connection.execute(query).scalar() or 1)


def _what(principal: Principal, right: Permission) -> dict[str, object]:
    return {"name": principal.name, "right": message(f"signer.right.{right}")}


def _covered(connection: Connection, grant: Grant) -> frozenset[str]:
    if grant.doors.startswith(GROUP):
        return doors_of_group(connection, grant.doors[1:])
    return frozenset({grant.doors})
