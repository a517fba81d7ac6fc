"""The journal as those see it who may go on only once an event is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import JournalUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import DoorEvent, EventDraft


class ControllersJournal:
    """The journal through the controller, which keeps what cannot be stored now. Any thread."""

    def __init__(self, record: Callable[[EventDraft], DoorEvent | None]) -> None:
        self._record = record

    def append(self, draft: EventDraft) -> DoorEvent:
        """Store `draft`. Raises `JournalUnavailable` when it has to wait in memory."""
        event = self._record(draft)
        if event is None:
            raise JournalUnavailable(f"{draft.kind} waits in memory until the journal can be written")
        return event
