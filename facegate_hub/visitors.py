"""Grants residents' wishes for passes: each limit is checked again here, by the process that has the key.

The pass names its maker's id in the roster as host: doors let nobody in whose host has left. It opens without
a network, as every pass does; the code is kept sealed for its maker until it ends.
"""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.policy.passes import (
    HOST_BYTES,
    MAX_DOORS,
    Pass,
    door_marks,
    issue,
    pass_public_key,
    read_pass,
)
from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.schema import FLATS, PASSES, PEOPLE
from facegate_hub.community.visits import PassState, VisitKind, VisitorPasses, VisitWish, breach, refuse
from facegate_hub.looking import LookingThread
from facegate_hub.signed_passes import KINDS, SignedPasses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from facegate_hub.community.book import Book, Writing
    from facegate_hub.community.terms import Terms

LOG = logging.getLogger(__name__)

PASS_KEY_FILE = "pass.key"  # noqa: S105 - a name
"""In the hub's own folder: what `facegate pass key` made, whose public half the doors trust."""
LOOK_SECONDS = 1.0
MOST_A_MINUTE = 30
"""Passes of all makers together: a page that was taken over floods nobody with them."""
LEAST_KEY = 32
"""Bytes; a site's own name may follow."""


class PassGranter(LookingThread):
    """Looks at wishes once a second, in a thread of its own; without a key every wish is refused.

    `folder` is the hub's own, `doors` returns the names of the site's doors.
    """

    def __init__(
        self,
        engine: Engine,
        community: tuple[Book, Terms],
        folder: Path,
        doors: Callable[[], Iterable[str]],
    ) -> None:
        self._signed = SignedPasses(engine)
        self._doors = doors
        self._book, self._terms = community
        self._key_file = folder / PASS_KEY_FILE
        self._has_adopted = False
        super().__init__("hub-visitors", LOOK_SECONDS, "wishes for passes could not be looked at")

    def look(self) -> int:
        """Grant or refuse what is wished for now, and return how many wishes that were."""
        if not self._has_adopted:
            self._adopt()
        with self._book.looking() as connection:
            query = sa.select(PASSES.c.id).where(PASSES.c.state == PassState.WISHED.value)
            wished = list(connection.execute(query.order_by(PASSES.c.wished_at, PASSES.c.id)).scalars())
        for identity in wished:
            with self._book.writing() as writing:
                self._decide(writing, identity)
        VisitorPasses(self._book, self._terms).forget_over()
        return len(wished)

    def _adopt(self) -> None:
        """Remember passes that an older version signed, or a lost database: their own text proves them."""
        if (key := self._key()) is None:
            return
        with self._book.looking() as connection:
            granted = (PASSES.c.state == PassState.GRANTED.value, PASSES.c.ends > self._book.now())
            rows = connection.execute(sa.select(PASSES).where(*granted)).all()
            texts = self._book.texts(connection, {row.text for row in rows if row.text})
        for row in rows:
            shown = read_pass(texts.get(row.text or "", ""), [pass_public_key(key)])
            doors = tuple((row.doors or "").split(","))
            if shown is not None and shown.door_marks == door_marks(doors):
                self._signed.note(shown, doors, self._book.now())
        self._has_adopted = True

    def _decide(self, writing: Writing, identity: str) -> None:
        """Decide about one wish, read again within the commit: twice granted is never."""
        still = (PASSES.c.id == identity, PASSES.c.state == PassState.WISHED.value)
        row = writing.connection.execute(sa.select(PASSES).where(*still)).first()
        if row is None:
            return
        wish = VisitWish(row.flat, VisitKind(row.kind), row.begins, row.ends, row.uses)
        why = breach(writing.connection, self._terms, row.maker, wish, writing.at, identity)
        key = self._key()
        if why is None and key is None:
            why = "no_key"
        # Not refused: the wish stays, and is looked at again a second later.
        if why is None and self._signed.count_lately(writing.at) >= MOST_A_MINUTE:
            return  # the next minute
        if why is not None or key is None:
            refuse(writing, identity, why or "no_key")
            return
        host = self._host(writing, row.maker)
        doors = self._doors_for(writing, row.flat)
        if host is None or not doors:
            refuse(writing, identity, "no_resident" if host is None else "no_doors")
            return
        if (why := self._signed.breach(host, self._terms, writing.at)) is not None:
            refuse(writing, identity, why)
            return
        try:
            granted = _granted(wish, host, secrets.token_bytes(8), doors)
            text = issue(granted, key)
        except ValueError as error:
            LOG.warning("a pass for %s cannot be made: %s", row.flat, error)
            refuse(writing, identity, "host" if len(host.encode()) > HOST_BYTES else "not_made")
            return
        # First here: what is granted can be ended at the doors, whatever happens in between.
        self._signed.note(granted, doors, writing.at, row.flat)
        values: dict[str, str | int | None] = {"state": PassState.GRANTED.value, "pass_id": granted.id.hex()}
        values["doors"] = ",".join(doors)
        values["text"] = writing.keep(text, f"person:{row.maker}")
        writing.enter(SYSTEM, "pass.granted", f"pass:{identity}", Change(PASSES, identity, values))

    def _doors_for(self, writing: Writing, flat: str) -> tuple[str, ...]:
        """Return the doors on the way to a flat, at most six: its building's, then those of no building."""
        query = sa.select(FLATS.c.building).where(FLATS.c.id == flat)
        building = writing.connection.execute(query).scalar()
        own = self._terms.doors.get(str(building), ())
        homes = {door for doors in self._terms.doors.values() for door in doors}
        everybodys = [door for door in sorted(self._doors()) if door not in homes]
        return tuple(dict.fromkeys([*own, *everybodys]))[:MAX_DOORS]

    def _host(self, writing: Writing, maker: str) -> str | None:
        """Return the maker's id in the roster: doors ask whether the host has a right to be there."""
        query = sa.select(PEOPLE.c.resident).where(PEOPLE.c.id == maker)
        return self._book.text(writing.connection, writing.connection.execute(query).scalar())

    def _key(self) -> bytes | None:
        try:
            key = self._key_file.read_bytes()
        except OSError:
            return None
        return key if len(key) >= LEAST_KEY else None


def _granted(wish: VisitWish, host: str, pass_id: bytes, doors: tuple[str, ...]) -> Pass:
    begins, ends = (datetime.fromtimestamp(at, UTC) for at in (wish.begins, wish.ends))
    return Pass(pass_id, host, begins, ends, wish.uses, KINDS[wish.kind], door_marks(doors))
