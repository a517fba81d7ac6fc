"""Who came in last: found once, then followed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.domain import DoorEvent

BATCH, MOST_READ = 200, 4000
"""How many events are read at once, and at most: the first look at a long night of a busy street must end."""


class LastEntry:
    """The newest entry of a journal; asked again, only what has been written since is read. Any thread.

    `events` (before seq or None, count) returns the newest first, below that number.
    """

    def __init__(self, events: Callable[[int | None, int], Sequence[DoorEvent]]) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._read_to = 0
        self._found: DoorEvent | None = None

    def find(self) -> DoorEvent | None:
        """Return the newest entry that the journal holds, None where none is near its end."""
        with self._lock:
            known, found = self._found, self._look()
            if found is None and known is not None and self._is_kept(known):
                found = known
            self._found = found
            return found

    def _look(self) -> DoorEvent | None:
        """Return the newest entry that has not been read yet, and remember how far was read."""
        before, newest, read = None, 0, 0
        while read < MOST_READ and (batch := self._events(before, BATCH)):
            newest = newest or batch[0].seq
            self._read_to = self._read_to if newest >= self._read_to else 0  # a journal that began anew
            unread = [event for event in batch if event.seq > self._read_to]
            if found := next((event for event in unread if event.kind == Kind.ACCESS_GRANTED), None):
                self._read_to = newest
                return found
            if len(unread) < len(batch):
                break
            read, before = read + len(batch), batch[-1].seq
        self._read_to = newest
        return None

    def _is_kept(self, event: DoorEvent) -> bool:
        """Return whether the journal still holds an event: what its time has taken is not shown either."""
        found = self._events(event.seq + 1, 1)
        return bool(found) and found[0].seq == event.seq and found[0].at == event.at
