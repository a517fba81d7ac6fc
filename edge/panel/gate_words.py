"""What the display at the gate says on request: the notice of the staff, and who is welcomed by name."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import PanelRefused, StoreError
from edge.panel.accounts import ACCOUNTS
from edge.store.database import open_database, transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

MOST_LETTERS_OF_NOTICE = 120
"""Three lines of big type on a display of 800 x 480; nobody at a door reads more."""

MOST_LETTERS_OF_NAME = 24
LANGUAGES = ("en", "zh")


class GateWords:
    """The display's words, kept beside the panel's accounts. Any thread.

    Nobody is welcomed by name unless he wishes it: a name on a display is read by who stands behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_database(path, ACCOUNTS)

    def notice(self, language: str) -> str:
        """Return the notice in `language` (`en` or `zh`), the other one if there is only that, or ""."""
        with self._using() as connection:
            found = dict(connection.execute("SELECT language, text FROM notices").fetchall())
        return str(found.get(language) or next(iter(found.values()), ""))

    def put_notice(self, language: str, text: str) -> None:
        """Have the display say `text` in this language; an empty text removes it."""
        _require_short(text, MOST_LETTERS_OF_NOTICE, "the notice")
        with self._using() as connection, transaction(connection):
            connection.execute("DELETE FROM notices WHERE language = ?", (language,))
            if text:
                connection.execute("INSERT INTO notices VALUES (?, ?)", (language, text))

    def name_of(self, resident_id: str) -> str | None:
        """Return the name a resident wishes to be welcomed by, or None."""
        with self._using() as connection:
            sql = "SELECT name FROM greetings WHERE resident_id = ?"
            row = connection.execute(sql, (resident_id,)).fetchone()
        return None if row is None else str(row[0])

    def welcome(self, resident_id: str, name: str) -> None:
        """Have this resident welcomed by `name`; an empty name ends that."""
        _require_short(name, MOST_LETTERS_OF_NAME, "the name to welcome by")
        with self._using() as connection, transaction(connection):
            connection.execute("DELETE FROM greetings WHERE resident_id = ?", (resident_id,))
            if name:
                connection.execute("INSERT INTO greetings VALUES (?, ?)", (resident_id, name))

    def forget_others(self, residents: Collection[str]) -> None:
        """Erase the names of who does not live here any more."""
        with self._using() as connection, transaction(connection):
            known = [row[0] for row in connection.execute("SELECT resident_id FROM greetings").fetchall()]
            gone = [(one,) for one in known if one not in residents]
            connection.executemany("DELETE FROM greetings WHERE resident_id = ?", gone)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._connection
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: cannot use the display's words: {error}") from error


def _require_short(text: str, most: int, what: str) -> None:
    if len(text) > most or not text.isprintable():
        raise PanelRefused(f"{what} has {len(text)} characters: give at most {most}, in one line")
