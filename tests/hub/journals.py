"""A door's journal in memory, with events of any kind."""

from datetime import UTC, datetime

from edge.domain import EventDraft
from edge.store.chain import Link, Stamp, forge
from edge.store.ids import uuid7

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class Journal:
    """Chained and hashed as a door does it; `entries` are the texts that travel."""

    def __init__(self, door, at=AT):
        self.at = at
        self.entries = []
        self._link = Link()
        self._stamp = Stamp(uuid7(at), "boot", "synced", door)

    def append(self, kind, data, resident=None, reason=None):
        draft = EventDraft(kind, self.at, float(len(self.entries)), resident, reason, data)
        row = forge(draft, uuid7(self.at), self._stamp, self._link)
        self._link = Link(row.seq, row.hash)
        self.entries.append(row.envelope)
        return row
