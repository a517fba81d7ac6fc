"""What a command changes at a door, beside the running service: residents, consents and the journal."""

from __future__ import annotations

import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from edge.errors import FacegateError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.domain import DoorEvent, EventDraft
    from edge.events import Kind
    from edge.store.consents import ConsentLedger
    from edge.store.journal import SqliteJournal
    from edge.store.residents import ResidentStore


COMMAND_LINE = "command line"
"""Who did what a command does, in events."""

DoorFiles: TypeAlias = "tuple[ResidentStore, ConsentLedger, Notes]"
"""What a command works with."""


class Notes:
    """Writes events into the door's journal, in the door's name. One thread.

    Before its first start a door has no journal; then nothing is written.
    """

    def __init__(self, data: Path) -> None:
        self.door_id = "door"
        self._journal: SqliteJournal | None = None
        from edge.store.reader import JOURNAL_FILE, JournalReader

        path = data / JOURNAL_FILE
        if not path.exists():
            return
        with closing(JournalReader(path)) as reader:
            last = reader.last()
        from edge.store.journal import SqliteJournal

        self.door_id = last.door_id if last is not None else self.door_id
        # A command has no proof of the time; the service has.
        boot = str(uuid.uuid4())
        self._journal = SqliteJournal(path, self.door_id, boot=boot, clock_trust=lambda: "unknown")

    def commit(self, draft: EventDraft) -> DoorEvent | None:
        """Store an event; None at a door that was never started. Raises `JournalUnavailable`."""
        return None if self._journal is None else self._journal.append(draft)

    def record(self, draft: EventDraft) -> DoorEvent | None:
        """Store an event: a command has no later at which it could. Raises `JournalUnavailable`."""
        return self.commit(draft)

    def __call__(self, kind: Kind, resident_id: str, **data: Any) -> None:
        """Commit an event about a resident. Raises `JournalUnavailable`."""
        from edge.domain import EventDraft
        from edge.runtime.clock import SystemClock

        self.commit(EventDraft.now(SystemClock(), kind, data, resident_id=resident_id))

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()


def tell_journal(data: Path, kind: Kind, resident_id: str | None = None, **told: Any) -> None:
    """Commit an event of what a command does in a door's folder. Raises `JournalUnavailable`."""
    from edge.domain import EventDraft
    from edge.runtime.clock import SystemClock

    with closing(Notes(data)) as notes:
        draft = EventDraft.now(SystemClock(), kind, {"by": COMMAND_LINE, **told}, resident_id=resident_id)
        notes.commit(draft)


def tell_taken_back(data: Path) -> None:
    """Write down what was taken back in a door's folder and the journal does not tell of yet.

    Raises `StoreError` where that cannot be done now; the door does it then.
    """
    from edge.runtime.clock import SystemClock
    from edge.service.untold import UntoldAccounts, UntoldWays
    from edge.store.account_rows import ACCOUNTS, ACCOUNTS_FILE
    from edge.store.untold import holds_untold

    try:
        with closing(Notes(data)) as notes:
            UntoldWays(data, notes.record, SystemClock()).tell()
            if holds_untold(data / ACCOUNTS_FILE, ACCOUNTS):  # a door without a page has no such file
                UntoldAccounts(data, notes.record, SystemClock()).tell()
    except FacegateError as error:
        raise StoreError(
            "it is done, and the journal does not tell of it yet: the door writes it down within a minute, or"
            f" when it is started ({error})"
        ) from error


@contextmanager
def looked_at(data: Path) -> Iterator[tuple[ResidentStore, ConsentLedger]]:
    """Give the residents and consents of a folder that must be there. Raises `StoreError` when it is not."""
    if not data.exists():
        raise StoreError(f"{data}: there is no such folder; name the door's own with --data")
    with opened(data) as (store, ledger, _):
        if not store.list():
            click.echo(f"{data}: nobody is enrolled here; facegate enrol add", err=True)
        yield store, ledger


@contextmanager
def opened(data: Path) -> Iterator[DoorFiles]:
    """Give the door's residents, consents and journal; all are closed at the end."""
    from edge.store.consents import CONSENTS_FILE, ConsentLedger
    from edge.store.residents import RESIDENTS_FILE, ResidentStore

    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        closing(ResidentStore(data / RESIDENTS_FILE)) as store,
        closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
        closing(Notes(data)) as note,
    ):
        yield store, ledger, note
