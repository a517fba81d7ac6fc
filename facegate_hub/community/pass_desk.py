"""Staff end a resident's visitor pass: the guard sees that somebody else came with it.

What was ended is kept in the staff's own store, where the residents' page cannot take it back; the hub tells
doors of it from there, and the book tells whoever made the pass who ended it and why.
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

    def end(self, by: Account, identity: str, why: EndReason) -> None:
        """End a pass that is wished for or granted: its code is gone for good. Raises `CommunityRefused`."""
        if not may(by.duty, Right.VISITORS):
            raise CommunityRefused(message("community.refused.not_yours"))
        alive = PASSES.c.state.in_([PassState.WISHED.value, PassState.GRANTED.value])
        with self._store.book.looking() as connection:
            row = connection.execute(sa.select(PASSES).where(PASSES.c.id == identity, alive)).first()
        if row is None:
            raise CommunityRefused(message("community.refused.gone"))
        with self._store.writing() as writing:
            old = ENDED_PASSES.c.at < writing.at - (AHEAD_DAYS + KEEP_DAYS) * DAY
            writing.connection.execute(sa.delete(ENDED_PASSES).where(old))
            values = {"id": identity, "pass_id": row.pass_id, "by": by.name, "why": why.value}
            put(writing.connection, ENDED_PASSES, values | {"at": writing.at})
            ended: dict[str, str | int | None] = {
                "state": PassState.ENDED.value,
                "text": None,
                "why": why.value,
            }
            changed = (Change(PASSES, identity, ended),)
            code = Contents(gone=(row.text,)) if row.text else NO_CONTENTS
            writing.tell(by.doer, "pass.ended", f"pass:{identity}", changed, code, why=why.value)

    def ended(self) -> set[str]:
        """Return what stands on the passes that staff ended, those of the last weeks."""
        with self._store.looking() as connection:
            query = sa.select(ENDED_PASSES.c.pass_id).where(ENDED_PASSES.c.pass_id.is_not(None))
            return set(connection.execute(query).scalars())
