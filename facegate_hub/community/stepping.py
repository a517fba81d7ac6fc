"""One step of one ticket: what it needs, what it sets, which clocks it moves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import Change
from facegate_hub.community.duties import Duty
from facegate_hub.community.machine import (
    ENDED,
    OPEN,
    REOPEN_DAYS,
    STOPS_CLOCK,
    Audience,
    Cause,
    DeclineReason,
    Part,
    TicketAct,
    TicketState,
    WaitWhy,
    step_for,
)
from facegate_hub.community.parts import parts_in
from facegate_hub.community.schema import ACCOUNTS, TICKETS, WATCHERS
from facegate_hub.community.shaming import require_no_debtor
from facegate_hub.community.ticket_clocks import (
    ANSWER,
    DONE,
    begin_clocks,
    clocks_of,
    go_on,
    meet,
    stop,
)
from facegate_hub.community.ticket_row import ticket_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from facegate_hub.community.book import Writing
    from facegate_hub.community.machine import Step
    from facegate_hub.community.parts import Asker
    from facegate_hub.community.terms import Terms
    from facegate_hub.community.ticket_row import Ticket

DAY = 86_400
MOST_WAIT_DAYS = 90
MOST_TEXT = 4000
WORKERS = frozenset({Duty.TECHNICIAN, Duty.MANAGER, Duty.DESK, Duty.GUARD})
"""Who a ticket can be given to."""

NO_LONGER_WAITING = frozenset({TicketAct.ASSIGN, TicketAct.RESUME, TicketAct.RESOLVE})
ENDING = frozenset(
    {
        *(TicketAct.CONFIRM, TicketAct.FALL_SILENT, TicketAct.DECLINE),
        *(TicketAct.UPHOLD, TicketAct.MERGE, TicketAct.WITHDRAW),
    }
)
SAID = ("assignee", "why", "until", "cause", "reason", "into")
"""What an entry says of a step, besides text and photos."""

Values = dict[str, Any]


class Stepping:
    """Takes one step within a commit."""

    def __init__(self, writing: Writing, terms: Terms, ticket: Ticket, asker: Asker) -> None:
        self._writing = writing
        self._terms = terms
        self._ticket = ticket
        self._asker = asker
        self._clocks = clocks_of(writing.connection, [ticket.id])

    def take(
        self,
        parts: frozenset[Part],
        act: TicketAct,
        fields: Mapping[str, str],
        photos: Sequence[bytes] = (),
    ) -> None:
        """Take the step and write its entry. Raises `CommunityRefused`; then nothing was changed."""
        ticket, at = self._ticket, self._writing.at
        step = step_for(act, ticket.state, parts)
        if step is None:
            raise CommunityRefused(message("community.refused.step"))
        given = self._given(step, fields)
        row: Values = {"changed_at": at}
        if step.to is not None:
            row["state"] = step.to.value
        row |= self._set_by(act, given)
        rows = [*self._moved_clocks(act, given), *self._others(act, given)]
        say: Values = {name: given[name] for name in SAID if name in given}
        owner = self._owner()
        if given.get("text"):
            say["text"] = self._writing.keep(given["text"], owner)
        if photos:
            say["photos"] = [self._writing.keep(photo, owner) for photo in photos]
        say |= {"from": ticket.state.value, "to": (step.to or ticket.state).value}
        subject, changed = f"ticket:{ticket.id}", Change(TICKETS, ticket.id, row)
        self._writing.enter(self._asker.doer, f"ticket.{act.value}", subject, changed, *rows, **say)

    def _owner(self) -> str:
        """Return whose the words and pictures of this step are: erasing that person erases them.

        A resident's are their own, also on a neighbour's ticket. Staff's are about the requester's home.
        """
        if self._asker.doer.kind == "person":
            return str(self._asker.doer)
        requester = self._ticket.requester
        return f"person:{requester}" if requester else f"ticket:{self._ticket.id}"

    def _given(self, step: Step, fields: Mapping[str, str]) -> Values:
        """Return what was given, checked; refuse what lacks something or is not on a list."""
        given: Values = {name: fields[name].strip() for name in fields if fields[name].strip()}
        if missing := step.needs - given.keys():
            raise CommunityRefused(message(f"community.missing.{min(missing)}"))
        if len(given.get("text", "")) > MOST_TEXT:
            raise CommunityRefused(message("community.refused.text", most=MOST_TEXT))
        # Everybody who may read the ticket also reads its steps.
        if self._ticket.audience is not Audience.PRIVATE:
            require_no_debtor(given.get("text", ""))
        for name, kind in (("why", WaitWhy), ("cause", Cause), ("reason", DeclineReason)):
            if name in step.needs and given[name] not in set(kind):
                raise CommunityRefused(message("community.refused.field"))
        # An act that needs more than its fields has a method `_check_<act>` in this class.
        check = getattr(self, f"_check_{step.act.value}", None)
        if check is not None:
            check(given)
        return given

    def _check_wait(self, given: Values) -> None:
        at = self._writing.at
        try:
            until = datetime.fromisoformat(given["until"])
            zone = self._terms.zone
            given["until"] = int(until.replace(tzinfo=until.tzinfo or zone).astimezone(UTC).timestamp())
        except (ValueError, OverflowError) as error:
            raise CommunityRefused(message("community.refused.until")) from error
        if not at < given["until"] <= at + MOST_WAIT_DAYS * DAY:
            raise CommunityRefused(message("community.refused.until"))

    def _check_assign(self, given: Values) -> None:
        name = given["assignee"]
        query = sa.select(ACCOUNTS.c.duty).where(ACCOUNTS.c.id == name, ACCOUNTS.c.state == "active")
        duty = self._writing.connection.execute(query).scalar()
        if duty not in WORKERS or name == self._ticket.about:
            raise CommunityRefused(message("community.refused.assignee", name=name[:40]))

    def _check_reopen(self, _given: Values) -> None:
        ended = self._ticket.ended_at
        if ended is not None and self._writing.at - ended > REOPEN_DAYS * DAY:
            raise CommunityRefused(message("community.refused.reopen", days=REOPEN_DAYS))
        into = self._ticket.merged_into
        if into is not None and self._state_of(into) not in {TicketState.RESOLVED, *ENDED}:
            raise CommunityRefused(message("community.refused.merged", number=into))

    def _check_appeal(self, _given: Values) -> None:
        if self._ticket.appeals:
            raise CommunityRefused(message("community.refused.appeal"))

    def _check_merge(self, given: Values) -> None:
        given["into"] = given["into"].lstrip("#")
        query = sa.select(TICKETS).where(TICKETS.c.id == given["into"], TICKETS.c.id != self._ticket.id)
        row = self._writing.connection.execute(query).first()
        into = None if row is None else ticket_of(row)
        # Merging lets everybody who waits for this ticket read the other one. Staff who may not read that one
        # themselves, such as a complaint about them, hear only that there is no such ticket.
        if (
            into is None
            or into.state not in OPEN
            or not parts_in(self._writing.connection, into, self._asker)
        ):
            raise CommunityRefused(message("community.refused.into"))

    def _state_of(self, ticket: str) -> TicketState | None:
        query = sa.select(TICKETS.c.state).where(TICKETS.c.id == ticket)
        state = self._writing.connection.execute(query).scalar()
        return None if state is None else TicketState(state)

    def _set_by(self, act: TicketAct, given: Values) -> Values:
        """Return the ticket's columns that this act sets besides its state."""
        at, row = self._writing.at, Values()
        if act in NO_LONGER_WAITING:
            row |= {"wait_until": None, "wait_why": None}
        if act in ENDING:
            row["ended_at"] = at
        match act:
            case TicketAct.ASSIGN:
                row["assignee"] = given["assignee"]
            case TicketAct.WAIT:
                row |= {"wait_until": given["until"], "wait_why": given["why"]}
            case TicketAct.RESOLVE:
                row |= {"cause": given["cause"], "resolved_at": at}
            case TicketAct.REOPEN | TicketAct.GRANT:
                row |= dict.fromkeys(("ended_at", "resolved_at", "merged_into", "reason"))
                row["reopened"] = self._ticket.reopened + 1
            case TicketAct.APPEAL:
                row |= {"appeals": self._ticket.appeals + 1, "ended_at": None}
            case TicketAct.DECLINE:
                row["reason"] = given["reason"]
            case TicketAct.MERGE:
                row["merged_into"] = given["into"]
        return row

    def _moved_clocks(self, act: TicketAct, given: Values) -> list[Change]:
        at, clocks, terms = self._writing.at, self._clocks, self._terms
        is_waiting = self._ticket.state is TicketState.WAITING
        match act:
            case TicketAct.RESOLVE | TicketAct.DECLINE:
                moved = meet(clocks, {ANSWER, DONE}, at)
            case TicketAct.WAIT if given["why"] in STOPS_CLOCK:
                # Waiting stops only the clock of the work. The promise of a first answer continues.
                moved = stop([one for one in clocks if one.kind == DONE], terms, at)
            case TicketAct.RESUME | TicketAct.ASSIGN if is_waiting:
                moved = go_on(clocks, terms, at)
            case TicketAct.REOPEN | TicketAct.GRANT:
                moved = begin_clocks(self._writing, terms, self._ticket, self._ticket.reopened + 1)
            case TicketAct.MERGE | TicketAct.WITHDRAW:
                moved = stop(clocks, terms, at)
            case _:
                # Any other step that staff take is an answer.
                moved = meet(clocks, {ANSWER} if self._asker.doer.kind == "account" else set(), at)
        return moved

    def _others(self, act: TicketAct, given: Values) -> list[Change]:
        """Return followers that this act makes."""
        ticket = self._ticket
        if act is TicketAct.ME_TOO:
            return [self._follower(ticket.id, self._asker.doer.id, "too")]
        if act is not TicketAct.MERGE:
            return []
        query = sa.select(WATCHERS.c.person).where(WATCHERS.c.ticket == ticket.id)
        # Whoever waited for this ticket waits for the one that it is merged into.
        people = {ticket.requester, *self._writing.connection.execute(query).scalars()} - {None}
        return [self._follower(given["into"], person, "merged") for person in sorted(map(str, people))]

    @staticmethod
    def _follower(ticket: str, person: str, kind: str) -> Change:
        return Change(WATCHERS, f"{ticket}:{person}", {"ticket": ticket, "person": person, "kind": kind})
