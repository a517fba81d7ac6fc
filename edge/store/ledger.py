"""Which remote commands were taken: written before acting, so that none is executed twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from edge.errors import JournalUnavailable
from edge.store.database import Schema
from edge.store.shared import SharedDatabase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LEDGER_FILE = "commands.db"
"""Its name inside the data folder."""
KEEP = timedelta(days=30)
"""Longer than any command's validity by far; a replay after that fails on its nonce or its age."""

LEDGER = Schema(
    name="command ledger",
    application_id=0x4647434C,  # "FGCL"
    migrations=(
        (
            "CREATE TABLE taken (id TEXT PRIMARY KEY, at TEXT NOT NULL)",
            "CREATE INDEX taken_by_time ON taken (at)",
        ),
        # What was to be done, until it was told what came of it.
        ("ALTER TABLE taken ADD COLUMN body TEXT",),
    ),
)


class SqliteLedger:
    """The commands this door has taken. Implements `ports.CommandLedger`; any thread.

    Raises `StoreError` when the file is damaged, `JournalUnavailable` or `StoreUnavailable` when it cannot be
    used now, also at the start.
    """

    def __init__(self, path: Path) -> None:
        self._file = SharedDatabase(path, LEDGER, error=JournalUnavailable, after_mending=(), is_patient=True)

    def is_known(self, command_id: str) -> bool:
        """Return whether this id was claimed within the last 30 days."""
        with self._file.using() as connection:
            return (
                connection.execute("SELECT 1 FROM taken WHERE id = ?", (command_id,)).fetchone() is not None
            )

    def claim(self, command_id: str, at: datetime, body: str | None = None) -> bool:
        """Take an id; False when it was taken before. Forgets ids older than 30 days.

        `body` is what `unfinished` returns of it until `finish`.
        """
        now = at.astimezone(UTC)
        with self._file.writing() as connection:
            # ISO times in UTC sort as text.
            connection.execute("DELETE FROM taken WHERE at < ?", ((now - KEEP).isoformat(),))
            # The key decides, not a look before: of two processes that claim at once one inserts.
            sql = "INSERT OR IGNORE INTO taken (id, at, body) VALUES (?, ?, ?)"
            return connection.execute(sql, (command_id, now.isoformat(), body)).rowcount == 1

    def unfinished(self) -> list[tuple[str, datetime, str]]:
        """Return (id, when it was taken, `body`) of what never finished, oldest first."""
        with self._file.using() as connection:
            sql = "SELECT id, at, body FROM taken WHERE body IS NOT NULL ORDER BY rowid"
            rows = connection.execute(sql).fetchall()
        return [(command_id, datetime.fromisoformat(at), body) for command_id, at, body in rows]

    def finish(self, command_ids: Iterable[str]) -> None:
        """Note that what came of these was told."""
        with self._file.writing() as connection:
            sql = "UPDATE taken SET body = NULL WHERE id = ?"
            connection.executemany(sql, [(one,) for one in command_ids])

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()
