"""What a ticket's page says first: what happens next, what was said last, and what its reader is to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.community.machine import OPEN, TicketAct, TicketState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from facegate_hub.community.ticket_row import Ticket
    from facegate_hub.community.tickets import TicketSheet, TicketStep
    from facegate_hub.web.asking import PageAsk

_A, _S = TicketAct, TicketState

TURN: dict[TicketState, tuple[TicketAct, ...]] = {
    _S.NEW: (_A.ASSIGN, _A.ME_TOO),
    _S.ASSIGNED: (_A.START, _A.ME_TOO),
    _S.WORKING: (_A.RESOLVE, _A.ME_TOO),
    _S.WAITING: (_A.RESUME, _A.ME_TOO),
    _S.REOPENED: (_A.START, _A.ASSIGN, _A.ME_TOO),
    _S.DECLINED: (_A.APPEAL,),
    _S.APPEALED: (_A.GRANT, _A.UPHOLD),
}
"""What is to be done in a state: shown first and unfolded to whoever may do it."""

SAID: dict[TicketState, tuple[TicketAct, ...]] = {
    _S.RESOLVED: (_A.RESOLVE,),
    _S.CONFIRMED: (_A.RESOLVE,),
    _S.SILENT: (_A.RESOLVE,),
    _S.REOPENED: (_A.REOPEN, _A.GRANT),
    _S.DECLINED: (_A.DECLINE, _A.UPHOLD),
    _S.APPEALED: (_A.APPEAL,),
}
"""Whose last words are read before anything is done in a state."""

ASIDE = (
    *(_A.WAIT, _A.RESOLVE, _A.COMMENT, _A.ASSIGN, _A.DECLINE, _A.MERGE),
    *(_A.REOPEN, _A.WITHDRAW),
)
"""What else somebody may do, folded away, in this order."""


def turn_of(sheet: TicketSheet, *, is_left: bool = False) -> list[TicketAct]:
    """Return what the reader of a ticket is to do now; `is_left`: whoever has it works here no more."""
    wanted = TURN.get(sheet.ticket.state, ())
    first = (_A.ASSIGN,) if is_left and _A.ASSIGN not in wanted else ()
    return [act for act in (*first, *wanted) if act in sheet.acts]


def aside_of(sheet: TicketSheet, turn: Sequence[TicketAct]) -> list[TicketAct]:
    """Return what the reader of a ticket may do besides; "not fixed" stands beside "fixed" already."""
    shown = {*turn, *((_A.REOPEN,) if _A.CONFIRM in sheet.acts else ())}
    return [act for act in ASIDE if act in sheet.acts and act not in shown]


def last_words(sheet: TicketSheet) -> TicketStep | None:
    """Return the step whose words matter most in the ticket's state."""
    wanted = {act.value for act in SAID.get(sheet.ticket.state, ())}
    return next(
        (step for step in reversed(sheet.steps) if step.act in wanted and step.text is not None), None
    )


def left_by(ask: PageAsk, tickets: Iterable[Ticket]) -> set[str]:
    """Return who of the staff has one of these open tickets and no account any more."""
    has = {one.assignee for one in tickets if one.assignee and one.state in OPEN}
    return has - {account.name for account in ask.office.accounts.all()} if has else set()


def what_next(ask: PageAsk, sheet: TicketSheet, *, is_left: bool = False) -> Sequence[str]:
    """Return what happens next, in sentences for staff or for residents."""
    ticket = sheet.ticket
    words = "todo" if ask.account is not None and ticket.state in OPEN else "next"
    why = ask.say(f"why.{ticket.wait_why}") if ticket.wait_why else ""
    values = {"name": ticket.assignee or "", "why": why, "time": ask.local(ticket.wait_until)}
    sentences = [ask.say("todo.left", **values)] if is_left else []
    sentences.append(ask.say(f"{words}.{ticket.state.value}", **values))
    running = next((clock for clock in sheet.clocks if clock.is_running), None)
    if running is not None and running.due_at is not None and ticket.state in OPEN:
        name = f"next.by_{running.kind}" if running.due_at >= ask.now else f"next.late_{running.kind}"
        sentences.append(ask.say(name, time=ask.local(running.due_at, "%m-%d %H:%M")))
    return sentences
