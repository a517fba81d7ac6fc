"""What ends when somebody leaves a flat: their visitor passes, and invitations that they may still hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.book import Change
from facegate_hub.community.schema import CONTENTS, INVITATIONS, PASSES

if TYPE_CHECKING:
    from facegate_hub.community.book import Doer, Writing


def end_passes(writing: Writing, by: Doer, person: str, flat: str | None = None) -> None:
    """End the visitor passes that somebody has for a flat which is theirs no more (None: for any).

    Their doors are told. What they only wished for is refused by the hub, which says why.
    """
    alive = (PASSES.c.state == "granted", PASSES.c.ends > writing.at)
    mine = (PASSES.c.maker == person, sa.true() if flat is None else PASSES.c.flat == flat)
    for row in writing.connection.execute(sa.select(PASSES).where(*mine, *alive)).all():
        if row.text:
            writing.drop(CONTENTS.c.mark == row.text)
        ended = Change(PASSES, row.id, {"state": "ended", "text": None})
        writing.enter(by, "pass.ended", f"pass:{row.id}", ended)


def end_slips(writing: Writing, by: Doer, flat: str) -> int:
    """Withdraw a flat's open invitations that name nobody, and return how many.

    Nobody knows who holds such a slip. Whoever moved out with one could come back by it as an owner, and make
    visitor passes for the building.
    """
    return _withdraw(writing, by, INVITATIONS.c.flat == flat, INVITATIONS.c.person.is_(None))


def end_codes(writing: Writing, by: Doer, person: str) -> int:
    """Withdraw the open invitations that name somebody, and return how many."""
    return _withdraw(writing, by, INVITATIONS.c.person == person)


def _withdraw(writing: Writing, by: Doer, *which: sa.ColumnElement[bool]) -> int:
    is_open = (INVITATIONS.c.state == "open", INVITATIONS.c.until > writing.at)
    query = sa.select(INVITATIONS.c.id, INVITATIONS.c.flat).where(*which, *is_open)
    rows = writing.connection.execute(query.order_by(INVITATIONS.c.id)).all()
    for row in rows:
        withdrawn = Change(INVITATIONS, row.id, {"state": "withdrawn"})
        # Not `invitation.withdrawn`, by which a code counts as withdrawn that a door has shown to somebody
        # else of this flat, and of which the hub hears only later.
        writing.enter(by, "invitation.ended", f"flat:{row.flat}", withdrawn)
    return len(rows)
