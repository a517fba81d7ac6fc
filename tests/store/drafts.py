"""Event drafts and journals for tests."""

import random
from datetime import UTC, datetime, timedelta
from functools import partial

from edge.domain import EventDraft
from edge.store.ids import uuid7
from edge.store.journal import SqliteJournal

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def draft(number=0, kind="access.granted", **data):
    """Return the n-th event, one second after the one before."""
    at = START + timedelta(seconds=number)
    return EventDraft(
        kind, at, 100.0 + number, resident_id="anna", reason="granted", data={"n": number, **data}
    )


def open_journal(path, seed=1, door_id="door-1"):
    """Return a journal whose ids follow from `seed`."""
    new_id = partial(uuid7, random=random.Random(seed).randbytes)
    return SqliteJournal(path, door_id, boot="boot-1", clock_trust=lambda: "synced", new_id=new_id)


def filled(path, count, seed=1):
    """Return an open journal with `count` events."""
    journal = open_journal(path, seed)
    for number in range(count):
        journal.append(draft(number))
    return journal
