"""One open database shared by the threads of its owner."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import StoreError
from edge.store.database import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.errors import FacegateError


class SharedDatabase:
    """Hands `connection` to one thread at a time. Any thread.

    SQLite's errors come out as `error`, with a message that names `path` and `what` it is.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        what: str,
        error: type[FacegateError] = StoreError,
    ) -> None:
        self._path = path
        self._connection = connection
        self._what = what
        self._error = error
        self._lock = threading.Lock()

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for the block, for reading or for several steps. Not to be nested."""
        try:
            with self._lock:
                yield self._connection
        except sqlite3.Error as error:
            raise self._error(f"{self._path}: cannot use {self._what}: {error}") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one write: all of the block is committed, or none of it happened."""
        with self.using() as connection, transaction(connection):
            yield connection

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._connection.close()
