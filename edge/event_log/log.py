"""The one way to write an event: to the journal, and to everybody who wants to hear of it.

There are two verbs. `record` is for what has happened: it is stored now, or as soon as the disk works again.
`commit` is for what may only happen once it is stored: it is stored now, or this raises and it never is.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from edge.domain import EventDraft
from edge.errors import JournalUnavailable
from edge.event_log.spool import Spool
from edge.event_log.unsaved import UnsavedEvents
from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from edge.domain import DoorEvent
    from edge.ports import Clock, Journal

    Listener: TypeAlias = Callable[[EventDraft], object]

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""How long anybody waits for another thread that is storing: half of what an opening may take."""
FAST_SECONDS = 0.25
"""After a commit that took longer nobody at the door waits for those in memory: `retry` stores them."""
TURN_SECONDS = 0.25
"""How long one turn stores what waits: somebody may stand at the door whose entry is next."""
RETRY_SECONDS, BREATH_SECONDS = 5.0, 0.01
"""How long one `retry` goes on, and between two of its turns: others get theirs."""
QUIET_SECONDS = 60.0
"""Between two log lines about the same trouble: a full disk must not be filled by saying so."""


class EventLog:
    """Writes the events of one door and tells its listeners. Any thread.

    `journal` answers soon whatever its card does, `spool` keeps copies of what waits in memory. `timing`
    gets how many seconds it took to store each event. Somebody calls `retry` about once a second, from a
    thread that may wait.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        *,
        unsaved: UnsavedEvents | None = None,
        timing: Callable[[EventDraft, float], object] = lambda _draft, _seconds: None,
        spool: Spool | None = None,
    ) -> None:
        self.failures = 0
        """Attempts to store something that failed."""
        self._journal = journal
        self._clock = clock
        self._timing = timing
        self._storing = threading.Lock()
        self._last_seconds = 0.0
        self._breath = threading.Event()
        self._unsaved = UnsavedEvents() if unsaved is None else unsaved
        self._spool = Spool(()) if spool is None else spool
        # Held while an event and its copy are added, and while all copies are cleared. Without it a copy
        # could be cleared whose event has just begun to wait.
        self._keeping = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._trouble: tuple[str, float] | None = None
        self._restored: frozenset[tuple[str, datetime]] = frozenset()

    @property
    def unsaved(self) -> int:
        """How many events wait in memory for the journal to be writable again."""
        return len(self._unsaved)

    def subscribe(self, listener: Listener) -> None:
        """Have `listener` hear of every event, right after it was written, on the writer's thread.

        It must return at once, and may write events itself. One that raises costs only its own news.
        """
        self._listeners += (listener,)

    def record(self, draft: EventDraft) -> DoorEvent | None:
        """Write down what has happened; None when it has to wait in memory for the journal."""
        event = None
        try:
            event = self._store(draft)
        except JournalUnavailable as error:
            with self._keeping:
                self._unsaved.add(draft)
                self._spool.add(draft)
            self._complain(str(error))
        # Listeners are told whether it is stored or not: it has happened, and counters and display follow it.
        self._tell(draft)
        return event

    def restore(self, stored: Callable[[EventDraft], bool]) -> None:
        """Take over what an earlier process could not store, but what is `stored`. Call it once, first."""
        left = [draft for draft in self._spool.take(self._clock.monotonic()) if not stored(draft)]
        self._restored = frozenset((str(draft.kind), draft.at) for draft in left)
        # Not into the spool: their lines stay in its files until everything is stored.
        for draft in left:
            self._unsaved.add(draft)

    def was_restored(self, draft: EventDraft) -> bool:
        """Return whether an earlier process left this event, so that it is stored without being recorded."""
        return (str(draft.kind), draft.at) in self._restored

    def commit(self, draft: EventDraft) -> DoorEvent:
        """Write down what may only happen when it is written down, and return the entry.

        Raises `JournalUnavailable` when it cannot be stored now; it is not stored later either.
        """
        try:
            event = self._store(draft)
        except JournalUnavailable as error:
            self._complain(str(error))
            raise
        self._tell(draft)
        return event

    def retry(self) -> None:
        """Store what waits, if that can be done now, or some seconds' worth of it."""
        if not (len(self._unsaved) or self._unsaved.tally()):
            return
        until = self._clock.monotonic() + RETRY_SECONDS
        try:
            while not self._store_a_turn() and self._clock.monotonic() < until:
                self._breath.wait(BREATH_SECONDS)
        except JournalUnavailable as error:
            self._complain(str(error))

    def close(self) -> None:
        """Store what waits and close the journal. Safe to call twice."""
        # One retry stores some seconds' worth, so it is repeated for as long as it gets anywhere.
        before = -1
        while len(self._unsaved) not in {0, before}:
            before = len(self._unsaved)
            self.retry()
        if len(self._unsaved):
            logger.critical("%d events could not be stored; the next start tries again", len(self._unsaved))
        self._spool.flush()
        self._journal.close()

    def _store(self, draft: EventDraft) -> DoorEvent:
        """Store what waits in memory, then `draft`: the order of events is kept.

        When very much waits, or the card is slow, `draft` goes first: a visitor must not wait at the door
        for older events to be stored.
        """
        with self._turn():
            if self._last_seconds <= FAST_SECONDS:
                self._store_unsaved()
            return self._append(draft)

    def _store_a_turn(self) -> bool:
        with self._turn():
            return self._store_unsaved()

    def _store_unsaved(self) -> bool:
        """Store what waits for one turn; return whether that was all."""
        until = self._clock.monotonic() + TURN_SECONDS
        while (unsaved := self._unsaved.take()) is not None:
            if self._clock.monotonic() > until:
                self._unsaved.back(unsaved)
                return False
            try:
                self._append(unsaved.draft)
            except BaseException:
                self._unsaved.back(unsaved)
                raise
        if tally := self._unsaved.tally():
            # Tells the property how many events had to wait, which it could not learn while the disk failed.
            self._append(EventDraft.now(self._clock, Kind.HEALTH_JOURNAL, dict(tally)))
            self._unsaved.settle(tally)
            self._trouble = None
        with self._keeping:
            # While the tally was being stored another thread may have given up waiting for its turn: then its
            # event waits in memory, and its copy must stay.
            if not len(self._unsaved):
                self._spool.clear()
        return True

    def _append(self, draft: EventDraft) -> DoorEvent:
        began = self._clock.monotonic()
        try:
            event = self._journal.append(draft)
        except JournalUnavailable:
            self.failures += 1
            raise
        finally:
            self._last_seconds = self._clock.monotonic() - began
        self._timing(draft, self._last_seconds)
        return event

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other thread is storing. Raises `JournalUnavailable` when that takes too long."""
        if not self._storing.acquire(timeout=PATIENCE_SECONDS):
            raise JournalUnavailable(
                f"the journal has been storing other events for {PATIENCE_SECONDS:g} s; the card is slow"
            )
        try:
            yield
        finally:
            self._storing.release()

    def _complain(self, why: str) -> None:
        """Log why events cannot be stored; the same reason again after a minute only."""
        now = self._clock.monotonic()
        if self._trouble is not None and self._trouble[0] == why and now < self._trouble[1]:
            return
        self._trouble = why, now + QUIET_SECONDS
        logger.error("events cannot be stored (%d wait in memory): %s", len(self._unsaved), why)

    def _tell(self, draft: EventDraft) -> None:
        for listener in self._listeners:
            try:
                listener(draft)
            except Exception:  # a display that fails must not cost the opening that follows
                logger.exception("a listener failed at %s", draft.kind)
