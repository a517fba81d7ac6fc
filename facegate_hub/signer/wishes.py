"""Settings, rules, PINs and cards that people ask for: recorded when granted, compared when signed."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.words import message
from facegate_hub.database import insert_missing, put, reading
from facegate_hub.signer.audit import note_wish
from facegate_hub.signer.policy import RULES_VOICE, WAYS_VOICE
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.signer.tables import FIRST_VOICES, WAY_ORDERS, WISHES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Connection, Engine

    from edge.wire import configuration, given_ways, rules
    from facegate_hub.signer.policy import Policy
    from facegate_hub.signer.principals import Principal

MOST_WAITING = 20_000
"""Wishes of one person that wait for a second one, each at one door: rules for 1,000 doors twenty times."""
KEEP_ORDERS_SECONDS = 90 * 86_400.0
"""How long a door may be away and still get a PIN or card that was given meanwhile."""


class GrantedWishes:
    """The signer's own record of what was granted, door by door. Any thread.

    Rules, PINs and cards wait for a second person where the site wants one (`persons.rules`, `persons.ways`):
    what is granted then is what the second one sends, which has to be to the letter what the first one sent.
    """

    def __init__(self, engine: Engine, policy: Policy, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._policy = policy
        self._now = now

    def want(self, table: sa.Table, wish: tuple[str, int, str], principal: Principal) -> bool:
        """Let a door's settings or rules become these; False: a second person has to ask for them, too."""
        door, _, digest = wish
        with self._engine.begin() as connection:
            # Settings can only make a door stricter (see ARCHITECTURE.md): one person is enough for them.
            if table is not WISHES and not self._is_agreed(
                connection, principal, RULES_VOICE, [(door, digest)]
            ):
                return False
            put(connection, table, dict(zip(("device", "rev", "digest"), wish, strict=True)))
        return True

    def give(self, orders: list[tuple[str, str]], principal: Principal) -> bool:
        """Let these PINs or cards go to their doors; False: a second person has to ask for them, too."""
        rows = [{"digest": digest, "device": door, "at": self._now()} for door, digest in orders]
        with self._engine.begin() as connection:
            if not self._is_agreed(connection, principal, WAYS_VOICE, orders):
                return False
            old = WAY_ORDERS.c.at < self._now() - KEEP_ORDERS_SECONDS
            connection.execute(sa.delete(WAY_ORDERS).where(old))
            insert_missing(connection, WAY_ORDERS, rows)
        return True

    def _is_agreed(
        self, connection: Connection, principal: Principal, what: str, wishes: Iterable[tuple[str, str]]
    ) -> bool:
        wishes = sorted(set(wishes))
        self._require_few(connection, principal, len(wishes))
        found = self._policy.partners(connection, principal, what, wishes)
        first = next((one for one in found if one), None)
        if None not in found and first is None:
            return True  # one person is enough
        about = {"what": what, "principal": principal.name, "doors": [door for door, _ in wishes]}
        said = "first-voice" if None in found else "second-voice"
        note_wish(connection, principal.name, said, about | ({"first": first} if first else {}), self._now())
        return None not in found

    def _require_few(self, connection: Connection, principal: Principal, more: int) -> None:
        """Raise `NotPermitted` where too much of somebody's waits: each PIN that is tried waits for a day."""
        self._policy.forget_voices(connection)
        mine = sa.select(sa.func.count()).select_from(FIRST_VOICES)
        count = connection.execute(mine.where(FIRST_VOICES.c.principal == principal.name)).scalar_one()
        if count + more > MOST_WAITING:
            raise NotPermitted(message("signer.too_many_wait", name=principal.name, most=MOST_WAITING))

    def require(self, table: sa.Table, wish: configuration.Desired | rules.DesiredRules, body: bytes) -> None:
        """Raise `NotPermitted` unless these settings or rules are what was granted."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.device == wish.device)).first()
        if row is None or (row.rev, row.digest) != (wish.rev, hashlib.sha256(body).hexdigest()):
            raise NotPermitted(message(f"signer.not_asked.{table.name}", door=wish.device))

    def require_given(self, told: given_ways.GivenWays) -> None:
        """Raise `NotPermitted` unless these PINs and cards are those that were granted."""
        digests = [one.digest(told.device) for one in told.orders]
        granted = sa.select(WAY_ORDERS.c.digest).where(
            WAY_ORDERS.c.device == told.device, WAY_ORDERS.c.digest.in_(digests)
        )
        with reading(self._engine) as connection:
            if set(digests) - set(connection.execute(granted).scalars()):
                raise NotPermitted(message("signer.not_given", door=told.device))
