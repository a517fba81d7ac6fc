"""A journal that comes back: a card that fails at start must not lock the residents out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import JournalUnavailable, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import DoorEvent, EventDraft
    from edge.store.journal import SqliteJournal


class ReopeningJournal:
    """Opens the journal when it is first needed, and again after it could not be opened.

    What that means for a grant is the controller's `on_failure`; nothing is lost meanwhile
    because the controller keeps events in memory.
    """

    def __init__(self, open_journal: Callable[[], SqliteJournal]) -> None:
        self._open = open_journal
        self._journal: SqliteJournal | None = None

    def append(self, draft: EventDraft) -> DoorEvent:
        """Commit `draft` durably. Raises `JournalUnavailable`."""
        if self._journal is None:
            try:
                self._journal = self._open()
            except StoreError as error:
                raise JournalUnavailable(str(error)) from error
        return self._journal.append(draft)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._journal is not None:
            self._journal.close()


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
