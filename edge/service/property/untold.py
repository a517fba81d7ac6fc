"""Writes down what PINs, cards and passes became at the property's word; after a crash at the next start."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.errors import StoreError
from edge.service.chores.past import in_journal
from edge.store.credentials import CredentialStore
from edge.store.way_rows import CREDENTIALS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from edge.domain import DoorEvent
    from edge.ports import Clock
    from edge.store.untold import UntoldEvent

logger = logging.getLogger(__name__)

JOURNAL_FILE = "journal.db"
AGAIN_SECONDS = 60.0
"""Between two looks of `tell_again`, each of which may read twenty thousand entries of the journal."""


class UntoldWays:
    """The events that the file of credentials of one data folder still keeps. One for a folder; any thread.

    `record` returns None for what waits in memory: the file keeps such an event until the journal has it on
    the disk, however this process ends. `is_restored` says of an event whether an earlier process left it to
    this one's memory (`EventLog.was_restored`).
    """

    def __init__(
        self,
        data: Path,
        record: Callable[[EventDraft], DoorEvent | None],
        clock: Clock,
        is_restored: Callable[[EventDraft], bool] = lambda _draft: False,
    ) -> None:
        self._path, self._journal = data / CREDENTIALS_FILE, data / JOURNAL_FILE
        self._record = record
        self._clock = clock
        self._is_restored = is_restored
        self._lock = threading.Lock()
        self._given: set[int] = set()
        """Those that this process's memory has: never recorded again by it."""
        self._fresh: set[int] = set()
        self._last: datetime | None = None
        self._again_at: float | None = None

    def tell(self) -> None:
        """Record each of them, and let the file forget what is on the disk. Raises `StoreError`."""
        with self._lock, closing(CredentialStore(self._path)) as store:
            self._again_at = self._clock.monotonic()
            is_stored = in_journal(self._journal)
            left = [event for event in self._dated(store) if not self._tell(store, event, is_stored)]
            # Due at once: `tell_again` adds the pause after its own attempts.
            self._again_at = self._clock.monotonic() if left else None

    def tell_again(self) -> None:
        """Do so once a minute if something was left over, in a thread that may wait for a disk.

        Call it when nothing waits in memory: what the memory had is on the disk then, or must be told anew.
        """
        if self._again_at is None or self._clock.monotonic() < self._again_at:
            return
        try:
            self.tell()
        except StoreError as error:
            logger.warning("what the property gave and ended is told later: %s", error)
        if self._again_at is not None:
            self._again_at = self._clock.monotonic() + AGAIN_SECONDS

    def _dated(self, store: CredentialStore) -> list[UntoldEvent]:
        """Return what is kept, each with its time; what gets it now has certainly not been told before."""
        kept = store.untold()
        if fresh := {event.number for event in kept if event.at is None}:
            now = self._clock.now()
            self._last = store.date_untold(now if self._last is None else max(now, self._last))
            self._fresh |= fresh
            kept = store.untold()
        return kept

    def _tell(
        self, store: CredentialStore, event: UntoldEvent, is_stored: Callable[[EventDraft], bool]
    ) -> bool:
        """Return whether the journal has it on the disk, and it is forgotten here."""
        draft = EventDraft(
            event.kind,
            event.at or self._clock.now(),
            self._clock.monotonic(),
            event.resident_id,
            data=dict(event.data),
        )
        is_fresh = event.number in self._fresh
        self._fresh.discard(event.number)
        # What got its date a moment ago cannot be in the journal. What has an older one may be: the last run
        # told it, and was killed before this file forgot it.
        if is_fresh or not is_stored(draft):
            # It waits in memory, of this run or of the last one, and will be found in the journal.
            if event.number in self._given or self._is_restored(draft):
                return False
            if self._record(draft) is None:
                self._given.add(event.number)
                return False
        store.told(event)
        self._given.discard(event.number)
        return True
