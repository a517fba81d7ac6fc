"""What becomes of a journal while its card fails. Run by `test_journal` in a process that sees the faults.

Arguments: folder, control file, trial. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import JournalTampered, JournalUnavailable
from edge.store.journal import SqliteJournal
from edge.store.outbox import SqliteOutbox
from edge.store.reader import JournalReader
from edge.store.retention import FreedSpace, Retention
from tests.io.card import Card
from tests.store.drafts import START, draft

if TYPE_CHECKING:
    from collections.abc import Callable


class Trial:
    """A journal with its retention on a card. The entries are of `START`, seconds apart."""

    def __init__(self, card: Card, keep_days: int = 90, now: datetime = START) -> None:
        self.card = card
        self.path = card.folder / "journal.db"
        self.retention = Retention(self.path, keep_days, 1 << 20, lambda: now)
        self.journal = SqliteJournal(
            self.path, "north", boot="b", clock_trust=lambda: "synced", relief=self.retention.make_room
        )
        self.number = 0
        self.stored: list[str] = []

    def happen(self, times: int) -> int:
        """Append so many events; return how many were stored."""
        before = len(self.stored)
        for _ in range(times):
            self.number += 1
            with suppress(JournalUnavailable):
                self.stored.append(self.journal.append(draft(self.number)).id)
        return len(self.stored) - before

    def report(self) -> dict[str, Any]:
        """Return what the journal holds now that the card is well."""
        events = self.journal.read(0, 100_000)
        try:
            verified: int | str = self.journal.verify()
        except JournalTampered as error:
            verified = str(error)
        there = [event.id for event in events]
        return {
            "stored": len(self.stored),
            "lost": len(set(self.stored) - set(there)),
            "twice": len(there) - len(set(there)),
            "verified": verified,
            "entries": len(events),
            "about_itself": [
                [event.kind, event.data] for event in events if event.kind.startswith("journal.")
            ],
            "damaged_files": len(list(self.card.folder.glob("*.damaged-*"))),
            "ballast": (self.card.folder / "ballast").exists(),
        }


def one_error(card: Card, rule: str) -> dict[str, Any]:
    """Play `rule` at one append among many."""
    trial = Trial(card)
    trial.happen(300)
    trial.retention.prune(START)
    card.play(rule)
    during = trial.happen(1)
    card.play()
    return {"during": during, "after": trial.happen(3), **trial.report()}


def for_a_while(card: Card, rule: str) -> dict[str, Any]:
    """Play `rule` during some appends, and then no more, with a reader and a sender beside."""
    trial = Trial(card)
    outbox = SqliteOutbox(trial.path)
    trial.happen(30)
    card.play(rule)
    during = trial.happen(6)
    card.play()
    after = trial.happen(6)
    waiting = len(outbox.pending(0, 1000))
    return {"during": during, "after": after, "waiting": waiting, **trial.report()}


def full(card: Card, arrived: str, age_days: str) -> dict[str, Any]:
    """The disk is full for a few appends: what is given up, and what is not."""
    trial = Trial(card, now=START + timedelta(days=float(age_days)))
    outbox = SqliteOutbox(trial.path) if arrived != "no consumer" else None
    trial.happen(2500)
    if outbox is not None:
        outbox.mark_done(int(arrived))
    trial.retention.prune(START)
    card.play("pwrite,creat,ftruncate *.db* ENOSPC count=1")
    during = trial.happen(1)
    card.play()
    return {"during": during, **trial.report()}


def looked_at(card: Card, rule: str, is_closed: str) -> dict[str, Any]:
    """Somebody looks at a journal on a card that takes nothing, not even what SQLite needs to read."""
    trial = Trial(card)
    trial.happen(300)
    if is_closed == "closed":
        trial.journal.close()
    card.play(rule)
    with closing(JournalReader(trial.path)) as reader:
        found = {"entries": len(reader.read(0, 1000)), "verified": reader.verify()}
    return {**found, "names": sorted(path.name for path in card.folder.iterdir())}


def full_at_the_start(card: Card) -> dict[str, Any]:
    """A door that starts on a full card: the ballast goes before anything can be opened."""
    ballast = card.folder / "ballast"
    ballast.write_bytes(bytes(1 << 20))

    def relief() -> FreedSpace | None:
        freed = Retention(card.folder / "journal.db", 90, 1 << 20, lambda: START).make_room()
        card.play()
        return freed

    card.play("pwrite,creat,ftruncate journal.db* ENOSPC")
    journal = SqliteJournal(
        card.folder / "journal.db", "north", boot="b", clock_trust=lambda: "synced", relief=relief
    )
    journal.append(draft())
    return {"ballast": ballast.exists(), "kinds": [event.kind for event in journal.read()]}


def main() -> None:
    """Run one trial."""
    folder, control, name, *words = sys.argv[1:]
    card = Card(Path(folder), Path(control))
    trials: dict[str, Callable[..., dict[str, Any]]] = {
        "one error": one_error,
        "for a while": for_a_while,
        "full": full,
        "looked at": looked_at,
        "full at the start": full_at_the_start,
    }
    sys.stdout.write(json.dumps(trials[name](card, *words)) + "\n")


if __name__ == "__main__":
    main()
