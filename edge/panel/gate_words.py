"""The notice that the staff put on the display at the gate, kept beside the panel's accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import PanelRefused
from edge.store.account_rows import ACCOUNTS
from edge.store.shared import SharedDatabase
from edge.wire.notices import MOST_LETTERS
from edge.words import message

if TYPE_CHECKING:
    from pathlib import Path


def check_notice(text: str) -> None:
    """Raise `PanelRefused` unless the display can show `text`: one line, not too long."""
    if len(text) > MOST_LETTERS or not text.replace("\u3000", " ").isprintable():
        raise PanelRefused(message("error.notice_length", letters=len(text), most=MOST_LETTERS))


class GateWords:
    """The display's notice, by language. Any thread. Raises `StoreError` when its file is damaged."""

    def __init__(self, path: Path) -> None:
        self._file = SharedDatabase(path, ACCOUNTS)

    def notices(self) -> dict[str, str]:
        """Return the notice by language; a language without one is missing."""
        with self._file.using() as connection:
            return dict(connection.execute("SELECT language, text FROM notices").fetchall())

    def put_notice(self, language: str, text: str) -> None:
        """Have the display say `text` in this language; an empty text removes it. Raises `PanelRefused`."""
        check_notice(text)
        with self._file.writing() as connection:
            connection.execute("DELETE FROM notices WHERE language = ?", (language,))
            if text:
                connection.execute("INSERT INTO notices VALUES (?, ?)", (language, text))

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()
