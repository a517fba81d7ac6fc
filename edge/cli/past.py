"""Reading a whole journal, a page at a time."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from edge.store.reader import JOURNAL_FILE, JournalReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from edge.domain import DoorEvent

PAGE = 500


def all_events(data: Path, since: datetime | None = None) -> Iterator[DoorEvent]:
    """Yield the journal's events from `since` on, oldest first. Raises `StoreError` without a journal."""
    with closing(JournalReader(data / JOURNAL_FILE)) as journal:
        seq = 0
        while page := journal.read(seq, PAGE):
            yield from (event for event in page if since is None or event.at >= since)
            seq = page[-1].seq
