"""A ticket as its projection has it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from facegate_hub.community.machine import Audience, TicketKind, TicketState, Urgency

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Row


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket; `text` and `place` are marks, times UTC seconds. The columns are explained in `schema`."""

    id: str
    number: int
    kind: TicketKind
    category: str
    flat: str | None
    requester: str | None
    via: str | None
    about: str | None
    audience: Audience
    state: TicketState
    urgency: Urgency
    text: str
    place: str
    opened_at: int
    changed_at: int
    assignee: str | None = None
    wait_until: int | None = None
    wait_why: str | None = None
    cause: str | None = None
    reason: str | None = None
    resolved_at: int | None = None
    ended_at: int | None = None
    merged_into: str | None = None
    linked: str | None = None
    appeals: int = 0
    reopened: int = 0
    level: int = 0

    @classmethod
    def of(cls, identity: str, row: Mapping[str, Any]) -> Ticket:
        """Return the ticket of a row's values."""
        kinds = {"kind": TicketKind, "audience": Audience, "state": TicketState, "urgency": Urgency}
        names = [field.name for field in fields(cls) if field.name not in {"id", "place"}]
        values = {name: row[name] for name in names if name in row}
        for name, kind in kinds.items():
            values[name] = kind(values[name])
        return cls(id=identity, place=row.get("place") or "", **values)


def ticket_of(row: Row[Any]) -> Ticket:
    """Return the ticket of a row of the table."""
    return Ticket.of(row.id, dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's documented name
