"""What the journal remembers of the time before this start."""

from __future__ import annotations

from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from edge.aside import Aside, TooSlow
from edge.domain import Reason
from edge.errors import JournalTampered, JournalUnavailable, StoreError
from edge.events import Kind
from edge.policy.attempts import WrongTry
from edge.policy.ceiling import DAY_SECONDS
from edge.store.reader import JournalReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from edge.domain import DoorEvent, EventDraft

RESTARTS_SECONDS, MANY_RESTARTS = 600.0, 5
"""Five starts in ten minutes are a restart loop: the door works in between, but somebody must look."""

WEEK_SECONDS = 7 * 86_400.0

TRIES = {str(Reason.INCORRECT_AUTHENTICATION_FACTOR): "pin", str(Reason.UNKNOWN_CREDENTIAL): "card"}
"""What was a try at which reader."""

NEWEST = 20_000
"""Entries among which an event is looked for that was stored just before a kill, and a day's wrong tries."""


def ages_seconds(journal: Path, kind: str, now: datetime, within_seconds: float) -> list[float]:
    """Return the ages of the events of `kind` that are not older than `within_seconds`.

    Empty when no journal can be read soon: a door must not wait for a count that only people read.
    """
    try:
        events = Aside("past").ask(lambda: _events(journal, kind))
    except (StoreError, JournalUnavailable, JournalTampered, TooSlow):
        return []
    ages = [(now - event.at).total_seconds() for event in events]
    return [age for age in ages if 0 <= age <= within_seconds]


def wrong_tries(journal: Path, now: datetime) -> list[WrongTry]:
    """Return the last day's wrong PINs and unknown cards, oldest first: a start must not forgive them.

    What a clock that is behind takes for later counts as of now. Empty when no journal can be read soon.
    """
    try:
        events = Aside("past").ask(lambda: _refused(journal))
    except (StoreError, JournalUnavailable, JournalTampered, TooSlow):
        return []
    found: dict[tuple[str, object], WrongTry] = {}
    for event in events:
        age = max(0.0, (now - event.at).total_seconds())
        reader, card = TRIES.get(str(event.reason)), event.data.get("card")
        if reader is None or event.data.get("method") != reader or age > DAY_SECONDS:
            continue
        number = event.data.get("number")
        # The same unknown card shown again counts as one try.
        found[reader, card or event.seq] = WrongTry(reader, number if isinstance(number, str) else None, age)
    return list(found.values())


def _events(journal: Path, kind: str) -> list[DoorEvent]:
    with closing(JournalReader(journal)) as reader:
        return reader.of_kind(kind)


def _refused(journal: Path) -> list[DoorEvent]:
    with closing(JournalReader(journal)) as reader:
        return reader.refused_at(TRIES.values(), NEWEST)


def in_journal(journal: Path) -> Callable[[EventDraft], bool]:
    """Return what says whether an event that an earlier process left behind was stored after all.

    The journal is read when the first one is asked about; one that cannot be read has stored none.
    """
    newest = cache(lambda: _newest(journal))
    return lambda draft: (str(draft.kind), draft.at) in newest()


def commands_ended(journal: Path) -> frozenset[str]:
    """Return the ids of remote commands of which the journal says what came of them."""
    ends = (Kind.COMMAND_DONE, Kind.COMMAND_FAILED)
    return frozenset(str(event.data.get("command")) for event in _last(journal) if event.kind in ends)


def _newest(journal: Path) -> frozenset[tuple[str, datetime]]:
    return frozenset((event.kind, event.at) for event in _last(journal))


def _last(journal: Path) -> list[DoorEvent]:
    """Return the newest entries; none when no journal can be read soon."""

    def read() -> list[DoorEvent]:
        with closing(JournalReader(journal)) as reader:
            last = reader.last()
            after = 0 if last is None else max(last.seq - NEWEST, 0)
            return reader.read(after, NEWEST)

    try:
        return Aside("past").ask(read)
    except (StoreError, JournalUnavailable, JournalTampered, TooSlow):
        return []


def held_ages_seconds(journal: Path, now: datetime) -> list[float]:
    """Return the ages of the week's held-open alarms, for the count in the next one."""
    return ages_seconds(journal, Kind.DOOR_HELD, now, WEEK_SECONDS)


def restarts(journal: Path, now: datetime) -> int:
    """Return how often the service started within the last ten minutes, this start not counted."""
    return len(ages_seconds(journal, Kind.SERVICE_STARTED, now, RESTARTS_SECONDS))
