"""How staff end a resident's visitor pass, for example when a guard sees that somebody else came with it.

Ended passes are stored in the staff's own database, where the residents' page cannot undo it. The hub tells
the doors from there, and the book tells the resident who ended the pass and why.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import Change
from facegate_hub.community.duties import Right, may
from facegate_hub.community.schema import PASSES
from facegate_hub.community.staff_store import ENDED_PASSES, NO_CONTENTS, Contents
from facegate_hub.community.visits import AHEAD_DAYS, DAY, KEEP_DAYS, PassState
from facegate_hub.database import put

if TYPE_CHECKING:
    from facegate_hub.community.accounts import Account
    from facegate_hub.community.staff_store import StaffStore


class EndReason(StrEnum):
    """Why staff end a pass; its maker reads it."""

    WRONG_PERSON = "wrong_person"
    PASSED_ON = "passed_on"
    DISTURBANCE = "disturbance"
    RESIDENT_ASKED = "resident_asked"


class PassDesk:
    """What staff do about residents' passes. Any thread."""

    def __init__(self, store: StaffStore) -> None:
        self._store = store

    def end(self, by: Account, pass_id: str, why: EndReason) -> None:
        """End a pass by what stands on it: its code is gone for good. Raises `CommunityRefused`.

        The book is told when it has the pass; what it says of it does not matter, since a page that was
        taken over may write anything there.
        """
        if not may(by.duty, Right.VISITORS):
            raise CommunityRefused(message("community.refused.not_yours"))
        with self._store.book.looking() as connection:
            row = connection.execute(sa.select(PASSES).where(PASSES.c.pass_id == pass_id)).first()
        with self._store.writing() as writing:
            if writing.connection.execute(sa.select(ENDED_PASSES).where(_is(pass_id))).first() is not None:
                raise CommunityRefused(message("community.refused.gone"))
            old = ENDED_PASSES.c.at < writing.at - (AHEAD_DAYS + KEEP_DAYS) * DAY
            writing.connection.execute(sa.delete(ENDED_PASSES).where(old))
            values = {"id": pass_id, "pass_id": pass_id, "by": by.name, "why": why.value, "at": writing.at}
            put(writing.connection, ENDED_PASSES, values)
            ended: dict[str, str | int | None] = {
                "state": PassState.ENDED.value,
                "text": None,
                "why": why.value,
            }
            changed = () if row is None else (Change(PASSES, row.id, ended),)
            code = NO_CONTENTS if row is None or not row.text else Contents(gone=(row.text,))
            about = f"pass:{pass_id if row is None else row.id}"
            writing.tell(by.doer, "pass.ended", about, changed, code, why=why.value)

    def ended(self) -> dict[str, str]:
        """Return why staff ended passes, by what stands on them; those of the last weeks."""
        with self._store.looking() as connection:
            query = sa.select(ENDED_PASSES.c.pass_id, ENDED_PASSES.c.why)
            rows = connection.execute(query.where(ENDED_PASSES.c.pass_id.is_not(None)))
            return {row.pass_id: row.why for row in rows}


def _is(pass_id: str) -> sa.ColumnElement[bool]:
    return ENDED_PASSES.c.pass_id == pass_id
