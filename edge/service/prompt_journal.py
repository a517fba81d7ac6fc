"""A journal that answers within a second, whatever its card does: stored, or not stored yet."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from edge.aside import DEADLINE_SECONDS, Aside, TooSlow
from edge.errors import FacegateError, JournalUnavailable, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.aside import Asked
    from edge.domain import DoorEvent, EventDraft
    from edge.store.journal import SqliteJournal


class PromptJournal:
    """Writes the journal in a thread of its own. Implements `ports.Journal`; any thread.

    The file is opened when it is first needed, and again after it could not be opened. A commit that
    takes longer than `deadline_seconds` counts as failed, and while it lasts every other event fails at
    once: what that means at the door is `journal.on_failure`. When such a commit ends well after all,
    its draft, given again, is answered with that event; if its owner gave it up, an event says so
    (`journal.late`). So nothing is stored twice.
    """

    def __init__(
        self, open_journal: Callable[[], SqliteJournal], deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        self._open = open_journal
        self._deadline = deadline_seconds
        self._aside = Aside("journal", deadline_seconds)
        self._journal: SqliteJournal | None = None
        self._lock = threading.Lock()
        self._pending: tuple[EventDraft, Asked[DoorEvent]] | None = None
        self._given_up: DoorEvent | None = None

    def append(self, draft: EventDraft) -> DoorEvent:
        """Commit `draft` durably. Raises `JournalUnavailable` when that failed or takes too long."""
        with self._lock:
            return self._late(draft) or self._in_time(draft)

    def close(self) -> None:
        """Close the file, unless the card does not answer. Safe to call twice."""
        with suppress(TooSlow):
            self._aside.ask(self._close)

    def _late(self, draft: EventDraft) -> DoorEvent | None:
        """Return the event of a commit that was too slow, if it is `draft`'s and ended well."""
        if self._pending is None:
            return None
        slow, asked = self._pending
        if not asked.is_done:
            raise JournalUnavailable(f"cannot store {draft.kind}: the card has not answered yet")
        self._pending = None
        try:
            event = asked.wait(0)
        except FacegateError:
            return None
        # `EventLog` was told that this draft is not stored, kept it, and gives it again. It has been stored
        # meanwhile, so the answer is that entry.
        if slow == draft:
            return event
        # Its owner was told "not stored" and did without it: a commit never counts later.
        self._given_up = event
        return None

    def _in_time(self, draft: EventDraft) -> DoorEvent:
        # Not `ask`, which refuses while an earlier call is overdue: that was looked at in `_late`.
        asked = self._aside.hand_over(lambda: self._store(draft))
        try:
            return asked.wait(self._deadline)
        except TooSlow as error:
            self._pending = draft, asked
            raise JournalUnavailable(f"cannot store {draft.kind}: {error}") from error

    def _store(self, draft: EventDraft) -> DoorEvent:
        if self._journal is None:
            try:
                self._journal = self._open()
            except StoreError as error:
                raise JournalUnavailable(str(error)) from error
        # Noted before the next event is stored; the journal writes it right after that one.
        if self._given_up is not None:
            self._journal.disown(self._given_up)
            self._given_up = None
        return self._journal.append(draft)

    def _close(self) -> None:
        if self._journal is not None:
            self._journal.close()
