"""Which states of the roster may be signed: those that an authorised person asked for, never an older one."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.domain import RosterState
from edge.store.roster import digest_of_lines
from edge.wire.records import plain_record, without_faces
from edge.words import message
from facegate_hub.database import put, reading
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.signer.tables import ROSTERS, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection, Engine

    from facegate_hub.signer.asking import FacesListed

ADOPTED, SIGNED_LAST = "adopted", "signed"
"""Names in the table `rules`: that a state was taken over, and the last one that was signed."""
CHANGED = message("signer.roster_changed", command="facegate hub roster begin-anew")
FACES_ONLY = "this changes more than which faces are listed"


class ApprovedRosters:
    """The approved states, in the signer's own database. Any thread.

    States that belong together (as different doors know one roster) are approved together. One may be
    signed when it was approved and nothing later was signed: a change that was approved and then could not
    be stored does no harm, and an older database is noticed.
    """

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now
        self._signed: frozenset[RosterState] = frozenset()
        """Those approved together that were signed last. One hub has them signed: nobody else moves on."""

    def adopt(self, states: Sequence[RosterState]) -> bool:
        """Approve what was there before; False when that was done, or anything was approved."""
        with self._engine.begin() as connection:
            if _rule(connection, ADOPTED) is not None:
                return False
            put(connection, RULES, {"name": ADOPTED, "value": "yes"})
            self._add(connection, states, "adopted")
        return True

    def approve(
        self,
        before: RosterState | None,
        after: Sequence[RosterState],
        by: str,
        note: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Approve what somebody made of an approved state. Raises `NotPermitted` when `before` was none.

        An empty roster holds nobody who should not be in it: it may always be begun with. `note` writes
        down who did it, in the same commit: what cannot be noted is not approved.
        """
        with self._engine.begin() as connection:
            # None is begin-anew: its caller knows that the state before was lost.
            if before is not None and before.count and _batch(connection, before) is None:
                raise NotPermitted(CHANGED)
            put(connection, RULES, {"name": ADOPTED, "value": "yes"})
            self._add(connection, after, by)
            note(connection)

    def approve_faces(self, listed: FacesListed, by: str) -> None:
        """Approve a change that lists faces in an approved roster. Raises `NotPermitted` when it does more.

        Faces themselves need no approval: a door believes a certificate, not the roster that it lies in.
        """
        plain = [(name, rev, without) for name, rev, _, without in listed.lines]
        whole = [(name, rev, digest) for name, rev, digest, _ in listed.lines]
        before = listed.before
        states = [before, _state(before.epoch, before.rev, plain)]
        # The lines come from the hub: they must add up to the approved state before anything is concluded
        # from them.
        if digest_of_lines(whole) != before.digest or len({name for name, _, _ in whole}) != before.count:
            raise NotPermitted(CHANGED)
        with self._engine.begin() as connection:
            batches = {_batch(connection, state) for state in states}
            if None in batches:
                raise NotPermitted(CHANGED)
            self._add(connection, _with_faces(before, whole, plain, listed.records), by)

    def require(self, state: RosterState) -> None:
        """Raise `NotPermitted` unless this state may be signed now; the same again costs nothing."""
        if state in self._signed:
            return
        with reading(self._engine) as connection:
            batch, last = _batch(connection, state), _last_signed(connection)
        place = None if batch is None else (state.epoch, state.rev, batch)
        # Epoch, revision, number of the approval: what lies before the last that was signed is an older
        # database, or a change that was undone.
        if place is None or (last is not None and place < last):
            raise NotPermitted(CHANGED)
        if place != last:
            with self._engine.begin() as connection:
                put(connection, RULES, {"name": SIGNED_LAST, "value": json.dumps(place)})
            self._signed = frozenset()
        self._signed |= {state}

    def _add(self, connection: Connection, states: Sequence[RosterState], by: str) -> None:
        batch = (connection.execute(sa.select(sa.func.max(ROSTERS.c.batch))).scalar() or 0) + 1
        rows = [
            {"epoch": one.epoch, "rev": one.rev, "digest": one.digest, "count": one.count}
            for one in dict.fromkeys(states)
        ]
        more = {"batch": batch, "by": by, "at": self._now()}
        connection.execute(sa.insert(ROSTERS), [{**row, **more} for row in rows])


def _with_faces(
    before: RosterState,
    whole: list[tuple[str, int, str]],
    plain: list[tuple[str, int, str]],
    records: list[tuple[str, str, str]],
) -> list[RosterState]:
    """Return the states that the records lead to. Raises `NotPermitted` for anything but other faces."""
    wholes = {name: (rev, digest) for name, rev, digest in whole}
    plains = {name: (rev, digest) for name, rev, digest in plain}
    for number, (name, old, new) in enumerate(records, 1):
        if wholes.get(name, (0, ""))[1] != _sha256(old) or without_faces(old) != without_faces(new):
            raise NotPermitted(f"{name}: {FACES_ONLY}")
        wholes[name] = (before.rev + number, _sha256(new))
        plains[name] = (before.rev + number, _sha256(plain_record(new)))
    rev = before.rev + len(records)
    return [
        _state(before.epoch, rev, [(name, *line) for name, line in one.items()]) for one in (wholes, plains)
    ]


def _state(epoch: int, rev: int, lines: list[tuple[str, int, str]]) -> RosterState:
    return RosterState(epoch, rev, digest_of_lines(lines), len(lines))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _batch(connection: Connection, state: RosterState) -> int | None:
    """Return the number of the last approval of a state; None: it never was."""
    mine = (ROSTERS.c.epoch == state.epoch, ROSTERS.c.rev == state.rev, ROSTERS.c.digest == state.digest)
    query = sa.select(sa.func.max(ROSTERS.c.batch)).where(*mine, ROSTERS.c.count == state.count)
    found: int | None = connection.execute(query).scalar()
    return found


def _last_signed(connection: Connection) -> tuple[int, int, int] | None:
    value = _rule(connection, SIGNED_LAST)
    return None if value is None else tuple(json.loads(value))


def _rule(connection: Connection, name: str) -> str | None:
    value: str | None = connection.execute(sa.select(RULES.c.value).where(RULES.c.name == name)).scalar()
    return value
