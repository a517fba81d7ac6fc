"""Accounts: who has one, a new one, and the end of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.community.accounts import CODE_DAYS, StaffAccounts
from facegate_hub.community.duties import MAKERS, OF_SIDE, Duty
from facegate_hub.web.ticket_pages import chosen

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk


def accounts(ask: PageAsk) -> Response:
    """Return every account; make one, give one a fresh start, or end one of the own side."""
    mine = ask.account
    assert mine is not None  # noqa: S101 - the table lets nobody else in
    fresh, ended, kept = None, "", StaffAccounts(ask.office.staff)
    if ask.request.method == "POST":
        name = ask.form.get("name", "").strip()
        if ask.form.get("do") == "end":
            kept.end(mine, name)
            ended = name
        else:
            duty = chosen(Duty, ask.form.get("duty", ""), Duty.DESK)
            # Shown in the answer to the form, without a redirect: the code is stored nowhere but as a digest.
            fresh = (name, kept.make(mine, name, duty))
        ask.office.sessions_ended()
        if ended == mine.name:
            return ask.leave("/login")
    side = MAKERS[mine.duty]
    duties = [duty for duty in Duty if duty in OF_SIDE[side] or duty is Duty.COMMITTEE]
    return ask.page(
        "accounts.html",
        accounts=kept.all(),
        codes=kept.codes(),
        code_days=CODE_DAYS,
        duties=duties,
        side=side,
        fresh=fresh,
        ended=ended,
        mine=mine,
    )
