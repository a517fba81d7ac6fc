"""The states of a ticket: one table of who may take which step in which state, and which fields it needs.

Only the requester confirms that a ticket is done, even if somebody else wrote it down. When the requester
does not answer, time ends the ticket in a state of its own (`silent`). A declined ticket can be appealed
once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TicketKind(StrEnum):
    """What a ticket is."""

    REPAIR = "repair"
    FAULT = "fault"
    """Reported by a door about itself."""
    COMPLAINT = "complaint"
    OPINION = "opinion"
    QUESTION = "question"
    PRAISE = "praise"


class TicketState(StrEnum):
    """Where a ticket is."""

    NEW = "new"
    ASSIGNED = "assigned"
    WORKING = "working"
    WAITING = "waiting"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CONFIRMED = "confirmed"
    SILENT = "silent"
    DECLINED = "declined"
    APPEALED = "appealed"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"


class TicketAct(StrEnum):
    """A step, or a word without one."""

    ASSIGN = "assign"
    START = "start"
    WAIT = "wait"
    RESUME = "resume"
    RESOLVE = "resolve"
    CONFIRM = "confirm"
    REOPEN = "reopen"
    FALL_SILENT = "fall_silent"
    DECLINE = "decline"
    APPEAL = "appeal"
    GRANT = "grant"
    UPHOLD = "uphold"
    MERGE = "merge"
    WITHDRAW = "withdraw"
    COMMENT = "comment"
    ME_TOO = "me_too"


class Part(StrEnum):
    """The roles that somebody can have in a ticket; one person may have several."""

    REQUESTER = "requester"
    """Whose ticket it is, or the holder of its slip."""
    FOLLOWER = "follower"
    """Theirs was merged into it, or they said "me too"."""
    READER = "reader"
    """A resident who sees it."""
    WRITER = "writer"
    """The guard who wrote it down for somebody: they see it and take no step."""
    ASSIGNEE = "assignee"
    DESK = "desk"
    MANAGER = "manager"
    COMMITTEE = "committee"
    """Of a ticket that climbed to the committee, or was appealed."""
    TIME = "time"


class WaitWhy(StrEnum):
    """What a ticket waits for."""

    PART = "part"
    ACCESS = "access"
    THIRD_PARTY = "third_party"
    REQUESTER = "requester"


STOPS_CLOCK = frozenset({WaitWhy.ACCESS, WaitWhy.REQUESTER})
"""Only what the requester alone can give stops a promised time."""


class DeclineReason(StrEnum):
    """Why the property does not do it: a closed list."""

    NOT_OURS = "not_ours"
    PRIVATE = "private"
    NO_FAULT = "no_fault"
    BY_RULES = "by_rules"
    UNCLEAR = "unclear"


class Cause(StrEnum):
    """What was the matter."""

    WEAR = "wear"
    DAMAGE = "damage"
    WEATHER = "weather"
    CONTRACTOR = "contractor"
    USE = "use"
    CONDUCT = "conduct"
    UNKNOWN = "unknown"


class Urgency(StrEnum):
    """How soon."""

    NORMAL = "normal"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class Audience(StrEnum):
    """Who besides requester and staff may read a ticket's text."""

    PRIVATE = "private"
    FLAT = "flat"
    BUILDING = "building"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the table: `to` None leaves the state; `needs` are fields that must be given."""

    act: TicketAct
    froms: frozenset[TicketState]
    to: TicketState | None
    parts: frozenset[Part]
    needs: frozenset[str] = frozenset()


_S, _A, _P = TicketState, TicketAct, Part

OPEN = frozenset({_S.NEW, _S.ASSIGNED, _S.WORKING, _S.WAITING, _S.RESOLVED, _S.REOPENED, _S.APPEALED})
"""States in which something is still to come."""
ENDED = frozenset(TicketState) - OPEN
DONE = frozenset({_S.CONFIRMED, _S.SILENT})
"""Ended with work done; these are asked how it was."""

REOPEN_DAYS = 30
"""Afterwards a new ticket that is linked to the old one."""

_BOSSES = frozenset({_P.DESK, _P.MANAGER})


def _line(
    act: TicketAct, froms: set[TicketState], to: TicketState | None, parts: frozenset[Part], *needs: str
) -> Step:
    return Step(act, frozenset(froms), to, parts, frozenset(needs))


_MINE = frozenset({_P.REQUESTER})
_WORKER = frozenset({_P.ASSIGNEE})
_BUSY = {_S.NEW, _S.ASSIGNED, _S.WORKING, _S.WAITING, _S.REOPENED}

STEPS: tuple[Step, ...] = (
    _line(_A.ASSIGN, _BUSY, _S.ASSIGNED, _BOSSES, "assignee"),
    _line(_A.START, {_S.ASSIGNED, _S.REOPENED}, _S.WORKING, _WORKER),
    _line(_A.WAIT, {_S.WORKING}, _S.WAITING, _WORKER, "why", "until"),
    _line(_A.RESUME, {_S.WAITING}, _S.WORKING, _WORKER),
    _line(_A.RESOLVE, {_S.WORKING, _S.WAITING}, _S.RESOLVED, _WORKER, "text", "cause"),
    _line(_A.CONFIRM, {_S.RESOLVED}, _S.CONFIRMED, _MINE),
    _line(_A.REOPEN, {_S.RESOLVED, _S.CONFIRMED, _S.SILENT, _S.MERGED}, _S.REOPENED, _MINE, "text"),
    _line(_A.FALL_SILENT, {_S.RESOLVED}, _S.SILENT, frozenset({_P.TIME})),
    _line(_A.DECLINE, {_S.NEW, _S.ASSIGNED}, _S.DECLINED, frozenset({_P.MANAGER}), "reason", "text"),
    _line(_A.APPEAL, {_S.DECLINED}, _S.APPEALED, _MINE, "text"),
    _line(_A.GRANT, {_S.APPEALED}, _S.REOPENED, frozenset({_P.COMMITTEE}), "text"),
    _line(_A.UPHOLD, {_S.APPEALED}, _S.DECLINED, frozenset({_P.COMMITTEE}), "text"),
    _line(_A.MERGE, {_S.NEW, _S.ASSIGNED}, _S.MERGED, _BOSSES, "into"),
    _line(_A.WITHDRAW, {_S.NEW, _S.ASSIGNED}, _S.WITHDRAWN, _MINE),
    _line(
        _A.COMMENT,
        set(OPEN),
        None,
        frozenset({_P.REQUESTER, _P.FOLLOWER, _P.ASSIGNEE, _P.DESK, _P.MANAGER, _P.COMMITTEE}),
        "text",
    ),
    _line(_A.ME_TOO, _BUSY, None, frozenset({_P.READER})),
)


def steps(state: TicketState, parts: frozenset[Part]) -> tuple[Step, ...]:
    """Return every step that somebody may take from a state, in the table's order."""
    return tuple(step for step in STEPS if state in step.froms and parts & step.parts)


def step_for(act: TicketAct, state: TicketState, parts: frozenset[Part]) -> Step | None:
    """Return the step of an act, None when it is not theirs or not now."""
    return next((step for step in steps(state, parts) if step.act is act), None)
