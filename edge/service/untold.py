"""Writes down what was taken back, and what became of PINs and cards at the property's word; once each.

What is taken back counts at once, whatever the journal does. Its event stands in the file that was changed
until the journal has it on the disk: after a power cut in between it is told at the next start.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, Protocol

from edge.domain import EventDraft
from edge.errors import StoreError
from edge.service.chores.past import in_journal
from edge.store.account_rows import ACCOUNTS, ACCOUNTS_FILE
from edge.store.credentials import CredentialStore
from edge.store.untold import holds_untold
from edge.store.way_rows import CREDENTIALS, CREDENTIALS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from edge.domain import DoorEvent
    from edge.ports import Clock
    from edge.store.database import Schema
    from edge.store.untold import UntoldEvent

logger = logging.getLogger(__name__)

JOURNAL_FILE = "journal.db"
AGAIN_SECONDS = 60.0
"""Between two looks of `tell_again`, each of which may read twenty thousand entries of the journal."""


class UntoldFile(Protocol):
    """A file that keeps events of what was changed in it, see `edge.store.untold`."""

    def untold(self) -> list[UntoldEvent]:
        """Return what no journal is known to have."""

    def date_untold(self, now: datetime) -> datetime:
        """Give each of those that has none its time, from `now` (UTC) on; return a time after all of them."""

    def told(self, event: UntoldEvent) -> None:
        """Forget one that the journal has on disk."""

    def close(self) -> None:
        """Close the file."""


class UntoldEvents:
    """The events that a file of one data folder still keeps. One for a file in a process; any thread.

    Each kind of file is a class of its own below. `record` returns None for what waits in memory: the
    file keeps such an event until the journal has it on the disk, however this process ends. `is_restored`
    says of an event whether an earlier process left it to this one's memory (`EventLog.was_restored`).
    """

    _name: ClassVar[str]
    _schema: ClassVar[Schema]

    def __init__(
        self,
        data: Path,
        record: Callable[[EventDraft], DoorEvent | None],
        clock: Clock,
        is_restored: Callable[[EventDraft], bool] = lambda _draft: False,
    ) -> None:
        self._path, self._journal = data / self._name, data / JOURNAL_FILE
        self._record = record
        self._clock = clock
        self._is_restored = is_restored
        self._lock = threading.Lock()
        self._given: set[int] = set()
        """Those that this process's memory has: never recorded again by it."""
        self._fresh: set[int] = set()
        self._last: datetime | None = None
        # Due at once: what an earlier process left behind.
        self._again_at = clock.monotonic()

    def tell(self) -> None:
        """Record each of them, and let the file forget what is on the disk. Raises `StoreError`."""
        with self._lock, closing(self._opened()) as store:
            is_stored = in_journal(self._journal)
            for event in self._dated(store):
                if not self._tell(store, event, is_stored):
                    # Due at once: `tell_again` adds the pause after its own attempts.
                    self._again_at = self._clock.monotonic()

    def tell_or_later(self) -> None:
        """Do so; what cannot be told now is told by `tell_again`."""
        try:
            self.tell()
        except (StoreError, OSError) as error:
            self._again_at = self._clock.monotonic()
            logger.warning("%s: what was changed there is told later: %s", self._path, error)

    def tell_again(self) -> None:
        """Do so once a minute if something was left over, in a thread that may wait for a disk.

        Also what a command on this machine took back and could not tell. Call it when nothing waits in
        memory: what the memory had is on the disk then, or must be told anew.
        """
        if self._clock.monotonic() < self._again_at:
            return
        try:
            if holds_untold(self._path, self._schema):
                self.tell()
        except (StoreError, OSError) as error:  # a dying card answers no question about the file either
            logger.warning("%s: what was changed there is told later: %s", self._path, error)
        self._again_at = self._clock.monotonic() + AGAIN_SECONDS

    def _opened(self) -> UntoldFile:
        raise NotImplementedError

    def _dated(self, store: UntoldFile) -> list[UntoldEvent]:
        """Return what is kept, each with its time; what gets it now has certainly not been told before."""
        kept = store.untold()
        if fresh := {event.number for event in kept if event.at is None}:
            now = self._clock.now()
            self._last = store.date_untold(now if self._last is None else max(now, self._last))
            self._fresh |= fresh
            kept = store.untold()
        return kept

    def _tell(self, store: UntoldFile, event: UntoldEvent, is_stored: Callable[[EventDraft], bool]) -> bool:
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


class UntoldWays(UntoldEvents):
    """The same of PINs, cards and passes."""

    _name, _schema = CREDENTIALS_FILE, CREDENTIALS

    def _opened(self) -> UntoldFile:
        return CredentialStore(self._path)


class UntoldAccounts(UntoldEvents):
    """The same of the accounts of the door's page."""

    _name, _schema = ACCOUNTS_FILE, ACCOUNTS

    def _opened(self) -> UntoldFile:
        from edge.web.accounts import Accounts  # noqa: PLC0415 - only doors with a page

        return Accounts(self._path)
