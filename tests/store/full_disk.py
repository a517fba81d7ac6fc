"""Run inside a mount namespace with a tiny file system: fill it, go on, report as JSON.

Arguments: mount point, whether the journal gets relief, whether anything was delivered.
"""

import json
import subprocess
import sys
from pathlib import Path

from edge.errors import JournalUnavailable
from edge.store.journal import SqliteJournal
from edge.store.outbox import SqliteOutbox
from edge.store.retention import Retention
from tests.present import present
from tests.store.drafts import draft

BALLAST = 1024 * 1024


def main(folder, with_relief, delivered):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], check=True)
    path = Path(folder) / "journal.db"
    retention = Retention(path, ballast_bytes=BALLAST)
    relief = retention.make_room if with_relief else (lambda: None)
    journal = SqliteJournal(path, "door-1", boot="b", clock_trust=lambda: "synced", relief=relief)
    outbox = SqliteOutbox(path)
    retention.prune(draft().at)
    for number in range(2000):
        journal.append(draft(number))
    if delivered:
        outbox.mark_done(1500)
    fill(Path(folder) / "somebody-elses-log")
    stored, refused = append_many(journal, 1000)
    sys.stdout.write(
        json.dumps(
            {
                "stored": stored,
                "refused": refused,
                "ballast": (Path(folder) / "ballast").exists(),
                "verified": journal.verify(),
                "last": present(journal.last()).seq,
                "reliefs": sum(event.kind == "journal.relieved" for event in journal.read(2000, 10_000)),
                "waiting": len(outbox.pending(1500 if delivered else 0, 10_000)),
            }
        )
    )


def fill(path):
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def append_many(journal, count):
    refused = 0
    for number in range(count):
        try:
            journal.append(draft(number))
        except JournalUnavailable:
            refused += 1
    return count - refused, refused


main(sys.argv[1], sys.argv[2] == "relief", sys.argv[3] == "delivered")
