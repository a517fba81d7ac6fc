"""Whom property and owners' committee employ, and what each of them may do: one table for everybody.

There is no duty that may do everything: who keeps accounts reads no complaint, who reads complaints keeps
no accounts, and the committee's accounts are made by the committee.
"""

from __future__ import annotations

from enum import StrEnum


class Duty(StrEnum):
    """What somebody is employed for."""

    ADMIN = "admin"
    MANAGER = "manager"
    DESK = "desk"
    GUARD = "guard"
    TECHNICIAN = "technician"
    COMMITTEE = "committee"
    AUDITOR = "auditor"


class Side(StrEnum):
    """Who made the account, and may end it."""

    PROPERTY = "property"
    COMMITTEE = "committee"


class Right(StrEnum):
    """What a duty may do on the console."""

    ACCOUNTS = "accounts"
    """Make and end accounts of the own side."""
    PEOPLE = "people"
    """See and change people, flats and ties, and invite."""
    TICKETS = "tickets"
    """See tickets: all but what the machine keeps from them."""
    REPORT = "report"
    """Write a ticket down for somebody."""
    COUNTS = "counts"
    """See the counts and times of all tickets, and texts of none."""
    WRITE_NOTICES = "write_notices"
    APPROVE_NOTICES = "approve_notices"
    VISITORS = "visitors"
    LEDGER = "ledger"
    """Verify the book, and see its entries without texts."""
    DOORS = "doors"
    """See doors and alarms, open a door."""


RIGHTS: dict[Duty, frozenset[Right]] = {
    Duty.ADMIN: frozenset({Right.ACCOUNTS, Right.COUNTS, Right.LEDGER, Right.DOORS}),
    Duty.MANAGER: frozenset(
        {
            *(Right.PEOPLE, Right.TICKETS, Right.REPORT, Right.COUNTS, Right.DOORS),
            *(Right.WRITE_NOTICES, Right.APPROVE_NOTICES, Right.VISITORS, Right.LEDGER),
        }
    ),
    Duty.DESK: frozenset(
        {
            *(Right.PEOPLE, Right.TICKETS, Right.REPORT, Right.COUNTS, Right.DOORS),
            *(Right.WRITE_NOTICES, Right.VISITORS),
        }
    ),
    Duty.GUARD: frozenset({Right.TICKETS, Right.REPORT, Right.VISITORS, Right.DOORS}),
    Duty.TECHNICIAN: frozenset({Right.TICKETS}),
    Duty.COMMITTEE: frozenset(
        {
            Right.ACCOUNTS,
            Right.TICKETS,
            Right.COUNTS,
            Right.WRITE_NOTICES,
            Right.APPROVE_NOTICES,
            Right.LEDGER,
        }
    ),
    Duty.AUDITOR: frozenset({Right.COUNTS, Right.LEDGER}),
}

MAKERS: dict[Duty, Side] = {Duty.ADMIN: Side.PROPERTY, Duty.COMMITTEE: Side.COMMITTEE}
"""Who keeps accounts, of which side."""

OF_SIDE: dict[Side, frozenset[Duty]] = {
    Side.PROPERTY: frozenset(
        {Duty.ADMIN, Duty.MANAGER, Duty.DESK, Duty.GUARD, Duty.TECHNICIAN, Duty.AUDITOR}
    ),
    Side.COMMITTEE: frozenset({Duty.COMMITTEE, Duty.AUDITOR}),
}
"""Duties that an account of each side can have."""


def may(duty: Duty | None, right: Right) -> bool:
    """Return whether a duty has a right; nobody has none."""
    return duty is not None and right in RIGHTS[duty]
