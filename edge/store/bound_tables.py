"""Tables of one file bound as a whole: a row that is edited, added or taken out shows.

A mark on each row (`edge.store.bound_rows`) does not tell that another row is gone, and a pass whose use is
gone opens again. So one mark is over all that the tables hold, written in the commit that changes them. It
costs a digest of everything that is kept, a thousand rows in a millisecond or two. An older copy of the whole
file has a good mark: only what lies outside of the card could tell.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.errors import StoreError
from edge.store.bound_rows import row_bytes
from edge.store.keyring import BOUND_ALL

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from edge.store.keyring import Keyring

WHOLE: Final = (
    "CREATE TABLE whole (one INTEGER PRIMARY KEY CHECK (one = 1), since TEXT NOT NULL, bound BLOB NOT NULL)",
)
"""The migration that gives a file its mark; `since` is from when on what is kept is known to be complete."""


@dataclass(frozen=True, slots=True)
class BoundTables:
    """What one mark is over: a name, and queries that give all rows in one order.

    Call everything within a transaction: keys may change. Raises `StoreError` as `Keyring` does.
    """

    name: str
    contents: tuple[str, ...]

    def is_ours(self, connection: sqlite3.Connection, keyring: Keyring) -> bool:
        """Return whether this door wrote the tables as they are; of an older version's, True."""
        row = self._row(connection, since_of(connection))
        return keyring.is_ours(row, _mark(connection), since=BOUND_ALL)

    def seal(self, connection: sqlite3.Connection, keyring: Keyring, since: str | None = None) -> None:
        """Mark the tables as they are now, known to be complete since then; by default as before."""
        kept = since_of(connection) if since is None else since
        mark = keyring.bind(self._row(connection, kept))
        connection.execute("INSERT OR REPLACE INTO whole VALUES (1, ?, ?)", (kept, mark))

    @contextmanager
    def changing(
        self, connection: sqlite3.Connection, keyring: Callable[[], Keyring], *, needs_key: bool = True
    ) -> Iterator[None]:
        """Mark the tables after the block, if they were ours before it: nothing that was edited is blessed.

        Without `needs_key` they are changed also while no key can be had; then they are not ours any more.
        """
        with ExitStack() as stack:
            if not needs_key:
                stack.enter_context(suppress(StoreError))
            was_ours = False  # it stays so where no key can be had
            was_ours = self.is_ours(connection, keyring())
        yield
        with ExitStack() as stack:
            if not needs_key:
                stack.enter_context(suppress(StoreError))
            if was_ours:
                self.seal(connection, keyring())

    def renew(self, connection: sqlite3.Connection, keyring: Keyring) -> int:
        """Mark what is ours with the newest key; return how many marks that changed."""
        newest = keyring.bind(self._row(connection, since_of(connection)))
        if _mark(connection) == newest or not self.is_ours(connection, keyring):
            return 0
        self.seal(connection, keyring)
        return 1

    def _row(self, connection: sqlite3.Connection, since: str) -> bytes:
        digest = hashlib.sha256()
        for number, query in enumerate(self.contents):
            for row in connection.execute(query):
                digest.update(row_bytes(str(number), *row) + b"\n")
        return row_bytes(self.name, since, digest.digest())


def since_of(connection: sqlite3.Connection) -> str:
    """Return from when on the tables are known to be complete, an ISO 8601 time; "" for always."""
    row = connection.execute("SELECT since FROM whole").fetchone()
    return "" if row is None else str(row[0])


def _mark(connection: sqlite3.Connection) -> bytes | None:
    row = connection.execute("SELECT bound FROM whole").fetchone()
    return row[0] if row is not None and isinstance(row[0], bytes) else None
